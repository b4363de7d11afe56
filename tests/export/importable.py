"""A module to open as ``tests.export.importable:Net``."""

from __future__ import annotations

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(8, 16)
        self.blocks = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.head = nn.Linear(16, 8)

    def forward(self, ids: torch.Tensor, scale: torch.Tensor, flag: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.table(ids) * scale
        for block in self.blocks:
            hidden = hidden + torch.relu(block(hidden))
        return torch.where(flag[:, None, None], self.head(hidden), 0)
