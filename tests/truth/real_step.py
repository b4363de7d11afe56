"""Real training steps written plainly with torch, transformers and peft: what users run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from memplanner.plan import Plan
from tests.truth.ground_truth import allocator_peak_bytes, standing, tensor_peak_bytes

_STORED = {"bf16": torch.bfloat16, "fp16": torch.float16}
_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "adafactor": torch.optim.Adafactor,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


def measure(module: Any, batch: dict[str, Any], plan: Plan) -> tuple[int, int]:
    """The peak of one steady step in bytes: (tensor level, allocator level)."""
    module = _planned(module, plan)
    dtype = _STORED.get(plan.precision, torch.float32)
    batch = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in batch.items()
    }
    optimizer = _optimizer(module, plan)
    micro_batches = plan.training.gradient_accumulation_steps

    def step() -> None:
        for _ in range(micro_batches):
            with _autocast(plan):
                output = module(**batch)
            loss = output["loss"]
            (loss / micro_batches if micro_batches > 1 else loss).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    tensors = tensor_peak_bytes(step, standing(module, optimizer, batch))
    return tensors, allocator_peak_bytes(step, standing(module, optimizer, batch))


def _planned(module: Any, plan: Plan) -> Any:
    module.train()
    if plan.precision in _STORED:
        module = module.to(_STORED[plan.precision])
    if plan.adapters.method == "lora":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=plan.adapters.rank, lora_alpha=16, target_modules=list(plan.adapters.target_modules)
        )
        module = get_peft_model(module, config)
    if plan.activation_checkpointing.policy == "full":
        module.activation_checkpointing_enable({"use_reentrant": False})
    return module


def _autocast(plan: Plan) -> Any:
    if plan.precision == "bf16_mixed":
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


def _optimizer(module: Any, plan: Plan) -> torch.optim.Optimizer:
    section = plan.optimizer
    options: dict[str, Any] = {"foreach": section.implementation == "foreach"}
    if section.implementation == "fused":
        options = {"fused": True}
    if section.momentum:
        options["momentum"] = section.momentum
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return _OPTIMIZERS[section.name](parameters, lr=1e-5, weight_decay=0.01, **options)
