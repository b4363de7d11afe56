"""What the allocators say of a step, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from memplanner.run.allocator_truth import (
    AllocatorPeak,
    watch_cpu_allocator,
    watch_cuda_allocator,
)
from memplanner.run.failure import FaultWatch
from memplanner.run.trainer import StepResult, measured_figures
from memplanner.tape.steady import Ownership

MIB = 2**20


def test_the_cpus_account_is_of_new_blocks() -> None:
    before = torch.ones(3 * MIB)
    with watch_cpu_allocator() as peak:
        kept = torch.ones(MIB)
        del before  # in no account of what came after it
        passing = torch.ones(2 * MIB)
        del passing
        torch.ones(MIB // 2)
    assert kept.numel() == MIB
    assert peak.new_bytes == 12 * MIB
    assert (peak.allocated_bytes, peak.reserved_bytes) == (None, None)


def test_a_cards_counters_start_with_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = {"peak": 900}
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: counter.update(peak=100)
    )
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: counter["peak"])
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 2 * counter["peak"])
    with watch_cuda_allocator(torch.device("cuda", 0)) as peak:
        counter["peak"] += 50
    assert (peak.allocated_bytes, peak.reserved_bytes) == (150, 300)
    assert peak.new_bytes is None


@pytest.fixture
def step() -> StepResult:
    """A step of one forward with 8 MiB of parameters and 4 MiB of output."""
    module = nn.Linear(2 * MIB, 1, bias=False)
    watch = FaultWatch(module)
    owned = Ownership(watch)
    with watch:
        watch.phase("load", 0)
        owned.note_module(module)
        watch.phase("forward", 0)
        output = torch.ones(MIB)
        watch.phase("between_steps", 0)
        del output
    return StepResult(0.0, 0.0, 12 * MIB, watch, owned, 4 * MIB, None)


def test_scratch_is_what_is_beyond_the_new_tensors(step: StepResult) -> None:
    plain = measured_figures(step, device_bytes=7)
    assert plain.allocated_bytes == 12 * MIB
    assert plain.by_category.parameters == 8 * MIB
    assert (plain.by_category.workspaces, plain.device_bytes) == (0, 7)
    peak = AllocatorPeak()
    peak.new_bytes = 5 * MIB
    profiled = measured_figures(replace(step, allocator=peak), device_bytes=None)
    assert profiled.by_category.workspaces == MIB
    assert profiled.allocated_bytes == profiled.by_category.total_bytes == 13 * MIB


def test_a_cards_peak_is_its_allocators(step: StepResult) -> None:
    peak = AllocatorPeak()
    peak.allocated_bytes, peak.reserved_bytes = 3 * MIB, 20 * MIB
    figures = measured_figures(replace(step, allocator=peak), device_bytes=30 * MIB)
    assert figures.allocated_bytes == figures.by_category.total_bytes == 3 * MIB
    assert figures.reserved_bytes == 20 * MIB
    assert figures.by_category.parameters == 0  # these tensors are the host's
