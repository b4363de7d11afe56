from __future__ import annotations

from typing import Any

import pytest
import torch

import memplanner as mp
from memplanner.messages.estimate import CATEGORIES, Categories
from memplanner.messages.run import RunFigures
from memplanner.run.out_of_memory import advice, asked_bytes, is_out_of_memory
from tests.run.recipes import ABSURD

CPU = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 281474976710656 bytes. Error code 12 (Cannot allocate memory)"
)
WINDOWS = (
    "[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory: you tried "
    "to allocate 8589934592 bytes."
)
CUDA = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.69 GiB of "
    "which 1.31 GiB is free. Including non-PyTorch memory, this process has 22.36 GiB memory in "
    "use. Of the allocated memory 21.87 GiB is allocated by PyTorch, and 89.04 MiB is reserved by "
    "PyTorch but unallocated. If reserved but unallocated memory is large try setting "
    "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (RuntimeError(CPU), 2**48),
        (RuntimeError(WINDOWS), 2**33),
        (torch.OutOfMemoryError(CUDA), 2**31 + 2**29),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), 20 * 2**20),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 512 bytes."), 512),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might …"), None),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), None),
        (MemoryError(), None),
    ],
)
def test_refusals_are_understood(error: BaseException, asked: int | None) -> None:
    assert is_out_of_memory(error)
    assert asked_bytes(error) == asked


def test_a_real_refusal() -> None:
    with pytest.raises(RuntimeError) as refused:
        eval(ABSURD, {"torch": torch})  # noqa: S307 - the test's own constant
    assert is_out_of_memory(refused.value)
    assert asked_bytes(refused.value) == 2**48


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        ValueError(CPU),
        KeyError("memory"),
    ],
)
def test_other_errors_are_not_out_of_memory(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def _advice(largest: str, **plan: Any) -> str:
    parts = Categories(**{largest: 3 * 2**30})
    figures = RunFigures(
        allocated_bytes=parts.total_bytes, phase="forward", by_category=parts, by_phase={}
    )
    return advice(mp.Plan.model_validate(plan), figures)


def test_advice_is_for_the_largest_part_and_new_to_the_plan() -> None:
    assert "activations (3.0 GiB)" in _advice("activations")
    assert "activation_checkpointing.policy=full" in _advice("activations")
    checkpointed = {"activation_checkpointing": {"policy": "full"}}
    assert "checkpointing" not in _advice("activations", **checkpointed)
    assert "smaller micro-batch" in _advice("activations", training={"batch_size": 4})
    assert "adapters.method=lora" in _advice("parameters")
    assert "precision=bf16" in _advice(
        "gradients", precision="fp32", adapters={"method": "lora", "rank": 4}
    )
    assert "optimizer state (3.0 GiB)" in _advice("optimizer_state")
    assert "optimizer.name=adafactor" in _advice("optimizer_state")


@pytest.mark.parametrize("largest", CATEGORIES)
def test_there_is_always_something_to_try(largest: str) -> None:
    everything = {
        "activation_checkpointing": {"policy": "full"},
        "adapters": {"method": "lora", "rank": 4},
        "optimizer": {"name": "sgd"},
        "precision": "bf16",
    }
    assert _advice(largest, **everything).split("so try ")[1]
