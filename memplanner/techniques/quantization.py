"""Quantization: linear layers whose frozen weights are kept in few bits.

Numerics and layers are in ``techniques/low_bit``. QLoRA (Dettmers et al. 2023, arXiv:2305.14314)
is this with ``method=nf4``, and the technique ``adapters`` on top.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.messages.cost import QualityReason
from memplanner.plan import Plan
from memplanner.plan.per_layer import parse
from memplanner.plan.quantization import Quantization as Section
from memplanner.techniques.base import (
    Alternative,
    Setting,
    Situation,
    Technique,
    Told,
    reasons,
)
from memplanner.techniques.inference import trains
from memplanner.techniques.layer_choice import chosen_layers, own_values
from memplanner.techniques.low_bit import bitsandbytes
from memplanner.techniques.low_bit.aware import RoundedLinear, round_layers
from memplanner.techniques.low_bit.dynamic import MULTIPLE_CUDA as INT8_MULTIPLE
from memplanner.techniques.low_bit.dynamic import use_dynamic_int8
from memplanner.techniques.low_bit.float8 import MULTIPLE_CUDA as FLOAT8_MULTIPLE
from memplanner.techniques.low_bit.float8 import use_float8
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import QuantizedLinear, quantize_layers
from memplanner.techniques.precision import STORED, autocast_type
from memplanner.techniques.target import Target

WHOLE = "16"
"""In ``per_layer``: the layer stays as it is."""
FLOAT8_CAPABILITY = (8, 9)
"""From it on CUDA cards have products of fp8 (ATen/native/cuda/ScaledBlas.cpp: ``_scaled_mm``)."""


_IN_FEW_BITS = "Weights are rounded to few bits, which changes the model before it is trained"
_QUALITY: Mapping[str, Told] = {
    "linear": ("check_quality", f"{_IN_FEW_BITS}."),
    "companding": ("check_quality", f"{_IN_FEW_BITS}."),
    "nf4": (
        "check_quality",
        f"{_IN_FEW_BITS}; with adapters on all layers published tasks came out as with 16 bits "
        "(Dettmers et al. 2023, arXiv:2305.14314).",
    ),
    "qat": (
        "check_quality",
        "Training sees rounded weights, for a model that is to be quantized afterwards.",
    ),
    "dynamic_int8": ("check_quality", "Weights and inputs are rounded to 8 bits."),
    "fp8": (
        "small_change",
        "Products are rounded to 8 bits: published losses are close to those of 16 bits "
        "(Micikevicius et al. 2022, arXiv:2209.05433).",
    ),
}


class Quantization(Technique):
    """Puts a layer of ``low_bit`` in the place of each chosen one."""

    name = "quantization"
    order = 28
    """After precision, whose type a weight has before; before adapters, which go on top."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Weights in few bits have no gradient: something else must be there to train."""
        section = plan.quantization
        if section.method == "none" and section.per_layer:
            return (
                "quantization.per_layer gives layers bits, but quantization.method=none leaves all "
                "as they are; choose quantization.method=linear or empty per_layer.",
            )
        if section.method == "qat":
            return _conflicts_of_qat(plan)
        if section.method == "dynamic_int8":
            return _conflicts_of_dynamic(plan)
        if section.method == "fp8":
            return _conflicts_of_float8(plan, target)
        if section.method != "none" and plan.adapters.method == "none" and trains(plan):
            return (
                f"quantization.method={section.method} freezes the weights it packs, so they "
                "cannot be fine-tuned in full; choose adapters.method=lora or "
                "quantization.method=none.",
            )
        return ()

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """NF4 under adapters: QLoRA."""
        if plan.adapters.method == "none":
            return ()
        return ((Setting("quantization.method", "nf4", "NF4 weights"),),)

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """Weights or products in fewer bits."""
        return reasons("quantization", _QUALITY.get(plan.quantization.method))

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with the chosen layers replaced, in place and one by one."""
        section = situation.plan.quantization
        if section.method == "none":
            return module
        if section.method == "qat":
            round_layers(
                module,
                *formats_of(module, section),
                compute_type=compute_type(situation.plan),
                rounds_inputs=section.round_inputs,
            )
            return module
        on_cuda = situation.target.kind == "cuda"
        if section.method == "fp8":
            names = layers_of_multiple(module, section, situation.target, FLOAT8_MULTIPLE)
            dtype = autocast_type(situation.plan)
            use_float8(module, names, compute_type=dtype, on_cuda=on_cuda)
            return module
        if section.method == "dynamic_int8":
            names = layers_of_multiple(module, section, situation.target, INT8_MULTIPLE)
            use_dynamic_int8(module, names, device=situation.device, on_cuda=on_cuda)
            return module
        quantize_layers(
            module,
            *formats_of(module, section),
            device=situation.device,
            compute_type=compute_type(situation.plan),
            use_bitsandbytes=uses_bitsandbytes(
                situation.plan, situation.target, weightless=next(module.parameters()).is_meta
            ),
        )
        return module

    def compresses(self, plan: Plan) -> bool:
        """Whether weights are kept in few bits, or rounded to them."""
        return plan.quantization.method not in {"none", "fp8"}

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What a saved byte costs on this target, and which code expands the weights."""
        section = plan.quantization
        if section.method == "none":
            return ()
        if section.method == "qat":
            return (
                "Rounding takes memory and time now: a rounded weight in forward and again in "
                "backward. What it is for comes later: the trained model loses less in these bits.",
            )
        if section.method == "dynamic_int8":
            return (
                "Dynamic int8 multiplies integers by torch's own product (torch._int_mm), which "
                "has kernels for the CPU and for CUDA cards.",
            )
        if section.method == "fp8":
            saved = (
                "Products in fp8 save time, not memory: weights, gradients and what is kept for "
                "backward are as before."
            )
            if plan.compilation.mode != "none":  # torch's partitioner sees the casts
                saved = (
                    "Products in fp8 save time; compiled blocks may keep the inputs of products in "
                    "8 bits as well, and weights and gradients are as before."
                )
            return (saved + (" On the CPU they are no faster." if target.kind == "cpu" else ""),)
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


