"""A training loop on any allocator, block by block."""

from __future__ import annotations

import numpy as np

from memplanner.estimate.allocator.caching import Block, CachingAllocator
from memplanner.estimate.allocator.loop import TrainingLoop
from memplanner.estimate.allocator.stretches import Course, Moment, Stretch
from memplanner.tape.interruption import give_up_if_asked
from memplanner.tape.tape import Array

_LOOKS_UP = 0x3FF
"""Of 1024 events one looks whether anybody still waits: once a millisecond."""


class AnyRun:
    """The allocator at work; all sizes in its units."""

    def __init__(self, allocator: CachingAllocator, sizes: Array, loop: TrainingLoop) -> None:
        self.allocator = allocator
        self.step = 0
        self.highest = 0
        """The most that was allocated."""
        self.peak = Moment()
        """Where reserved memory first was at its highest."""
        self.course: Course
        """Of the last stretch."""
        self._loop = loop
        self._sizes = [0, *sizes.tolist()]
        self._streams = [0] * len(self._sizes)
        if loop.stream is not None:
            self._streams[1:] = loop.stream.tolist()
        self._blocks: list[Block | None] = [None] * len(self._sizes)
        """Of each storage + 1: where it is."""
        self._seen: list[object] = []

    def take(self, stretch: Stretch) -> int | None:
        """Runs a stretch; the number of the event that ran out of memory, if one did."""
        allocator, blocks = self.allocator, self._blocks
        allocate, free = allocator.allocate, allocator.free
        sizes, streams = self._sizes, self._streams
        changes: list[tuple[int, int]] = []
        allocated: list[int] = []
        note = allocated.append
        before = allocator.reserved, allocator.allocated
        reserved = before[0]
        most = self.peak.reserved_units
        failed = None
        places = stretch.places
        for number, event in enumerate(stretch.listed):
            if not number & _LOOKS_UP:
                give_up_if_asked()
            if event > 0:
                block = allocate(sizes[event], streams[event])
                if allocator.reserved != reserved:
                    reserved = allocator.reserved
                    changes.append((number, reserved))
                    if reserved > most:
                        most = reserved
                        self.peak = self.now(int(places[number]))
                if block is None:
                    failed = number
                    break
                blocks[event] = block
            else:
                block = blocks[-event]
                assert block is not None
                free(block)
                blocks[-event] = None
            note(allocator.allocated)
        after = np.array(allocated, dtype=np.int64)
        self.course = Course(stretch, *before, changes, after)
        self.highest = max(self.highest, int(after.max(initial=0)))
        return failed

    def carry(self) -> None:
        """What the step left is from now on what the next one finds."""
        blocks, carried = self._blocks, self._loop.carried
        moved = [(begins, blocks[ends + 1]) for ends, begins in carried]
        for ends, _ in carried:
            blocks[ends + 1] = None
        for begins, block in moved:
            blocks[begins + 1] = block

    def settles(self) -> bool:
        """Whether the allocator is exactly as after an earlier step: it then goes on as it did.

        Addresses of segments still to come are above all that exist, so only what exists counts.
        Ages of blocks are not compared, so that an allocator that goes by them never settles.
        """
        state = (
            self.allocator.shape(),
            [-1 if block is None else block.key for block in self._blocks],
        )
        settled = state in self._seen and not self.allocator.ages
        self._seen.append(state)
        return settled

    def foresees(self) -> bool:
        """Whether the next step is known without being taken: here never."""
        return False

    def now(self, event: int) -> Moment:
        """The allocator as it is."""
        own = self.allocator
        return Moment(
            self.step, event, own.allocated, own.reserved, own.segments, own.inactive_split
        )
