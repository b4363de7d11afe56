"""Quantization: linear layers whose frozen weights are kept in few bits.

Numerics and layers are in ``techniques/low_bit``. QLoRA (Dettmers et al. 2023, arXiv:2305.14314)
is this with ``method=nf4``, and the technique ``adapters`` on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.quantization import Quantization as Section
from memplanner.techniques.adapters import linear_names
from memplanner.techniques.base import Situation, Technique
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
    """The paths of the layers to quantize, in the module's order.

    Raises ``PlanError`` for a name that is no such layer, for a layer whose weight another module
    uses too, or where there is none at all.
    """
    every = [name for name, child in module.named_modules() if _is_linear(child)]
    if section.layers == "named":
        _check_names(every, section.target_modules)
        chosen = {name for name in every if _is_named(name, section.target_modules)}
    elif section.layers == "all_but_head":
        chosen = set(linear_names(module)).intersection(every)
    else:
        chosen = set(every)
    if not chosen:
        raise PlanError(
            f"quantization.layers={section.layers} finds no linear layer to quantize in this "
            "model; choose quantization.method=none."
        )
    names = [name for name in every if name in chosen]
    _check_shared(module, names, section)
    return names


def _is_linear(module: nn.Module) -> bool:
    """A layer whose whole work is the product: not one with a forward of its own."""
    if isinstance(module, nn.Linear):
        return type(module).forward is nn.Linear.forward and not _read_by_others(module)
    return type(module).__name__ == "Conv1D" and isinstance(module.weight, torch.Tensor)


def _read_by_others(module: nn.Module) -> bool:
    """``nn.MultiheadAttention`` hands this layer's weight to a function, and never calls it."""
    return isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear)


def _is_named(name: str, wanted: Sequence[str]) -> bool:
    return any(
        fnmatchcase(name, each) or name == each or name.endswith("." + each) for each in wanted
    )


def _check_names(every: Sequence[str], wanted: Sequence[str]) -> None:
    known = sorted({name.rpartition(".")[2] for name in every})
    listed = ", ".join(known[:12])
    if not wanted:
        raise PlanError(
            "quantization.layers=named needs names in quantization.target_modules; "
            f"the layers are {listed}."
        )
    for each in wanted:
        if not any(_is_named(name, (each,)) for name in every):
            raise PlanError(
                f"quantization.target_modules names “{each}”, which is no linear layer of this "
                f"model; its layers are {listed}."
            )


def _check_shared(module: nn.Module, names: Sequence[str], section: Section) -> None:
    """Refuses a weight that another module uses too: it would be kept twice."""
    chosen = set(names)
    owners: dict[int, list[str]] = {}
    for path, child in module.named_modules():
        for parameter in child.parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(path)
    weights = {id(module.get_submodule(name).weight) for name in names}
    for number, paths in owners.items():
        shared = [path for path in paths if path in chosen and number in weights]
        if shared and len(paths) > 1:
            others = [path for path in paths if path != shared[0]]
            choice = (
                "take it out of quantization.target_modules"
                if section.layers == "named"
                else "choose quantization.layers=all_but_head or name the others"
            )
            raise PlanError(
                f"{shared[0]} shares its weight with {others[0]}, which reads it as it is, so "
                f"quantizing it would save nothing; {choice}."
            )
