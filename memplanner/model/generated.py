"""Made-up tensors of a wanted shape: weightless on the meta device, valid values elsewhere."""

from __future__ import annotations

from collections.abc import Collection

import torch


class Generator:
    """Makes input tensors on one device; equal seeds give equal tensors on every device."""

    def __init__(self, device: torch.device, seed: int = 0) -> None:
        self._device = device
        self._source = torch.Generator().manual_seed(seed)

    def integers(self, *shape: int, below: int, avoid: Collection[int] = ()) -> torch.Tensor:
        """int64 in [0, below) of ``shape``; values in ``avoid`` do not occur where others exist."""
        if self._device.type == "meta":
            return torch.empty(shape, dtype=torch.int64, device=self._device)
        values = torch.randint(0, max(below, 1), shape, generator=self._source)
        other = next((value for value in range(below) if value not in avoid), 0)
        for value in avoid:
            values[values == value] = other
        return values.to(self._device)

    def floats(self, *shape: int, uniform: bool = False) -> torch.Tensor:
        """float32 of ``shape``: standard normal, or ``uniform`` in [0, 1)."""
        if self._device.type == "meta":
            return torch.empty(shape, device=self._device)
        make = torch.rand if uniform else torch.randn
        return make(shape, generator=self._source).to(self._device)

    def flags(self, *shape: int) -> torch.Tensor:
        """Truth values of ``shape``: every second one of a row is true, the first included."""
        if self._device.type == "meta":
            return torch.empty(shape, dtype=torch.bool, device=self._device)
        row = torch.arange(shape[-1]) % 2 == 0  # as many in every row, as models expect of masks
        return row.expand(shape).clone().to(self._device)
