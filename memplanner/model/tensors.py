"""What a weight file says about a tensor, and the types such files use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file, not its values."""

    name: str
    dtype: str
    """As the file's format names it: ``BF16``, ``Q4_K``."""
    shape: tuple[int, ...]
    size_bytes: int
    path: Path
    buffer: bool = False
    """Whether it is known to be no parameter."""

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


MOST_ELEMENTS = 2**48
"""Of one tensor: torch counts bytes in 63 bits."""
MOST_DIMENSIONS = 16
MOST_TENSORS = 2**20


def whole(value: object) -> bool:
    """Whether ``value`` is a non-negative integer (and no boolean)."""
    return type(value) is int and value >= 0


def is_shape(sides: Sequence[Any]) -> bool:
    """Whether torch can have a tensor with these sides; those of an empty one count too."""
    return (
        len(sides) <= MOST_DIMENSIONS
        and all(whole(side) for side in sides)
        and prod(max(side, 1) for side in sides) <= MOST_ELEMENTS
    )
