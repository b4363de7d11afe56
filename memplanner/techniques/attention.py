"""Attention: the model's own code or one call of scaled dot-product attention.

Which kernel that call takes is decided by whoever runs the step: torch's own selection on a real
device (``torch.nn.attention.sdpa_kernel``), the same rules on the meta device.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.base import Situation, Technique
from memplanner.techniques.target import Target


class Attention(Technique):
    """Chooses between eager code and scaled dot-product attention."""

    name = "attention"
    order = 10

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Kernels that the target does not have."""
        kernel = plan.attention.kernel
        if target.kind == "cpu" and kernel in {"efficient", "cudnn"}:
            return (
                f"attention.kernel={kernel} exists on CUDA cards only; "
                "choose flash or auto for the CPU.",
            )
        return ()

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module told to use its own code, or torch's call, where it can be told."""
        set_attention = situation.model.set_attention
        if set_attention is not None:
            eager = situation.plan.attention.kernel == "eager"
            set_attention(module, "eager" if eager else "sdpa")
        return module
