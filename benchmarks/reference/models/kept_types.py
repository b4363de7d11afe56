"""A module whose types are those of the run."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import nn


class KeepsTypes(nn.Module):
    """Mixes types on purpose: a plan's precision leaves them as they are."""

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Moves, but casts nothing."""
        if args and isinstance(args[0], torch.dtype):
            return self
        return super().to(*args, **kwargs)
