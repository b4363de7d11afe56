"""A training loop on the plain allocator, and the step that need not be taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from memplanner.estimate.allocator.loop import TrainingLoop
from memplanner.estimate.allocator.plain import PlainAllocator
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.estimate.allocator.stretches import Course, Moment, Stretch
from memplanner.tape.tape import Array

_FEW_GROWTHS = 16
"""With more new segments in a step, the next one is taken rather than foreseen."""

State = tuple[list[list[int]], list[tuple[int, int]]]
"""The keys of each pool's free blocks, in order; of what is alive, address and size."""


class PlainRun:
    """The allocator at work; all sizes in units. Its results are those of ``any_run.AnyRun``."""

    def __init__(
        self, sizes: Array, loop: TrainingLoop, settings: AllocatorSettings, most: int
    ) -> None:
        streams = None if loop.stream is None else loop.stream.tolist()
        self.allocator = PlainAllocator(sizes.tolist(), streams, settings, most)
        self.step = 0
        self.highest = 0
        """The most that was allocated."""
        self.peak = Moment()
        """Where reserved memory first was at its highest."""
        self.course = Course(
            Stretch(np.zeros(0, np.int64), np.zeros(0, np.int64)), 0, 0, [], np.zeros(0, np.int64)
        )
        """Of the last stretch."""
        self._sizes = np.concatenate(([0], sizes))
        self._alive = np.zeros(len(self._sizes), dtype=np.bool_)
        self._carried = np.array(loop.carried, dtype=np.int64).reshape(-1, 2) + 1
        self._retries_before = 0
        self._seen: list[State] = []

    def take(self, stretch: Stretch) -> int | None:
        """Runs a stretch; the number of the event that ran out of memory, if one did."""
        allocator = self.allocator
        before = self.course.reserved_after_units, self.course.allocated_after_units
        self._retries_before = allocator.retries
        event = allocator.follow(stretch.listed)
        failed = None if event is None else int(stretch.numbers_of([event])[0])
        done = stretch.events[:failed]
        takes = np.sign(done) * self._sizes[np.abs(done)]
        if allocator.unlike:
            unlike = np.array(allocator.unlike)
            takes[stretch.numbers_of(unlike[:, 0])] += unlike[:, 1]
        allocated = before[1] + takes.cumsum()
        grown = allocator.grown
        numbers = stretch.numbers_of([growth.event for growth in grown])
        reserved = [growth.reserved_units for growth in grown]
        if reserved and max(reserved) > self.peak.reserved_units:
            highest = reserved.index(max(reserved))
            number, growth = numbers[highest], grown[highest]
            now = int(allocated[number])
            self.peak = Moment(
                step=self.step,
                event=int(stretch.places[number]),
                allocated_units=now,
                reserved_units=growth.reserved_units,
                segments=growth.segments,
                inactive_split=growth.reserved_units - now - growth.unsplit,
            )
        changes = list(zip(numbers.tolist(), reserved, strict=True))
        self.course = Course(stretch, *before, changes, allocated)
        self.highest = max(self.highest, int(allocated.max(initial=0)))
        self._alive[np.abs(done)] = done > 0  # of two events of a storage the later one counts
        return failed

    def carry(self) -> None:
        """What the step left is from now on what the next one finds."""
        blocks = self.allocator.blocks
        ends, begins = self._carried[:, 0], self._carried[:, 1]
        moved = [blocks[place] for place in ends.tolist()]
        for place, block in zip(begins.tolist(), moved, strict=True):
            blocks[place] = block
        were_alive = self._alive[ends]
        self._alive[ends] = False
        self._alive[begins] = were_alive

    def settles(self) -> bool:
        """Whether the allocator is exactly as after an earlier step: it then goes on as it did."""
        blocks = self.allocator.blocks
        alive = [blocks[place] for place in np.flatnonzero(self._alive).tolist()]
        state = self.allocator.free(), [(block.address, block.size) for block in alive]
        settled = state in self._seen
        self._seen.append(state)
        return settled

    def now(self, event: int) -> Moment:
        """The allocator as it is."""
        own, allocated = self.allocator, self.course.allocated_after_units
        return Moment(
            step=self.step,
            event=event,
            allocated_units=allocated,
            reserved_units=own.reserved,
            segments=own.segments,
            inactive_split=own.reserved - allocated - own.unsplit,
        )

    def foresees(self) -> bool:
        """Goes on to the end of the next step where it is known to do as this one did.

        Both begin with the same blocks in use, and no segment was given back. All that the next one
        finds beside are the segments that this one got, each free as a whole. It takes the same
        blocks as this one, as long as none of these segments is a closer fit than what this one
        took; and where this one got the segment from the driver, the next one finds it free. So
        they end alike.
        """
        allocator = self.allocator
        if len(self._seen) < 2 or allocator.retries != self._retries_before:
            return False
        (_, used_before), (_, used_after) = self._seen[-2:]
        grown = allocator.grown
        if len(grown) > _FEW_GROWTHS or used_before != used_after:
            return False
        if any(self._fits_closer(number) for number in range(len(grown))):
            return False
        now = self.course
        self.course = replace(now, reserved_before_units=now.reserved_after_units, changes=[])
        self.step += 1
        return True

    def _fits_closer(self, number: int) -> bool:
        """Whether a new segment would have been taken before it was asked for, were it there.

        Among blocks of one size the lowest address is taken, and the segment's is the highest.
        """
        allocator = self.allocator
        requests, new = allocator.requests, allocator.grown[number]
        *_, pool, size = requests[new.event]
        took = allocator.larger[: new.larger]
        for growth in allocator.grown[:number]:
            asked, *_, got = requests[growth.event]
            took.append((growth.event, asked, got))
        return any(asked <= size < got and requests[event][4] is pool for event, asked, got in took)
