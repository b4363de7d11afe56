"""Precision: the type that parameters are kept in, and autocast's for mixed plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from memplanner.messages.cost import QualityReason
from memplanner.plan import Plan
from memplanner.techniques.base import (
    Alternative,
    Setting,
    Situation,
    Technique,
    Told,
    reasons,
)
from memplanner.techniques.target import Target

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


_MIXED: Told = (
    "small_change",
    "Products are rounded to half precision and parameters are not: as a rule training ends alike "
    "(Micikevicius et al. 2018, arXiv:1710.03740; Kalamkar et al. 2019, arXiv:1905.12322).",
)
_QUALITY: Mapping[str, Told] = {
    "bf16_mixed": _MIXED,
    "fp16_mixed": _MIXED,
    "bf16_autocast": (
        "small_change",
        "Frozen weights are kept in bf16 and products are rounded to it; adapters stay whole.",
    ),
    "bf16": (
        "small_change",
        "Parameters are kept in bf16: updates below a 256th of a weight are rounded away "
        "(Zamirai et al. 2020, arXiv:2010.06192).",
    ),
    "fp16": (
        "check_quality",
        "Everything is in fp16, whose small gradients become zero without a scaled loss "
        "(Micikevicius et al. 2018, arXiv:1710.03740).",
    ),
}


class Precision(Technique):
    """Casts the module; activations follow from its parameters, or from autocast."""

    name = "precision"
    order = 20

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """What takes fewer bits than the plan's choice; a better one is not what is missing."""
        fewer = {"fp32": ("bf16_mixed", "bf16"), "bf16_mixed": ("bf16",), "fp16_mixed": ("bf16",)}
        words = {"bf16_mixed": "bf16 mixed", "bf16": "bf16"}
        return tuple(
            (Setting("precision", kind, words[kind]),) for kind in fewer.get(plan.precision, ())
        )

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """Rounding; and in half precision alone updates that are too small to be kept.

        A model in use is not updated, and what it rounds is what it is used with.
        """
        trained = plan.inference.use == "training"
        return reasons("precision", _QUALITY.get(plan.precision) if trained else None)

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with its floating parameters and buffers in the stored type."""
        return module.to(stored_type(situation.plan))
