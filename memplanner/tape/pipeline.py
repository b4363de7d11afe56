"""Recording a pipeline's step: its schedule runs the micro-batches of the rank's stages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from memplanner.model.loaded import Batch
from memplanner.tape.backends import RecordingBackend
from memplanner.tape.steady import Ownership
from memplanner.tape.watch import StorageWatch
from memplanner.techniques import step as step_parts
from memplanner.techniques.prepare import Prepared

if TYPE_CHECKING:
    from memplanner.techniques.parallel.pipeline_micro_batches import Order
    from memplanner.techniques.parallel.pipeline_step import PipelineStep


def pipeline_of(
    prepared: Prepared, backend: RecordingBackend, device: torch.device
) -> PipelineStep | None:
    """The steps of the rank's stages, or None where the plan has no pipeline.

    As many micro-batches are run as show the peak of all (``pipeline_micro_batches.enough``).
    """
    if prepared.plan.sharding.pipeline == 1:
        return None
    from memplanner.techniques.parallel.pipeline_micro_batches import enough
    from memplanner.techniques.parallel.pipeline_step import step_of

    plan = prepared.plan
    count = enough(plan.sharding, plan.training.gradient_accumulation_steps)
    return step_of(prepared, backend, device=device, micro_batches=count)


def record_pipeline(
    prepared: Prepared,
    pipeline: PipelineStep,
    batch: Batch,
    backend: RecordingBackend,
    watch: StorageWatch,
    owned: Ownership,
    held: step_parts.Held,
    shortened: Order | None,
    *,
    carried: bool,
) -> list[int]:
    """Runs what is needed for one steady step; the numbers of its phases.

    The first optimizer step makes the state, a second one right after it is steady. Where a step is
    not like the first (``carried``), a whole second one is run. Of a first one that is
    ``shortened``, two micro-batches are enough then: gradients are made, and added to.
    """
    steps: list[tuple[int, int] | None] = [None]
    if shortened is not None:
        steps = [(shortened.in_flight, shortened.count)]
    if carried:
        steps.insert(0, None if shortened is None else (1, min(shortened.count, 2)))
    clear = partial(prepared.optimizer.zero_grad, set_to_none=True)
    when = prepared.plan.training.zero_grad
    owned.note_states(prepared.optimizer)
    first = 0
    for number, size in enumerate(steps):
        first = len(watch.phases)
        pipeline.run(
            batch, watch, clear if when == "before_backward" else None,
            shortened=size,
        )  # fmt: skip
        owned.note_gradients(prepared.module)
        run = len(watch.phases)
        step_parts.optimizer_step(prepared, backend, watch)
        owned.note_states(prepared.optimizer)
        if number == 0:
            for each in prepared.recurring:  # the steady step is one that takes most
                each.demand()
        if carried:
            step_parts.end_step(prepared, watch, held)
            if when == "before_forward":
                clear()
    if carried:
        return list(range(first, len(watch.phases)))
    keep, steady = list(range(first, run)), len(watch.phases)
    step_parts.optimizer_step(prepared, backend, watch)
    owned.note_states(prepared.optimizer)
    step_parts.end_step(prepared, watch, held)
    if when == "before_forward":
        clear()
    return [*keep, *range(steady, len(watch.phases))]
