"""Running out of memory, understood: what was asked for, and what to change."""

from __future__ import annotations

import re

import torch

from memplanner.messages.estimate import CATEGORIES
from memplanner.messages.run import RunFigures
from memplanner.plan import Plan
from memplanner.units import format_bytes

_CPU_REFUSAL = re.compile(r"(?:not enough memory|can't allocate memory).*?(\d+) bytes", re.DOTALL)
_CUDA_REFUSAL = re.compile(r"Tried to allocate ([\d.]+) (bytes|KiB|MiB|GiB)")
_LIBRARY_REFUSAL = re.compile(r"CUDA error: out of memory|(?:CUBLAS|CUDNN)_STATUS_ALLOC_FAILED")
_FACTOR = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(
        sign.search(text) for sign in (_CPU_REFUSAL, _LIBRARY_REFUSAL)
    )


def asked_bytes(error: BaseException) -> int | None:
    """What the refused allocation asked for, where the message says it.

    The messages are those of ``c10/core/impl/alloc_cpu.cpp`` and
    ``c10/cuda/CUDACachingAllocator.cpp``, which rounds to two decimals.
    """
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
    choices: list[str] = []
    if largest in {"activations", "temporaries", "workspaces", "inputs"}:
        if plan.training.batch_size > 1:
            choices.append("a smaller micro-batch with more accumulation")
        if plan.activation_checkpointing.policy == "none":
            choices.append("activation_checkpointing.policy=full")
        choices.append("a shorter sequence")
    else:
        if plan.adapters.method == "none":
            choices.append("adapters.method=lora")
        if largest == "optimizer_state" and plan.optimizer.name in {"adamw", "adam"}:
            choices.append("optimizer.name=adafactor")
        if plan.precision not in {"bf16", "fp16"}:
            choices.append("precision=bf16")
        choices.append("a smaller model")
    name = largest.replace("_", " ")
    tried = " or ".join(choices[:2])
    return f"the largest part is {name} ({format_bytes(sizes[largest])}), so try {tried}"
