"""The section ``attention``: which kernel computes scaled dot-product attention."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

Kernel = Annotated[
    Literal["auto", "eager", "math", "flash", "efficient", "cudnn"],
    choices(
        ("auto", "As torch chooses", "By torch's own rules for the device, type and mask."),
        ("flash", "Flash", "Keeps no scores; needs half precision on CUDA and no custom mask."),
        ("efficient", "Memory-efficient", "Keeps no scores; takes masks and fp32. CUDA only."),
        ("cudnn", "cuDNN", "Keeps no scores; half precision on recent CUDA cards."),
        ("math", "Unfused", "torch's plain products inside one call: keeps the scores."),
        ("eager", "The model's own", "The model's Python code: keeps scores, often in fp32."),
    ),
]


class Attention(Section):
    """How attention is computed, and so whether its scores are kept for backward."""

    title: ClassVar[str] = "Attention"
    explanation: ClassVar[str] = (
        "The kernel decides whether the scores (batch × heads × sequence²) are kept for backward. "
        "A fused kernel keeps only one number a row and costs no more time."
    )

    kernel: Kernel = option("auto", "Kernel", "Which kernel computes attention.")

    @property
    def summary(self) -> str:
        """The kernel's name."""
        return self.kernel
