"""Recording a training step of a weightless model."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from memplanner.errors import EstimateError, MemplannerError
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.backends import CpuBackend, MetaBackend, Recomputation, RecordingBackend
from memplanner.tape.results import Correction, as_on_every_device, on_cpu
from memplanner.tape.scratch import LARGEST_MODEL_BYTES, Call, describe, measure
from memplanner.tape.shortcuts import shortcut, updates_weightless
from memplanner.tape.steady import Ownership, steady_tape
from memplanner.tape.tape import WORKSPACES, Tape
from memplanner.tape.values import Values
from memplanner.tape.watch import StorageWatch
from memplanner.techniques import step as step_parts
from memplanner.techniques.optimizer import weightless_fused
from memplanner.techniques.prepare import Prepared, cast_batch, prepare
from memplanner.techniques.target import Target

META = torch.device("meta")
_ITEM = torch.ops.aten._local_scalar_dense.default


class MetaWatch(StorageWatch):
    """A watch that answers ``.item()`` and gives results the types of the target."""

    def __init__(self, module: nn.Module, target: Target) -> None:
        super().__init__(module)
        self.values = Values()
        self._on_cpu = target.kind == "cpu"
        parameters = sum(part.nbytes for part in module.parameters())
        self._wants_scratch = self._on_cpu and parameters <= LARGEST_MODEL_BYTES
        self._correct: Correction = on_cpu if self._on_cpu else as_on_every_device
        self.scratch: dict[int, Call] = {}
        """Storages that stand for the scratch of a kernel, with the call that takes it."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is _ITEM and args[0].device.type == "meta":
            return self.values.answer(args[0])
        if self.current_phase == "optimizer_step" and updates_weightless(func, args):
            return args[0] if isinstance(args[0], torch.Tensor) else None
        result = shortcut(func, args, given)
        if result is None:
            result = self._correct(func, args, func(*args, **given))
        self.values.note(func, args, given, result)
        self.note(func, args, result)
        if self._wants_scratch:
            call = describe(func, args, given)
            if call is not None:
                self.scratch[self.see_scratch(str(func))] = call
        return result

    def measure_scratch(self, owned: Ownership) -> None:
        """Gives every kernel's scratch its size; call it when the step was run."""
        if self.scratch:
            sizes = measure(list(self.scratch.values()))
            for index, size in zip(self.scratch, sizes, strict=True):
                self.size_bytes[index] = size
                owned.category[index] = WORKSPACES


def record(
    model: Model,
    plan: Plan,
    target: Target,
    module: nn.Module,
    device: torch.device = META,
    *,
    forward_only: bool = False,
) -> Tape:
    """The tape of one steady step of ``module``, which is built on ``device`` and changed in place.

    On the meta device nothing is computed; on the CPU the step is run for real, for models that
    cannot run without values. With ``forward_only`` nothing follows the forward. Raises
    ``PlanError`` where the plan cannot be carried out, ``EstimateError`` where the step cannot
    be run.
    """
    backend: RecordingBackend
    backend = MetaBackend(target, plan) if device == META else CpuBackend(plan)
    backend.forward_only = forward_only
    recomputation = Recomputation(backend)
    with weightless_fused():
        prepared = prepare(model, plan, target, device, module=module, recompute=recomputation)
    watch = MetaWatch(prepared.module, target)
    recomputation.watch = watch
    training = plan.training
    batch = cast_batch(model.batch(training.batch_size, training.sequence_length, device), plan)
    owned = Ownership(watch)
    held = step_parts.Held()
    with watch:
        watch.phase("load", 0)
        owned.note_module(prepared.module)
        owned.note_inputs(_tensors(batch))
        try:
            with _without_collection():
                keep = _run(prepared, batch, backend, watch, owned, held)
        except MemplannerError:
            raise
        except (Exception, SystemExit) as error:  # the model's own code raises what it likes
            raise EstimateError(
                f"{model.name} cannot run a step of this shape: "
                f"{type(error).__name__}: {_first_line(error)}; change batch or sequence, or give "
                "a recipe whose batch() fits the model."
            ) from error
    if not forward_only:
        watch.measure_scratch(owned)
    notes = list(prepared.notes)
    if watch.values.guessed:
        notes.append("The model branches on its data; the usual branch was taken.")
    on_cpu = target.kind == "cpu" or device != META
    return steady_tape(watch, owned, keep, on_cpu=on_cpu, notes=tuple(notes))


@contextmanager
def _without_collection() -> Iterator[None]:
    """Storages die by reference counts alone: a garbage collection comes at no certain moment."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _run(
    prepared: Prepared,
    batch: dict[str, Any],
    backend: RecordingBackend,
    watch: StorageWatch,
    owned: Ownership,
    held: step_parts.Held,
) -> list[int]:
    """Runs what is needed for one steady step; the numbers of its phases in ``watch.phases``.

    The first optimizer step makes the state, a second one right after it is steady. Where the
    loop carries gradients or outputs into the next forward, or the model's own code may keep
    something from its first, a whole second step is run.
    """
    training = prepared.plan.training
    micro_batches = min(training.gradient_accumulation_steps, 2)
    carried = (
        backend.remembers
        or training.zero_grad == "before_backward"
        or training.outputs == "until_next_output"
    )
    owned.note_states(prepared.optimizer)  # Adagrad has its state before the first step
    for number in range(2 if carried else 1):
        first = len(watch.phases)
        for micro_batch in range(micro_batches):
            if prepared.model.parameters_only:
                _gradients_only(prepared, watch, micro_batch)
            else:
                step_parts.forward_backward(prepared, batch, backend, watch, held, micro_batch)
            owned.note_gradients(prepared.module)
        if number == 0:
            step_parts.optimizer_step(prepared, backend, watch)
            owned.note_states(prepared.optimizer)
            if carried:
                step_parts.end_step(prepared, watch, held)
                if training.zero_grad == "before_forward":
                    prepared.optimizer.zero_grad(set_to_none=True)
    keep = list(range(first, first + 2 * micro_batches))
    steady = len(watch.phases)
    step_parts.optimizer_step(prepared, backend, watch)
    owned.note_states(prepared.optimizer)
    step_parts.end_step(prepared, watch, held)
    if training.zero_grad == "before_forward":
        prepared.optimizer.zero_grad(set_to_none=True)
    return [*keep, steady, steady + 1]


def _gradients_only(prepared: Prepared, watch: StorageWatch, micro_batch: int) -> None:
    """What a backward leaves, for a source that names parameters but no forward."""
    watch.phase("forward", micro_batch)
    watch.phase("backward", micro_batch)
    for parameter in prepared.module.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.empty_like(parameter)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else "no message"
