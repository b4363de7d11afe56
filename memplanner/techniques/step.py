"""One training step: the work of the plan's section ``training``.

The recorder runs it on the meta device and ``run`` on the real one: what is planned is what runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol

import torch

from memplanner.messages.estimate import Phase
from memplanner.model.loaded import Batch
from memplanner.techniques.parallel.shares_on_host import where_updated
from memplanner.techniques.parallel.split_loss import splitting_loss
from memplanner.techniques.parallel.wrapped import reduce_gradients
from memplanner.techniques.prepare import Prepared


class Backend(Protocol):
    """How a device runs the parts of a step."""

    def forward_context(self) -> AbstractContextManager[object]:
        """Autocast and the attention kernel, as the plan asks."""

    def backward(self, loss: torch.Tensor) -> None:
        """Runs backward from the loss of one micro-batch, divided and scaled as it must be."""

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Updates the parameters."""


class Observer(Protocol):
    """Told when a phase begins."""

    def phase(self, phase: Phase, micro_batch: int) -> None:
        """A phase begins; ``micro_batch`` counts from 0."""


class Held:
    """What the loop's own variables refer to between micro-batches and steps."""

    __slots__ = ("loss", "output")

    def __init__(self) -> None:
        self.output: Any = None
        self.loss: torch.Tensor | None = None

    def drop(self) -> None:
        """Forgets the last outputs."""
        self.output = None
        self.loss = None


def run_step(
    prepared: Prepared,
    batches: Iterable[Batch],
    backend: Backend,
    observer: Observer,
    held: Held,
) -> Iterator[torch.Tensor]:
    """Runs one step; yields the detached loss of each micro-batch when its backward ended.

    The optimizer step follows when the iterator is exhausted.
    """
    training = prepared.plan.training
    if prepared.plan.sharding.pipeline > 1:
        yield from _run_pipeline(prepared, batches, backend, observer)
        optimizer_step(prepared, backend, observer)
        end_step(prepared, observer, held)
        return
    for micro_batch, batch in enumerate(batches):
        if micro_batch == 0 and training.zero_grad == "before_forward":
            observer.phase("between_steps", 0)
            prepared.optimizer.zero_grad(set_to_none=True)
        last = micro_batch == training.gradient_accumulation_steps - 1
        yield forward_backward(prepared, batch, backend, observer, held, micro_batch, last=last)
    optimizer_step(prepared, backend, observer)
    end_step(prepared, observer, held)


def _run_pipeline(
    prepared: Prepared, batches: Iterable[Batch], backend: Backend, observer: Observer
) -> Iterator[torch.Tensor]:
    """The forwards and backwards of a pipeline's rank; the losses where it has the last stage."""
    from memplanner.techniques.parallel.pipeline_step import step_of, whole_batch

    step = step_of(prepared, backend)
    batch = step.own_inputs(whole_batch(batches))
    clear = partial(prepared.optimizer.zero_grad, set_to_none=True)
    when = prepared.plan.training.zero_grad
    if when == "before_forward":
        observer.phase("between_steps", 0)
        clear()
    yield from step.run(batch, observer, clear if when == "before_backward" else None)


def forward_backward(
    prepared: Prepared,
    batch: Batch,
    backend: Backend,
    observer: Observer,
    held: Held,
    micro_batch: int,
    *,
    last: bool = True,
) -> torch.Tensor:
    """Forward and backward of one micro-batch, the ``last`` of its step or not; its loss."""
    with splitting_loss(prepared.plan):
        return _forward_backward(prepared, batch, backend, observer, held, micro_batch, last=last)


def _forward_backward(
    prepared: Prepared,
    batch: Batch,
    backend: Backend,
    observer: Observer,
    held: Held,
    micro_batch: int,
    *,
    last: bool,
) -> torch.Tensor:
    training = prepared.plan.training
    reduce_gradients(prepared.module, prepared.plan, last=last)
    observer.phase("forward", micro_batch)
    with backend.forward_context():
        held.output = prepared.module(**batch)
        held.loss = prepared.loss(held.output)
    if training.outputs == "until_loss":
        held.output = None
    if micro_batch == 0 and training.zero_grad == "before_backward":
        prepared.optimizer.zero_grad(set_to_none=True)
    observer.phase("backward", micro_batch)
    backend.backward(held.loss)
    return held.loss.detach()


def optimizer_step(prepared: Prepared, backend: Backend, observer: Observer) -> None:
    """The optimizer's part of a step."""
    observer.phase("optimizer_step", 0)
    with where_updated(prepared.plan):
        backend.optimizer_step(prepared.optimizer)


def end_step(prepared: Prepared, observer: Observer, held: Held) -> None:
    """What the loop lets go of after a step."""
    observer.phase("between_steps", 0)
    if prepared.plan.training.zero_grad == "after_step":
        prepared.optimizer.zero_grad(set_to_none=True)
    if prepared.plan.training.outputs != "until_next_output":
        held.drop()
