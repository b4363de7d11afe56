"""The choice ``precision``: the type of parameters, gradients and arithmetic.

It is one value of the plan rather than a section with fields, because trainers, papers and
people name it by one word.
"""

from __future__ import annotations

from typing import Annotated, Literal

from memplanner.plan.section import choices

Precision = Annotated[
    Literal["fp32", "bf16", "fp16", "bf16_mixed", "bf16_autocast", "fp16_mixed"],
    choices(
        ("fp32", "fp32", "Everything in four bytes."),
        ("bf16", "bf16", "Parameters, gradients and states in two bytes."),
        ("fp16", "fp16", "Two bytes everywhere; overflows easily when training."),
        ("bf16_mixed", "bf16 mixed", "Parameters in four bytes, products in bf16 (autocast)."),
        (
            "bf16_autocast",
            "bf16, autocast",
            "Parameters in two bytes, adapters in four, products in bf16: usual for QLoRA.",
        ),
        ("fp16_mixed", "fp16 mixed", "As bf16 mixed, in fp16 with a scaled loss."),
    ),
]

TITLE = "Precision"
EXPLANATION = (
    "The number type of parameters, gradients, optimizer state and activations. "
    "Mixed keeps full-precision parameters and computes products in half."
)
