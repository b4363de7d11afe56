"""One training step of a pipeline: torch's schedule runs the micro-batches, not a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.distributed as dist

from memplanner.messages.estimate import Phase
from memplanner.model.loaded import Batch
from memplanner.plan import Plan
from memplanner.techniques.parallel.mesh import PIPELINE, make_mesh
from memplanner.techniques.parallel.pipeline import (
    AloneStage,
    Stage,
    exchange,
    make_schedule,
    sent_to_the_end,
    shorten,
)
from memplanner.techniques.parallel.split_loss import splitting_loss
from memplanner.techniques.parallel.stages import Stages
from memplanner.techniques.parallel.wrapped import unwrapped
from memplanner.techniques.precision import autocast_type, stored_type

if TYPE_CHECKING:
    from memplanner.techniques.prepare import Prepared


class _Backend(Protocol):
    def forward_context(self) -> AbstractContextManager[object]: ...


class _Observer(Protocol):
    def phase(self, phase: Phase, micro_batch: int) -> None: ...


class PipelineStep:
    """The forwards and backwards of steps of one rank, whose stages stay the same.

    ``micro_batches`` are run, which may be fewer than the plan has where nothing is computed:
    buffers, losses and messages under way are there for all. ``shortened`` asks for fewer still.
    """

    def __init__(
        self,
        stages: Stages,
        plan: Plan,
        loss_of: Callable[[Any], torch.Tensor],
        backend: _Backend,
        *,
        device: torch.device,
        micro_batches: int,
    ) -> None:
        self._stages, self._plan, self._loss_of, self._backend = stages, plan, loss_of, backend
        self._device, self._micro_batches = device, micro_batches
        self._left_out = plan.training.gradient_accumulation_steps - micro_batches
        self._losses_left_out: list[torch.Tensor] = []
        self._observer: _Observer | None = None
        self._before_backward: Callable[[], None] | None = None
        self._schedule: Any = None
        self._shapes: tuple[tuple[tuple[int, ...], torch.dtype], tuple[int, ...]] | None = None
        """Of the first stage's input, with its type, and of what is handed on."""
        self._tied = _TiedEnds(stages, plan, device)

    # What the stages ask for

    def forward_context(self) -> AbstractContextManager[object]:
        """What a forward runs in."""
        return self._backend.forward_context()

    def phase(self, phase: Phase, micro_batch: int) -> None:
        """Tells the observer, and clears gradients before the first backward if that was asked."""
        if phase == "backward" and self._before_backward is not None:
            self._before_backward()
            self._before_backward = None
        assert self._observer is not None
        self._observer.phase(phase, micro_batch)

    def working_for(self, module: torch.nn.Module) -> AbstractContextManager[None]:
        """Tells the observer, where it asks, for which module gradients are brought together."""
        told: Any = getattr(self._observer, "working_for", None)
        return nullcontext() if told is None else told(module)

    def loss(self, output: Any) -> torch.Tensor:
        """The loss of one micro-batch."""
        loss = self._loss_of(output)
        if not self._losses_left_out:
            self._losses_left_out = [torch.empty_like(loss) for _ in range(self._left_out)]
        return loss

    def own_inputs(self, batch: Batch) -> Batch:
        """What the rank's stages need of all micro-batches, which the rank then holds alone."""
        parts, anatomy = self._stages.parts, self._stages.anatomy
        first = _first_rows(batch, 1, self._plan.training.gradient_accumulation_steps)
        taken = first[anatomy.main_input]
        samples, *rest = anatomy.hidden_shape(first)
        if self._plan.sharding.context > 1:  # of each sequence a card hands on its part
            rest[0] //= self._plan.sharding.context
        self._shapes = (tuple(taken.shape), taken.dtype), (samples, *rest)
        return anatomy.inputs_of(
            batch,
            first=any(part.is_first for part in parts),
            last=any(part.is_last for part in parts),
        )

    def run(
        self,
        batch: Batch,
        observer: _Observer,
        before_backward: Callable[[], None] | None = None,
        *,
        shortened: tuple[int, int] | None = None,
    ) -> list[torch.Tensor]:
        """Every micro-batch's forward and backward; ``batch`` is what ``own_inputs`` left of them.

        Returns the detached losses, undivided, on the rank that has the last stage; elsewhere
        none. ``before_backward`` is called once, right before the first backward. A step
        is ``shortened`` to so many micro-batches in flight, and so many in all: losses of those
        left out are the last one's.
        """
        anatomy, parts = self._stages.anatomy, self._stages.parts
        count = self._plan.training.gradient_accumulation_steps
        ends = any(part.is_last for part in parts)
        if self._schedule is None:
            self._schedule = self._made()
        self._observer, self._before_backward = observer, before_backward
        if shortened is not None:
            shorten(self._schedule, *shortened)
        run = self._micro_batches if shortened is None else shortened[1]
        used = _first_rows(batch, run, count)
        given = anatomy.inputs_of(used, first=False, last=ends)
        main = (used[anatomy.main_input],) if parts[0].is_first else ()
        target = next((part for part in given.values() if isinstance(part, torch.Tensor)), None)
        losses: list[torch.Tensor] = []
        messages = self._left_out * sent_to_the_end(self._plan.sharding, parts)
        weightless = self._device.type == "meta"
        with exchange(weightless=weightless, left_out=messages), splitting_loss(self._plan):
            self._schedule.step(
                *main,
                target=target if ends else None,
                losses=losses,
                return_outputs=False,
                **given,
            )
        losses += losses[-1:] * (self._micro_batches - run)
        self._losses_left_out.clear()
        self._tied.sum_gradients()
        self._observer = None
        return [loss.detach() * count if count > 1 else loss.detach() for loss in losses]

    def _made(self) -> Any:
        assert self._shapes is not None
        (taken, kind_of_taken), handed = self._shapes
        main_input = torch.empty(taken, dtype=kind_of_taken, device="meta")
        hidden = torch.empty(
            handed, dtype=hidden_type(self._plan), device="meta", requires_grad=True
        )
        section = self._plan.sharding
        weightless = self._device.type == "meta"
        kind = AloneStage if weightless else Stage
        mesh = make_mesh(section, "cpu" if weightless else self._device.type)
        stages = [
            kind(
                module,
                part,
                self._stages,
                self,
                main_input=main_input,
                hidden=hidden,
                buffers=self._plan.training.gradient_accumulation_steps,
                device=self._device,
                group=mesh[PIPELINE].get_group(),
            )
            for part, module in zip(self._stages.parts, self._stages.stages, strict=True)
        ]
        count = self._plan.training.gradient_accumulation_steps
        return make_schedule(section, stages, self._micro_batches, divided_by=count)


