"""What a search tries of optimizers: smaller states, no temporaries, updates in backward."""

from __future__ import annotations

from collections.abc import Sequence

from memplanner.plan import Plan
from memplanner.plan.optimizer import FUSED
from memplanner.techniques.base import Alternative, Setting

_FUSED: Alternative = (Setting("optimizer.implementation", "fused", "fused"),)
_SMALLER: tuple[Alternative, ...] = (
    (
        Setting("optimizer.name", "adamw", "AdamW"),
        Setting("optimizer.implementation", "bitsandbytes_8bit", "8-bit AdamW"),
    ),
    (
        Setting("optimizer.name", "adamw", "AdamW"),
        Setting("optimizer.implementation", "bitsandbytes_paged_8bit", "paged 8-bit AdamW"),
    ),
    (
        Setting("optimizer.name", "adafactor", "Adafactor"),
        Setting("optimizer.implementation", "auto", "torch's own"),
    ),
    (
        Setting("optimizer.name", "lion", "Lion"),
        Setting("optimizer.implementation", "auto", "torch's own"),
    ),
)
"""From the nearest to AdamW on."""
_IN_BACKWARD = Setting("optimizer.update", "in_backward", "updates in backward")
_AFTER = Setting("optimizer.update", "after_backward", "updates after backward")


def optimizer_alternatives(plan: Plan) -> Sequence[Alternative]:
    """Other optimizers and updates. Adapters have small states whatever the optimizer.

    Updates on the host leave the card no part in it; updates in backward accumulate nothing.
    """
    if plan.offload.optimizer == "host":
        return ()
    fused = (_FUSED,) if plan.optimizer.name in FUSED else ()
    rules = fused if plan.adapters.method != "none" else (*fused, *_SMALLER)
    if plan.adapters.method != "none" or plan.training.gradient_accumulation_steps > 1:
        return [(*rule, _AFTER) for rule in rules]
    both = [(*rule, when) for rule in rules for when in (_IN_BACKWARD, _AFTER)]
    return [*both, (_IN_BACKWARD,)]
