"""Adapters: LoRA through peft (Hu et al. 2021, arXiv:2106.09685)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.messages.cost import QualityReason
from memplanner.plan import Plan
from memplanner.plan.adapters import Adapters as Section
from memplanner.techniques.base import (
    Alternative,
    Setting,
    Situation,
    Technique,
    Told,
    reasons,
)
from memplanner.techniques.layer_choice import linear_names
from memplanner.techniques.low_bit.linear import shapes_alone
from memplanner.techniques.parallel.deepspeed import casts_whole_module
from memplanner.techniques.precision import stored_type
from memplanner.techniques.target import Target
from memplanner.techniques.unfilled import Unfilled

_HALVES = frozenset({torch.float16, torch.bfloat16})
_ADAPTABLE = (nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.Conv3d)


_QUALITY: Mapping[str, Told] = {
    "lora": (
        "check_quality",
        "LoRA trains two low-rank matrices a layer: it learns less than a full fine-tune on new "
        "domains, and forgets less (Biderman et al. 2024, arXiv:2405.09673).",
    ),
}


class Adapters(Technique):
    """Freezes the module and puts low-rank matrices beside its targets."""

    name = "adapters"
    order = 30

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """LoRA of the section's rank."""
        rank = plan.adapters.rank
        return ((Setting("adapters.method", "lora", f"LoRA, rank {rank}"),),)

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """Fewer trained parameters."""
        return reasons("adapters", _QUALITY.get(plan.adapters.method))

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with adapters injected, in place, under its own names."""
        section = situation.plan.adapters
        if section.method == "none":
            return module
        targets = list(section.target_modules) or linear_names(module)
        _check(module, section, targets)
        from peft import LoraConfig, inject_adapter_in_model  # over a second, and only needed here

        config = LoraConfig(
            r=section.rank,
            lora_alpha=section.alpha,
            lora_dropout=section.dropout,
            target_modules=targets,
            bias="none",
            fan_in_fan_out=_transposed(module, targets),
        )
        weightless = next(module.parameters()).is_meta
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        with Unfilled() if weightless else nullcontext(), shapes_alone():
            adapted: nn.Module = inject_adapter_in_model(
                config, module, low_cpu_mem_usage=weightless
            )  # which makes adapters on the meta device
        whole = casts_whole_module(situation.plan)
        for name, parameter in adapted.named_parameters():
            if ".lora_" in name:
                if whole:
                    parameter.data = parameter.data.to(stored_type(situation.plan))
                elif parameter.dtype in _HALVES:  # as peft.get_peft_model does by default
                    parameter.data = parameter.data.float()
                parameter.requires_grad_(True)
        return adapted


def _transposed(module: nn.Module, targets: list[str]) -> bool:
    """Whether the targets are GPT-2's layers, which keep their weight the other way round."""
    return any(
        type(child).__name__ == "Conv1D"
        for name, child in module.named_modules()
        if any(name == target or name.endswith("." + target) for target in targets)
    )


def _check(module: nn.Module, section: Section, targets: list[str]) -> None:
    names = [
        name
        for name, child in module.named_modules()
        if isinstance(child, _ADAPTABLE) or type(child).__name__ == "Conv1D"
    ]
    for target in targets:
        if not any(name == target or name.endswith("." + target) for name in names):
            known = sorted({name.rpartition(".")[2] for name in names})
            raise PlanError(
                f"adapters.target_modules names “{target}”, which is no layer of this model; "
                f"its layers are {', '.join(known[:12])}."
            )
    if not targets:
        raise PlanError(
            "adapters.method=lora finds no linear layer in this model; "
            "name layers in adapters.target_modules or choose none."
        )
