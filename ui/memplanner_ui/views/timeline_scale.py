"""From events and bytes to pixels of the timeline, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QRectF

Value = TypeVar("Value", float, npt.NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Scale:
    """``area`` shows events ``left`` to ``right`` and bytes ``bottom`` to ``top``."""

    area: QRectF
    left: float
    right: float
    bottom: float
    top: float

    def x(self, event: Value) -> Value:
        """Where an event lies."""
        return self.area.left() + (event - self.left) * (self.area.width() / self._span)

    def y(self, size_bytes: Value) -> Value:
        """Where a size lies."""
        height = self.area.height() / max(self.top - self.bottom, 1.0)
        return self.area.bottom() - (size_bytes - self.bottom) * height

    def event(self, x: float) -> float:
        """The event at ``x``, none before the left or after the right end."""
        share = (x - self.area.left()) / max(self.area.width(), 1.0)
        return self.left + min(1.0, max(0.0, share)) * self._span

    @property
    def _span(self) -> float:
        return max(self.right - self.left, 1e-9)
