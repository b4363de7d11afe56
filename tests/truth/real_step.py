"""Real training steps written plainly with torch, transformers and peft: what users run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from memplanner.plan import Plan
from memplanner.techniques.chunked_loss import chunk_loss
from tests.truth.ground_truth import Births, allocator_peak_bytes, named_standing, standing

_STORED = {"bf16": torch.bfloat16, "bf16_autocast": torch.bfloat16, "fp16": torch.float16}
_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "adafactor": torch.optim.Adafactor,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}


@dataclass(frozen=True)
class Measured:
    """One steady step, at both levels."""

    births: Births
    allocator_bytes: int

    @property
    def tensor_bytes(self) -> int:
        """The peak at tensor level."""
        return self.births.highest_bytes


def measure(module: Any, batch: dict[str, Any], plan: Plan) -> Measured:
    """One steady step of ``module`` under ``plan``."""
    module = planned(module, plan)
    dtype = _STORED.get(plan.precision, torch.float32)
    batch = {
        name: value.to(dtype)
        if isinstance(value, torch.Tensor) and value.is_floating_point()
        else value
        for name, value in batch.items()
    }
    in_backward = plan.optimizer.update == "in_backward"
    optimizer: Any = _InBackward(module, plan) if in_backward else _optimizer(module, plan)
    micro_batches = plan.training.gradient_accumulation_steps
    watch: Births | None = None

    def step() -> None:
        for micro_batch in range(micro_batches):
            if watch is not None:
                watch.mark(f"micro-batch {micro_batch}")
            with _autocast(plan):
                output = module(**batch)
                loss = loss_of(output)
            if watch is not None:
                watch.note_kept()
                watch.mark("backward")
                watch.in_backward = True
            (loss / micro_batches if micro_batches > 1 else loss).backward()
            if watch is not None:
                watch.in_backward = False
                grads = [part.grad for part in module.parameters() if part.grad is not None]
                watch.note(grads, "gradients")
                del grads
        if watch is not None:
            watch.mark("optimizer_step")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    watch = _Steps(named_standing(module, optimizer, batch))
    if in_backward:
        optimizer.watch = watch
    with watch:
        step()
    births, watch = watch, None
    if in_backward:
        optimizer.watch = None
    allocator_bytes = allocator_peak_bytes(step, standing(module, optimizer, batch))
    return Measured(births, allocator_bytes)


class _InBackward:
    """An optimizer for each parameter, as torch's tutorial of that name has it."""

    def __init__(self, module: Any, plan: Plan) -> None:
        self.watch: Births | None = None
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self._own = {parameter: _optimizer_of([parameter], plan) for parameter in parameters}
        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(self._hook)

    def _hook(self, parameter: torch.Tensor) -> None:
        if self.watch is not None and parameter.grad is not None:
            self.watch.note([parameter.grad], "gradients")
        self._own[parameter].step()
        self._own[parameter].zero_grad()

    @property
    def state(self) -> dict[torch.Tensor, Any]:
        return {parameter: own.state[parameter] for parameter, own in self._own.items()}

    def step(self) -> None:
        """Nothing is left to do."""

    def zero_grad(self, set_to_none: bool) -> None:
        """Nothing is left to do."""


class _Steps(Births):
    """Births that tell activations from temporaries."""

    def note_kept(self) -> None:
        """The forward ended: what it made and is alive is an activation."""
        for number in self.alive():
            if number not in self.category:
                self.category[number] = "activations"


def loss_of(output: Any) -> torch.Tensor:
    """The loss in a model's output, or the sum of its first tensor where it has none."""
    if isinstance(output, torch.Tensor):
        return output if output.dim() == 0 else output.sum()
    loss = output.get("loss") if hasattr(output, "get") else getattr(output, "loss", None)
    if loss is None:
        first = next(part for part in output.values() if part.requires_grad)
        loss = first if first.dim() == 0 else first.sum()
    result: torch.Tensor = loss
    return result


def planned(module: Any, plan: Plan) -> Any:
    """The module in the plan's type, with its adapters and checkpoints."""
    module.train()
    if plan.precision in _STORED:
        module = module.to(_STORED[plan.precision])
    causal = module
    checkpointing = plan.activation_checkpointing
    if checkpointing.policy == "every_n":
        _checkpoint_every(module, checkpointing.every)
    if checkpointing.policy == "named":
        for name in checkpointing.modules:  # plain paths here
            part = module.get_submodule(name)
            part.forward = partial(checkpoint, part.forward, use_reentrant=False)
    if plan.adapters.method == "lora":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=plan.adapters.rank, lora_alpha=16, target_modules=list(plan.adapters.target_modules)
        )
        module = get_peft_model(module, config)
    if plan.loss.method != "whole":
        compute_type = torch.bfloat16 if plan.precision == "bf16_mixed" else None
        recomputed = plan.loss.method == "recomputed"
        chunk_loss(causal, plan.loss.chunks, compute_type=compute_type, recomputed=recomputed)
    if checkpointing.policy == "full":
        module.activation_checkpointing_enable({"use_reentrant": False})
    return module


def _checkpoint_every(module: Any, every: int) -> None:
    """Recomputes every ``every``-th of transformers' blocks."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    for part in module.modules():
        if isinstance(part, torch.nn.ModuleList):
            for place, block in enumerate(part):
                if isinstance(block, GradientCheckpointingLayer) and place % every == 0:
                    block.forward = partial(checkpoint, block.forward, use_reentrant=False)


def _autocast(plan: Plan) -> Any:
    if plan.precision in {"bf16_mixed", "bf16_autocast"}:
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


def _optimizer(module: Any, plan: Plan) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return _optimizer_of(parameters, plan)


def _optimizer_of(parameters: list[Any], plan: Plan) -> torch.optim.Optimizer:
    section = plan.optimizer
    options: dict[str, Any] = {"foreach": section.implementation == "foreach"}
    if section.implementation == "fused":
        options = {"fused": True}
    if section.momentum:
        options["momentum"] = section.momentum
    return _OPTIMIZERS[section.name](parameters, lr=1e-5, weight_decay=0.01, **options)
