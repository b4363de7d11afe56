"""Quantization: linear layers whose frozen weights are kept in few bits.

Numerics and layers are in ``techniques/low_bit``. QLoRA (Dettmers et al. 2023, arXiv:2305.14314)
is this with ``method=nf4``, and the technique ``adapters`` on top.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from memplanner.plan import Plan
from memplanner.plan.quantization import Quantization as Section
from memplanner.techniques.base import Situation, Technique
from memplanner.techniques.layer_choice import chosen_layers
from memplanner.techniques.low_bit import bitsandbytes
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import quantize_layers
from memplanner.techniques.precision import STORED, autocast_type
from memplanner.techniques.target import Target


class Quantization(Technique):
    """Puts a ``QuantizedLinear`` in the place of each chosen layer."""

    name = "quantization"
    order = 28
    """After precision, whose type a weight has before; before adapters, which go on top."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Weights in few bits have no gradient: something else must be there to train."""
        section = plan.quantization
        if section.method != "none" and plan.adapters.method == "none":
            return (
                f"quantization.method={section.method} freezes the weights it packs, so they "
                "cannot be fine-tuned in full; choose adapters.method=lora or "
                "quantization.method=none.",
            )
        return ()

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with the chosen layers replaced, in place and one by one."""
        section = situation.plan.quantization
        if section.method == "none":
            return module
        quantize_layers(
            module,
            layer_names(module, section),
            format_of(section),
            device=situation.device,
            compute_type=compute_type(situation.plan),
            use_bitsandbytes=uses_bitsandbytes(
                situation.plan, situation.target, weightless=next(module.parameters()).is_meta
            ),
        )
        return module

    def compresses(self, plan: Plan) -> bool:
        """Whether weights are kept in few bits."""
        return plan.quantization.method != "none"

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What a saved byte costs on this target, and which code expands the weights."""
        section = plan.quantization
        if section.method == "none":
            return ()
        notes = [
            "Quantized weights save memory now, and cost time: each product first expands its "
            "layer's weight, in forward and again in backward."
        ]
        if section.method == "nf4" and target.kind == "cuda" and not bitsandbytes.installed():
            notes.append(
                "NF4 is planned with bitsandbytes' kernels; it is not installed here, and a run "
                "would expand by torch's own operations, with temporaries: run pip install "
                "'memplanner[bitsandbytes]'."
            )
        return notes


def uses_bitsandbytes(plan: Plan, target: Target, *, weightless: bool) -> bool:
    """Whether bitsandbytes' kernels expand the weights: NF4 on CUDA.

    A weightless module is planned so wherever it is planned; a real one needs it installed.
    """
    wanted = plan.quantization.method == "nf4" and target.kind == "cuda"
    return wanted and (weightless or bitsandbytes.installed())


def format_of(section: Section) -> Format:
    """The format that the section describes; ``method`` is not none."""
    assert section.method != "none"
    if section.method == "nf4":
        return Format("nf4", double_quantization=section.double_quantization)
    return Format(
        method=section.method,
        bits=section.bits,
        granularity=section.granularity,
        group_size=section.group_size,
        symmetric=section.symmetric if section.method == "linear" else True,
        clipping=section.clipping == "minimum_mse",
        curve=section.curve,
        curvature=section.curvature,
    )


def compute_type(plan: Plan) -> torch.dtype | None:
    """The type of the products: the plan's, autocast's, or None for that of their input."""
    chosen = plan.quantization.compute_type
    return autocast_type(plan) if chosen == "auto" else STORED[chosen]


def layer_names(module: nn.Module, section: Section) -> list[str]:
    """The paths of the layers to quantize, in the module's order. Raises ``PlanError``."""
    return chosen_layers(
        module,
        section,
        "quantization",
        verb="quantize",
        off="method=none",
        shared="which reads it as it is, so quantizing it would save nothing",
    )
