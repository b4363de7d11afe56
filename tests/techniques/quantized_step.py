"""A real, steady training step of a quantized model, written plainly; its peak."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch

from memplanner.plan import Plan
from memplanner.techniques.low_bit.aware import round_layers
from memplanner.techniques.low_bit.float8 import use_float8
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import quantize_layers
from memplanner.techniques.quantization import format_of
from tests.truth.ground_truth import standing

Level = Callable[[Callable[[], None], Iterable[torch.Tensor]], int]
"""What measures the peak of a step, given what is alive before: of tensors or the allocator."""


def peak_bytes(module: Any, batch: dict[str, Any], plan: Plan, level: Level) -> int:
    """Of the second step of transformers' own ``module``, at one ``level``."""
    module = _planned(module.train(), plan)
    if plan.precision == "bf16":
        batch = {
            name: value.bfloat16() if value.is_floating_point() else value
            for name, value in batch.items()
        }
    optimizer = _optimizer(module, plan)
    micro_batches = plan.training.gradient_accumulation_steps
    mixed = plan.precision == "bf16_mixed"

    def step() -> None:
        for _ in range(micro_batches):
            with torch.autocast("cpu", dtype=torch.bfloat16) if mixed else nullcontext():
                output = module(**batch)
            loss = output["loss"]
            (loss / micro_batches if micro_batches > 1 else loss).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    return level(step, standing(module, optimizer, batch))


def _planned(module: Any, plan: Plan) -> Any:
    """In the plan's type, every linear layer but the head in few bits, LoRA through peft."""
    if plan.precision == "bf16":
        module = module.bfloat16()
    if plan.quantization.method != "none":
        names = [
            name
            for name, layer in module.named_modules()
            if (isinstance(layer, torch.nn.Linear) or type(layer).__name__ == "Conv1D")
            and name not in ("lm_head", "classifier")
        ]
        compute_type = torch.bfloat16 if plan.precision == "bf16_mixed" else None
        kept = format_of(plan.quantization)
        if plan.quantization.method == "qat":
            round_layers(
                module,
                names,
                dict.fromkeys(names, kept),
                compute_type=compute_type,
                rounds_inputs=plan.quantization.round_inputs,
            )
        elif plan.quantization.method == "fp8":
            use_float8(module, names, compute_type=compute_type)
        else:
            quantize_layers(module, names, _formats(names, kept, plan), compute_type=compute_type)
    if plan.adapters.method == "lora":
        from peft import LoraConfig, get_peft_model

        targets = list(plan.adapters.target_modules)
        config = LoraConfig(r=plan.adapters.rank, lora_alpha=16, target_modules=targets)
        module = get_peft_model(module, config)
    if plan.activation_checkpointing.policy == "full":
        module.activation_checkpointing_enable({"use_reentrant": False})
    return module


def _formats(names: list[str], kept: Format, plan: Plan) -> dict[str, Format]:
    """What the texts of ``per_layer`` say, which here name the ends of paths."""
    formats = dict.fromkeys(names, kept)
    for text in plan.quantization.per_layer:
        ending, _, bits = text.partition("=")
        for name in names:
            if name.endswith(ending):
                formats[name] = (
                    Format("nf4", double_quantization=True)
                    if bits == "nf4"
                    else replace(kept, bits=int(bits))
                )
    return formats


def _optimizer(module: Any, plan: Plan) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if plan.optimizer.implementation == "bitsandbytes_8bit":
        import bitsandbytes

        made: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(
            parameters, lr=1e-5, weight_decay=0.01
        )
        return made
    return torch.optim.AdamW(parameters, lr=1e-5, weight_decay=0.01, foreach=False)
