"""Which batches and lengths take the same operations, and so are of one structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memplanner.estimate.forms import padding_class
from memplanner.estimate.generation_forms import borders
from memplanner.estimate.structure import named_lengths, sizes_follow_forms
from memplanner.plan import Plan


class PointClasses:
    """The classes of a model with this configuration, as far as they are known by now."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.pads = False
        """Whether lengths of one padding class were seen to take other operations than another."""
        self._thresholds = tuple(
            border
            for value in sorted(set(named_lengths(config)))
            for border in (value, value + 1)  # some code changes at it, some beyond it
        )

    def of(self, plan: Plan, point: tuple[int, int]) -> tuple[int, int]:
        """The same numbers for points (batch and sequence) of one structure."""
        if not sizes_follow_forms(plan, *point):
            return point[0], -point[1]
        return min(point[0], 2), self._lengths(plan, point[1])

    def _lengths(self, plan: Plan, length: int) -> int:
        """The same number for lengths at which the plan's step takes the same operations."""
        classes = [self._length(border) for border in borders(plan, length)]
        return classes[0] if len(classes) == 1 else int("".join(f"{one:04}" for one in classes))

    def _length(self, length: int) -> int:
        """The same number for lengths that take the same operations."""
        if length == 1:
            return 1
        passed = sum(length >= threshold for threshold in self._thresholds)
        return 2 + 4 * passed + (1 + padding_class(length) if self.pads else 0)
