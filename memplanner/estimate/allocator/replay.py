"""Taking a training loop through the allocator, until its steps repeat exactly."""

from __future__ import annotations

from memplanner.estimate.allocator.any_run import AnyRun
from memplanner.estimate.allocator.caching import UNIT_BYTES
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.estimate.allocator.loop import TrainingLoop
from memplanner.estimate.allocator.plain_run import PlainRun
from memplanner.estimate.allocator.results import LoopReplay, OutOfMemory
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.estimate.allocator.stretches import stretches_of
from memplanner.tape.interruption import give_up_if_asked

Run = AnyRun | PlainRun
MOST_STEPS = 8
QUIET_STEPS = 3
"""Steps without growth after which a loop whose blocks still change places is taken as it is."""


def replay(
    loop: TrainingLoop,
    settings: AllocatorSettings | None = None,
    *,
    limit_bytes: int | None = None,
    device_bytes: int | None = None,
    most_steps: int = MOST_STEPS,
) -> LoopReplay:
    """The allocator's figures for ``loop``, from process start until its steps repeat.

    Where they do not within ``most_steps``, or reserved memory no longer grows while blocks change
    places (gradients carried from step to step may do so for long), ``settled`` is false.
    ``limit_bytes`` is what the allocator can get of the card (its memory less the context, library
    workspaces outside of the allocator and other programs); None: anything. ``device_bytes`` is the
    card's whole memory, of which ``per_process_memory_fraction`` is taken. Raises ``PlanError`` for
    a backend that is not torch's own.
    """
    settings = settings or AllocatorSettings()
    sizes = round_sizes(loop.size_bytes, settings) // UNIT_BYTES
    allocator = caching_allocator(settings, limit_bytes=limit_bytes, device_bytes=device_bytes)
    run: Run
    if allocator.plain:
        run = PlainRun(sizes, loop, settings, allocator.most)
    else:
        run = AnyRun(allocator, sizes, loop)
    return taken_through(run, loop, limit_bytes, most_steps)


def taken_through(
    run: Run, loop: TrainingLoop, limit_bytes: int | None, most_steps: int = MOST_STEPS
) -> LoopReplay:
    """What ``run`` makes of ``loop``; ``limit_bytes`` is told with a failure."""
    stretches = stretches_of(loop)
    failed = run.take(stretches["setup"])
    settled = False
    steps = quiet = 0
    while failed is None and not settled and quiet < QUIET_STEPS and steps < most_steps:
        give_up_if_asked()
        run.step = steps
        highest = run.peak.reserved_units
        failed = run.take(stretches["steady" if steps else "first"])
        if failed is None:
            run.carry()
            settled = run.settles()
            quiet = quiet + 1 if run.peak.reserved_units == highest else 0
            steps += 1
            if not settled and quiet < QUIET_STEPS and steps < most_steps and run.foresees():
                settled = True
                steps += 1
    places = run.course.stretch.places
    end = run.now(int(places[-1 if failed is None else failed]) if len(places) else 0).in_bytes()
    failure = None
    if failed is not None:
        storage = int(run.course.stretch.events[failed]) - 1
        failure = OutOfMemory(
            step=steps,
            event=end.event,
            storage=storage,
            requested_bytes=int(loop.size_bytes[storage]),
            segment_bytes=run.allocator.refused * UNIT_BYTES,
            allocated_bytes=end.allocated_bytes,
            reserved_bytes=end.reserved_bytes,
            limit_bytes=limit_bytes,
        )
    reserved, allocated = run.course.curves(loop.events)
    return LoopReplay(
        reserved_bytes=run.peak.reserved_units * UNIT_BYTES,
        allocated_bytes=run.highest * UNIT_BYTES,
        peak=run.peak.in_bytes(),
        end=end,
        steps=steps,
        settled=settled,
        retries=run.allocator.retries,
        failure=failure,
        step_reserved_bytes=reserved,
        step_allocated_bytes=allocated,
    )
