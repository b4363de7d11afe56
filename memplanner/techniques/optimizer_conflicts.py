"""Updates that a plan cannot have: in backward, and in a lower rank."""

from __future__ import annotations

from collections.abc import Iterator

from memplanner.plan import Plan
from memplanner.plan.optimizer import PROJECTED


def why_not_in_backward(plan: Plan) -> Iterator[str]:
    """Why the plan's gradients cannot be used up in backward, a sentence for each reason."""
    if plan.training.gradient_accumulation_steps > 1:
        yield (
            "optimizer.update=in_backward uses up each gradient in the backward that made it, so "
            "none can be accumulated; choose training.gradient_accumulation_steps=1 with a larger "
            "batch, or after_backward."
        )
    if plan.precision == "fp16_mixed":
        yield (
            "optimizer.update=in_backward comes before a loss scaler can look for gradients that "
            "overflowed fp16; choose precision=bf16_mixed or after_backward."
        )
    if plan.optimizer.implementation.startswith("torchao"):
        yield (
            f"optimizer.implementation={plan.optimizer.implementation} compiles its step, which "
            "cannot run inside of backward; choose bitsandbytes_8bit or after_backward."
        )


def why_not_projected(plan: Plan) -> Iterator[str]:
    """Why the plan's optimizer cannot step in a lower rank, a sentence for each reason."""
    section = plan.optimizer
    if section.name not in PROJECTED:
        yield (
            f"optimizer.projection={section.projection} is for adamw and adam, not for "
            f"{section.name}; choose optimizer.name=adamw or optimizer.projection=none."
        )
    if section.implementation.startswith("torchao"):
        yield (
            f"optimizer.implementation={section.implementation} compiles one step of all "
            f"parameters, and optimizer.projection={section.projection} steps each by itself; "
            "choose bitsandbytes_8bit or auto."
        )
    if plan.adapters.method != "none":
        yield (
            f"optimizer.projection={section.projection} keeps gradients in a low rank, in which "
            f"those of adapters.method={plan.adapters.method} are already; choose "
            "optimizer.projection=none or adapters.method=none."
        )