def _conflicts_of_qat(plan: Plan) -> Sequence[str]:
    section = plan.quantization
    if not trains(plan):
        return (
            "quantization.method=qat rounds weights while they are trained, and "
            f"inference.use={plan.inference.use} trains none; choose quantization.method=linear.",
        )
    if plan.adapters.method != "none":
        return (
            f"quantization.method=qat trains the weights that adapters.method="
            f"{plan.adapters.method} freezes; choose adapters.method=none, or "
            "quantization.method=linear beside the adapters.",
        )
    if any(value == "nf4" for _, value in parse(section.per_layer)):
        return (
            "quantization.method=qat rounds to evenly spaced levels alone, but "
            "quantization.per_layer names nf4; choose a number of bits there.",
        )
    return ()


def _conflicts_of_dynamic(plan: Plan) -> Sequence[str]:
    if trains(plan):
        return (
            "quantization.method=dynamic_int8 gives no gradient to what lies before it, so nothing "
            "can be trained with it; choose inference.use=forward, or quantization.method=linear "
            "with quantization.bits=8 and adapters.method=lora.",
        )
    if any(value != WHOLE for _, value in parse(plan.quantization.per_layer)):
        return (
            "quantization.method=dynamic_int8 has 8 bits alone, but quantization.per_layer gives "
            "layers others; choose 16 there, or quantization.method=linear.",
        )
    return ()


def _conflicts_of_float8(plan: Plan, target: Target) -> Sequence[str]:
    if not trains(plan):
        return (
            "quantization.method=fp8 is for training, and "
            f"inference.use={plan.inference.use} trains nothing; choose "
            "quantization.method=dynamic_int8.",
        )
    if target.kind not in {"cpu", "cuda"}:
        return (
            f"quantization.method=fp8 has no products on {target.kind}; choose "
            "quantization.method=none.",
        )
    if target.kind == "cuda" and target.capability < FLOAT8_CAPABILITY:
        major, minor = target.capability
        return (
            f"quantization.method=fp8 needs a card of compute capability 8.9, and this one has "
            f"{major}.{minor}; choose quantization.method=none and precision=bf16_mixed.",
        )
    if any(value != WHOLE for _, value in parse(plan.quantization.per_layer)):
        return (
            "quantization.method=fp8 has 8 bits alone, but quantization.per_layer gives layers "
            "others; choose 16 there.",
        )
    return ()


def layers_of_multiple(
    module: nn.Module, section: Section, target: Target, multiple: int
) -> list[str]:
    """The paths of the layers to change. Raises ``PlanError``, too, for sizes that no card takes.

    On CUDA both sizes of a weight must be a multiple of ``multiple``.
    """
    names = [*layer_formats(module, section)]
    for name in names if target.kind == "cuda" else ():
        layer: Any = module.get_submodule(name)
        shape = tuple(layer.weight.shape)
        if any(size % multiple for size in shape):
            raise PlanError(
                f"{name} has a weight of {shape[0]} × {shape[1]}, and quantization.method="
                f"{section.method} takes multiples of {multiple} on CUDA; leave it as it is: add "
                f"{name}=16 to quantization.per_layer."
            )
    return names


