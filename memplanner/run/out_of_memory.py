"""Running out of memory, understood: what was asked for, where, and what to change."""

from __future__ import annotations

import re

import torch

from memplanner.messages.estimate import CATEGORIES
from memplanner.messages.run import RunFigures
from memplanner.plan import Plan
from memplanner.units import format_bytes

_CPU_REFUSAL = re.compile(r"(?:not enough memory|can't allocate memory).*?(\d+) bytes", re.DOTALL)
_CUDA_REFUSAL = re.compile(r"Tried to allocate ([\d.]+) (KiB|MiB|GiB)")
_FACTOR = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and _CPU_REFUSAL.search(str(error)) is not None


def asked_bytes(error: BaseException) -> int | None:
    """What the refused allocation asked for, where the message says it."""
    text = str(error)
    match = _CPU_REFUSAL.search(text)
    if match:
        return int(match[1])
    match = _CUDA_REFUSAL.search(text)
    return round(float(match[1]) * _FACTOR[match[2]]) if match else None


def advice(plan: Plan, predicted: RunFigures) -> str:
    """What to change first: for the largest category, choices that the plan has not made."""
    sizes = {name: getattr(predicted.by_category, name) for name in CATEGORIES}
    largest = max(sizes, key=lambda name: sizes[name])
    halves = plan.precision in {"bf16", "fp16"}
    options: list[str] = []
    if largest in {"activations", "temporaries"}:
        if plan.training.batch_size > 1:
            options.append("a smaller micro-batch with more accumulation")
        if plan.activation_checkpointing.policy == "none":
            options.append("activation_checkpointing.policy=full")
        options.append("a shorter sequence")
    else:
        if plan.adapters.method == "none":
            options.append("adapters.method=lora")
        if largest == "optimizer_state" and plan.optimizer.name in {"adamw", "adam"}:
            options.append("optimizer.name=adafactor")
        if not halves:
            options.append("precision=bf16")
        options.append("a smaller model")
    name = largest.replace("_", " ")
    return f"{name} are the largest part ({format_bytes(sizes[largest])}); try {options[0]}"