def step_of(
    prepared: Prepared,
    backend: _Backend,
    *,
    device: torch.device | None = None,
    micro_batches: int | None = None,
) -> PipelineStep:
    """The steps of a prepared plan's stages, the same ones each time it is asked."""
    stages = prepared.module
    assert isinstance(stages, Stages)
    known = vars(stages).get(_STEP)
    if isinstance(known, PipelineStep):
        return known
    made = PipelineStep(
        stages,
        prepared.plan,
        prepared.loss,
        backend,
        device=next(stages.parameters()).device if device is None else device,
        micro_batches=micro_batches or prepared.plan.training.gradient_accumulation_steps,
    )
    vars(stages)[_STEP] = made
    return made


_STEP = "pipeline_step"
"""The attribute of stages that holds their steps."""


def hidden_type(plan: Plan) -> torch.dtype:
    """The type in which hidden states go from block to block.

    Autocast leaves the sums of residuals in the type of the parameters; where sharding casts
    gathered parameters, all is in the type that it casts to.
    """
    if plan.sharding.casts_parameters and autocast_type(plan) is None:
        from memplanner.techniques.parallel.fully_sharded import mixed_precision_policy

        cast = mixed_precision_policy(plan).param_dtype
        if cast is not None:
            return cast
    return stored_type(plan)


class _TiedEnds:
    """An embedding and a head that share their weight: each end has a copy, gradients are summed.

    As Megatron-LM does (``megatron/core/distributed/finalize_model_grads.py``), in place.
    """

    def __init__(self, stages: Stages, plan: Plan, device: torch.device) -> None:
        self._parameter: torch.nn.Parameter | None = None
        self._group: dist.ProcessGroup | None = None
        tied = stages.anatomy.tied
        if tied is None:
            return
        section = plan.sharding
        in_stage = section.ranks // section.pipeline
        for place in range(in_stage):  # every rank has to take part in making every group
            pair = [place, place + (section.pipeline - 1) * in_stage]
            group = dist.new_group(pair)
            if dist.get_rank() in pair:
                self._group = group
        for name, part, stage in zip(
            (tied[0], tied[1]), (stages.parts[0], stages.parts[-1]),
            (stages.stages[0], stages.stages[-1]), strict=True,
        ):  # fmt: skip
            if (part.is_first and name == tied[0]) or (part.is_last and name == tied[1]):
                path, _, last = name.rpartition(".")
                found = getattr(unwrapped(stage).get_submodule(path), last)
                assert isinstance(found, torch.nn.Parameter)
                self._parameter = found

    def sum_gradients(self) -> None:
        """Adds the other end's gradient."""
        if self._parameter is None or self._parameter.grad is None:
            return
        gradient = self._parameter.grad
        local = getattr(gradient, "_local_tensor", gradient)
        dist.all_reduce(local, group=self._group)


def _first_rows(batch: Batch, wanted: int, count: int) -> Batch:
    """Views of the first ``wanted`` of ``count`` micro-batches."""
    return {
        name: value[: value.shape[0] // count * wanted]
        if isinstance(value, torch.Tensor) and value.dim()
        else value
        for name, value in batch.items()
    }


def whole_batch(micro_batches: Iterable[Batch]) -> Batch:
    """Several micro-batches as one, their samples one after another."""
    parts = [dict(batch) for batch in micro_batches]
    return {
        name: torch.cat([part[name] for part in parts])
        if isinstance(value, torch.Tensor) and value.dim()
        else value
        for name, value in parts[0].items()
    }