def trains_rounded(plan: Plan) -> bool:
    """Whether weights are trained to be packed afterwards."""
    return plan.quantization.method == "qat"


def convert_trained(module: nn.Module, plan: Plan) -> Plan:
    """Packs what ``method=qat`` has trained, in place; the plan that the module then follows.

    Its weights are what the module computed with, bit for bit.
    """
    for name, layer in [*module.named_modules()]:
        if isinstance(layer, RoundedLinear):
            weight = layer.weight.detach()
            packed = QuantizedLinear(
                weight.t().contiguous() if layer.transposed else weight,
                layer.bias,
                layer.kept,
                compute_type=layer.compute_type,
            )
            parent, _, own = name.rpartition(".")
            setattr(module.get_submodule(parent), own, packed.train(layer.training))
    return plan.with_values({"quantization.method": "linear"})


def uses_bitsandbytes(plan: Plan, target: Target, *, weightless: bool) -> bool:
    """Whether bitsandbytes' kernels expand the weights: NF4 on CUDA.

    A weightless module is planned so wherever it is planned; a real one needs it installed.
    """
    section = plan.quantization
    nf4 = section.method == "nf4" or any(value == "nf4" for _, value in parse(section.per_layer))
    wanted = nf4 and target.kind == "cuda"
    return wanted and (weightless or bitsandbytes.installed())


def format_of(section: Section) -> Format:
    """The format that the section describes; ``method`` is not none."""
    assert section.method != "none"
    if section.method == "nf4":
        return Format("nf4", double_quantization=section.double_quantization)
    if section.method in {"dynamic_int8", "fp8"}:  # neither keeps anything in a format
        return Format("linear", bits=8, granularity="channel", symmetric=True)
    companding = section.method == "companding"
    return Format(
        method="companding" if companding else "linear",
        bits=section.bits,
        granularity=section.granularity,
        group_size=section.group_size,
        symmetric=companding or section.symmetric,
        clipping=section.clipping == "minimum_mse" and section.method != "qat",
        curve=section.curve,
        curvature=section.curvature,
    )


def compute_type(plan: Plan) -> torch.dtype | None:
    """The type of the products: the plan's, autocast's, or None for that of their input."""
    chosen = plan.quantization.compute_type
    return autocast_type(plan) if chosen == "auto" else STORED[chosen]


def layer_names(module: nn.Module, section: Section) -> list[str]:
    """The paths of the layers to quantize, in the module's order. Raises ``PlanError``."""
    return list(layer_formats(module, section))


def quantizable_layers(module: nn.Module, section: Section) -> list[str]:
    """The paths of the layers that ``layers`` chooses, whatever bits they get of their own."""
    return chosen_layers(
        module,
        section,
        "quantization",
        verb="quantize",
        off="method=none",
        shared="which reads it as it is, so quantizing it would save nothing",
    )


def layer_formats(module: nn.Module, section: Section) -> dict[str, Format]:
    """Of each layer to quantize its path and format, in the module's order.

    What ``per_layer`` leaves in 16 bits is none of them. Raises ``PlanError``.
    """
    names = quantizable_layers(module, section)
    own = own_values(module, names, section.per_layer, "quantization")
    usual = format_of(section)
    found = {
        name: with_value(section, own[name]) if name in own else usual
        for name in names
        if own.get(name) != WHOLE
    }
    if not found:
        raise PlanError(
            "quantization.per_layer leaves every layer as it is; choose quantization.method=none "
            "or fewer layers with 16 bits."
        )
    return found


def formats_of(module: nn.Module, section: Section) -> tuple[list[str], dict[str, Format]]:
    """The names, and what ``quantize_layers`` takes for their formats."""
    formats = layer_formats(module, section)
    return list(formats), formats


def with_value(section: Section, value: str) -> Format:
    """The format of a layer that ``per_layer`` gives ``value``, which is not ``WHOLE``."""
    if value == "nf4":
        return Format("nf4", double_quantization=section.double_quantization)
    method = "linear" if section.method == "nf4" else section.method
    return format_of(section.model_copy(update={"method": method, "bits": int(value)}))
