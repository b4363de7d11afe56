"""Stretches of a training loop, and what the allocator does along them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from memplanner.estimate.allocator.caching import UNIT_BYTES
from memplanner.estimate.allocator.loop import TrainingLoop, taking_memory
from memplanner.estimate.allocator.results import Reservation
from memplanner.tape.tape import Array


@dataclass(frozen=True)
class Stretch:
    """Events of the loop that take memory, in their order."""

    events: Array
    places: Array
    """Of the tape's events: those that they stand for."""

    @classmethod
    def of(cls, events: Array, places: Array, size_bytes: Array) -> Stretch:
        """Those of ``events`` that take memory."""
        return cls(*taking_memory(events, places, size_bytes))

    @cached_property
    def listed(self) -> list[int]:
        """The events for a loop over them."""
        listed: list[int] = self.events.tolist()
        return listed

    @cached_property
    def _numbers(self) -> Array:
        most = int(np.abs(self.events).max(initial=0))
        numbers = np.zeros(2 * most + 1, dtype=np.int64)
        numbers[self.events] = np.arange(len(self.events))  # deaths are counted from the end
        return numbers

    def numbers_of(self, events: Array | list[int]) -> Array:
        """Where each of ``events`` stands in the stretch; none comes twice."""
        numbers: Array = self._numbers[np.asarray(events, dtype=np.int64)]
        return numbers


def stretches_of(loop: TrainingLoop) -> dict[str, Stretch]:
    """The loop's setup, its first step and its steady step."""
    return {
        "setup": Stretch.of(loop.setup, loop.setup_places, loop.size_bytes),
        "first": Stretch.of(loop.first, loop.first_places, loop.size_bytes),
        "steady": Stretch.of(loop.steady, loop.steady_places, loop.size_bytes),
    }


@dataclass(frozen=True, slots=True)
class Course:
    """Reserved and allocated along a stretch, in units."""

    stretch: Stretch
    reserved_before_units: int
    allocated_before_units: int
    changes: list[tuple[int, int]]
    """(number of the event in the stretch, reserved from then on)."""
    allocated: Array
    """After each event, as far as the stretch went."""

    @property
    def reserved_after_units(self) -> int:
        """At the stretch's end."""
        return self.changes[-1][1] if self.changes else self.reserved_before_units

    @property
    def allocated_after_units(self) -> int:
        """At the stretch's end."""
        return int(self.allocated[-1]) if len(self.allocated) else self.allocated_before_units

    def curves(self, count: int) -> tuple[Array, Array]:
        """Reserved and allocated bytes after each of the tape's ``count`` events."""
        places = self.stretch.places[: len(self.allocated)]
        places = np.maximum.accumulate(places)  # moving a model follows no tape's order
        # the last of the stretch's events that stand at or before each of the tape's
        behind = np.searchsorted(places, np.arange(count), side="right")
        reserved = np.full(len(places) + 1, self.reserved_before_units, dtype=np.int64)
        for number, value in self.changes:
            reserved[number + 1 :] = value
        allocated = np.concatenate(([self.allocated_before_units], self.allocated))
        return reserved[behind] * UNIT_BYTES, allocated[behind] * UNIT_BYTES


@dataclass(frozen=True, slots=True)
class Moment:
    """The allocator at one moment, in units."""

    step: int = 0
    event: int = 0
    allocated_units: int = 0
    reserved_units: int = 0
    segments: int = 0
    inactive_split: int = 0

    def in_bytes(self) -> Reservation:
        """The same as a result."""
        return Reservation(
            step=self.step,
            event=self.event,
            allocated_bytes=self.allocated_units * UNIT_BYTES,
            reserved_bytes=self.reserved_units * UNIT_BYTES,
            segments=self.segments,
            inactive_split_bytes=self.inactive_split * UNIT_BYTES,
        )
