"""Taking a training loop through the allocator, until its steps repeat exactly."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from memplanner.estimate.allocator.caching import UNIT_BYTES, Block, CachingAllocator
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.estimate.allocator.loop import TrainingLoop, taking_memory
from memplanner.estimate.allocator.results import LoopReplay, OutOfMemory, Reservation
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.tape.interruption import give_up_if_asked
from memplanner.tape.tape import Array

MOST_STEPS = 8
_LOOKS_UP = 0x3FF
"""Of 1024 events one looks whether anybody still waits: once a millisecond."""
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
    allocator = caching_allocator(settings, limit_bytes=limit_bytes, device_bytes=device_bytes)
    sizes = round_sizes(loop.size_bytes, settings) // UNIT_BYTES
    run = _Run(allocator, sizes, loop)
    parts = {
        name: _Part.of(events, places, loop.size_bytes)
        for name, events, places in (
            ("setup", loop.setup, loop.setup_places),
            ("first", loop.first, loop.first_places),
            ("steady", loop.steady, loop.steady_places),
        )
    }
    settled = False
    failed = run.take(parts["setup"])
    steps = 0
    seen: list[object] = []
    quiet = 0
    while failed is None and not settled and quiet < QUIET_STEPS and steps < most_steps:
        give_up_if_asked()
        run.step = steps
        highest = run.peak.reserved_bytes
        failed = run.take(parts["steady" if steps else "first"])
        if failed is None:
            run.carry()
            state = run.state()
            settled = state in seen and not allocator.ages
            seen.append(state)
            quiet = quiet + 1 if run.peak.reserved_bytes == highest else 0
            steps += 1
    places = run.last.places
    end = run.reservation(places[-1 if failed is None else failed] if places else 0)
    failure = None
    if failed is not None:
        storage = int(run.last.events[failed]) - 1
        failure = OutOfMemory(
            step=steps,
            event=end.event,
            storage=storage,
            requested_bytes=int(loop.size_bytes[storage]),
            segment_bytes=allocator.refused * UNIT_BYTES,
            allocated_bytes=end.allocated_bytes,
            reserved_bytes=end.reserved_bytes,
            limit_bytes=limit_bytes,
        )
    reserved, allocated = run.curves()
    return LoopReplay(
        reserved_bytes=run.peak.reserved_bytes,
        allocated_bytes=run.highest * UNIT_BYTES,
        peak=run.peak,
        end=end,
        steps=steps,
        settled=settled,
        retries=allocator.retries,
        failure=failure,
        step_reserved_bytes=reserved,
        step_allocated_bytes=allocated,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the loop."""

    events: list[int]
    places: list[int]

    @classmethod
    def of(cls, events: Array, places: Array, size_bytes: Array) -> _Part:
        events, places = taking_memory(events, places, size_bytes)
        return cls(events.tolist(), places.tolist())


def _in_bytes(at: tuple[int, int, int, int, int, int]) -> Reservation:
    step, event, allocated, reserved, segments, inactive_split = at
    return Reservation(
        step=step,
        event=event,
        allocated_bytes=allocated * UNIT_BYTES,
        reserved_bytes=reserved * UNIT_BYTES,
        segments=segments,
        inactive_split_bytes=inactive_split * UNIT_BYTES,
    )


@dataclass(slots=True)
class _Run:
    """The allocator at work; all sizes in its units."""

    allocator: CachingAllocator
    sizes: Array
    loop: TrainingLoop
    step: int = 0
    highest: int = 0
    at_peak: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    """Where reserved memory first was at its highest: the fields of a ``Reservation`` in units."""
    last: _Part = field(default_factory=lambda: _Part([], []))
    blocks: list[Block | None] = field(default_factory=list)
    """Of each storage + 1: where it is."""
    before: tuple[int, int] = (0, 0)
    """Reserved and allocated when the last stretch began."""
    changes: list[tuple[int, int]] = field(default_factory=list)
    """(number of the event in the last stretch, reserved from then on)."""
    allocated: list[int] = field(default_factory=list)
    """After each event of the last stretch."""

    def take(self, part: _Part) -> int | None:
        """Runs a stretch; the number of the event that ran out of memory, if one did."""
        allocator = self.allocator
        allocate, free = allocator.allocate, allocator.free
        sizes = [0, *self.sizes.tolist()]
        streams = [0] * len(sizes)
        if self.loop.stream is not None:
            streams[1:] = self.loop.stream.tolist()
        blocks = self.blocks or [None] * len(sizes)
        changes: list[tuple[int, int]] = []
        allocated: list[int] = []
        note = allocated.append
        self.before = reserved, _ = allocator.reserved, allocator.allocated
        most = self.at_peak[3]
        self.last, self.blocks, self.changes, self.allocated = part, blocks, changes, allocated
        for number, event in enumerate(part.events):
            if not number & _LOOKS_UP:
                give_up_if_asked()
            if event > 0:
                block = allocate(sizes[event], streams[event])
                if allocator.reserved != reserved:
                    reserved = allocator.reserved
                    changes.append((number, reserved))
                    if reserved > most:
                        most = reserved
                        self.at_peak = self._now(part.places[number])
                if block is None:
                    self._note_highest()
                    return number
                blocks[event] = block
            else:
                block = blocks[-event]
                assert block is not None
                free(block)
                blocks[-event] = None
            note(allocator.allocated)
        self._note_highest()
        return None

    def carry(self) -> None:
        """What the step left is from now on what the next one finds."""
        moved = [(begins, self.blocks[ends + 1]) for ends, begins in self.loop.carried]
        for ends, _ in self.loop.carried:
            self.blocks[ends + 1] = None
        for begins, block in moved:
            self.blocks[begins + 1] = block

    def state(self) -> object:
        """All that what follows depends on, ages aside: equal states have equal futures.

        Addresses of segments still to come are above all that exist, so only what exists counts.
        """
        return (
            self.allocator.shape(),
            [-1 if block is None else block.key for block in self.blocks],
        )

    def reservation(self, event: int) -> Reservation:
        """The allocator now."""
        return _in_bytes(self._now(event))

    @property
    def peak(self) -> Reservation:
        """The allocator where reserved memory first was at its highest."""
        return _in_bytes(self.at_peak)

    def _now(self, event: int) -> tuple[int, int, int, int, int, int]:
        # no object: a first step gets a thousand segments, and each is a new peak
        own = self.allocator
        return (
            self.step, event, own.allocated, own.reserved, own.segments, own.inactive_split
        )  # fmt: skip

    def curves(self) -> tuple[Array, Array]:
        """Reserved and allocated bytes after each event of the tape, for the last stretch."""
        count = self.loop.events
        places = np.array(self.last.places[: len(self.allocated)], dtype=np.int64)
        places = np.maximum.accumulate(places)  # moving a model follows no tape's order
        # the last of the stretch's events that stand at or before each of the tape's
        behind = np.searchsorted(places, np.arange(count), side="right")
        reserved = np.full(len(places) + 1, self.before[0], dtype=np.int64)
        for number, value in self.changes:
            reserved[number + 1 :] = value
        allocated = np.array([self.before[1], *self.allocated], dtype=np.int64)
        return reserved[behind] * UNIT_BYTES, allocated[behind] * UNIT_BYTES

    def _note_highest(self) -> None:
        self.highest = max(self.highest, max(self.allocated, default=0))
