"""A size that is not known to the byte: between a lowest and a highest value."""

from __future__ import annotations

from typing import NamedTuple


class Margin(NamedTuple):
    """Bytes: the least it can be, what it most likely is, and the most it can be."""

    low_bytes: int
    expected_bytes: int
    high_bytes: int

    @classmethod
    def exactly(cls, size_bytes: int) -> Margin:
        """A size that is known."""
        return cls(size_bytes, size_bytes, size_bytes)

    def plus(self, other: Margin) -> Margin:
        """The sum; its ends are reached only where both are at theirs."""
        return Margin(
            self.low_bytes + other.low_bytes,
            self.expected_bytes + other.expected_bytes,
            self.high_bytes + other.high_bytes,
        )
