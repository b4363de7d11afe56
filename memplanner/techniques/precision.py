"""Precision: the type that parameters are kept in, and autocast's for mixed plans."""

from __future__ import annotations

import torch
from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.base import Situation, Technique

STORED = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "bf16_autocast": torch.bfloat16,
}
AUTOCAST = {
    "bf16_mixed": torch.bfloat16,
    "bf16_autocast": torch.bfloat16,
    "fp16_mixed": torch.float16,
}


def stored_type(plan: Plan) -> torch.dtype:
    """The type of parameters, gradients and optimizer state."""
    return STORED.get(plan.precision, torch.float32)


def autocast_type(plan: Plan) -> torch.dtype | None:
    """The type that autocast computes products in, or None without autocast.

    Where sharding gathers parameters it casts them as it does, and autocast has nothing to do.
    """
    return None if plan.sharding.casts_parameters else AUTOCAST.get(plan.precision)


def mixed_precision(plan: Plan) -> str:
    """What accelerate calls autocast's type: ``bf16``, ``fp16`` or ``no``."""
    words = {None: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}
    return words[autocast_type(plan)]


class Precision(Technique):
    """Casts the module; activations follow from its parameters, or from autocast."""

    name = "precision"
    order = 20

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with its floating parameters and buffers in the stored type."""
        return module.to(stored_type(situation.plan))
