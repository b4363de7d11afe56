"""What CPU kernels take for themselves: measured once for each kind of call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from memplanner.estimate import estimate
from memplanner.messages.device import Device
from memplanner.tape import scratch
from memplanner.tape.record import record
from memplanner.tape.tape import WORKSPACES, Tape
from tests.estimate.recordings import CPU, H100, META, planned, recipe, record_whole, tiny
from tests.truth.small_models import CNN

aten = torch.ops.aten
HALF = torch.bfloat16
HERE = Device(name="cpu", kind="cpu", memory_bytes=2**34)


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def convolution(batch_size: int = 2, width: int = 16) -> tuple[Any, tuple[Any, ...]]:
    args = (
        empty(batch_size, 3, width, width), empty(8, 3, 3, 3), None, [1, 1], [1, 1], [1, 1],
        False, [0, 0], 1,
    )  # fmt: skip
    return aten.convolution.default, args


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many calls each measurement ran; what is known already is forgotten for the test."""
    counts: list[int] = []
    real = scratch._run

    def counted(calls: Any) -> Any:
        counts.append(len(calls))
        return real(calls)

    monkeypatch.setattr(scratch, "_run", counted)
    monkeypatch.setattr(scratch, "_known", {})
    return counts


def test_each_kind_of_call_is_run_once(runs: list[int]) -> None:
    func, args = convolution()
    call = scratch.describe(func, args, {})
    assert call is not None
    first = scratch.measure([call, call])
    assert scratch.measure([call]) == first[:1]
    assert first[0] == first[1] >= 0
    assert runs == [1]
    func, args = convolution(batch_size=3)
    other = scratch.describe(func, args, {})
    assert other is not None
    scratch.measure([call, other])
    assert runs == [1, 1]


def test_another_number_of_threads_is_another_measurement(runs: list[int]) -> None:
    func, args = convolution()
    call = scratch.describe(func, args, {})
    assert call is not None
    scratch.measure([call])
    torch.set_num_threads(2)
    try:
        scratch.measure([call])
    finally:
        torch.set_num_threads(1)
    assert runs == [1, 1]


def test_attention_takes_scratch_on_every_processor() -> None:
    parts = [empty(1, 2, 64, 8) for _ in range(3)]
    func = aten._scaled_dot_product_flash_attention_for_cpu.default
    call = scratch.describe(func, (*parts, 0.0, True), {})
    assert call is not None
    (size,) = scratch.measure([call])
    assert size > 0


def test_the_measurement_leaves_the_tensors_out() -> None:
    """Scratch is what goes beyond the results, whatever their size."""
    assert scratch._beyond_results([100, 50, -50]) == 50
    assert scratch._beyond_results([100, -100, 30]) == 70
    assert scratch._beyond_results([]) == 0


@pytest.mark.parametrize(
    ("func", "args"),
    [
        (aten.mm.default, (empty(4, 4), empty(4, 4))),
        (aten.add.Tensor, (empty(4), empty(4))),
        (aten.mm.default, (empty(0, 4, dtype=HALF), empty(4, 4, dtype=HALF))),
        (aten.mm.default, (empty(2000, 2000, dtype=HALF), empty(2000, 2000, dtype=HALF))),
        convolution(batch_size=5000, width=64),
    ],
    ids=["a full product", "a sum", "nothing", "too much work", "too large"],
)
def test_calls_that_take_nothing_or_too_long_are_left_out(func: Any, args: tuple[Any, ...]) -> None:
    assert scratch.describe(func, args, {}) is None


def workspaces(tape: Tape) -> list[int]:
    return tape.size_bytes[tape.category == WORKSPACES].tolist()


def test_only_steps_for_this_cpu_have_workspaces(tmp_path: Path) -> None:
    model = recipe(tmp_path, CNN)
    here = workspaces(record_whole(model, planned(2, 1), CPU))
    assert here
    assert workspaces(record_whole(model, planned(2, 1), H100)) == []


def test_scratch_dies_where_it_is_born(tmp_path: Path) -> None:
    tape = record_whole(recipe(tmp_path, CNN), planned(2, 1), CPU)
    for index in range(len(tape.events) - 1):
        event = int(tape.events[index])
        if event > 0 and tape.category[event - 1] == WORKSPACES:
            assert tape.events[index + 1] == -event
            assert tape.context[index] == tape.context[index + 1]


def test_models_for_another_machine_are_not_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    import memplanner.tape.record as recording

    model = tiny("llama", num_hidden_layers=1)
    size = sum(part.nbytes for part in model.build(META).parameters())
    monkeypatch.setattr(recording, "LARGEST_MODEL_BYTES", size - 1)
    assert workspaces(record(model, planned(2, 8), CPU, model.build(META))) == []
    monkeypatch.setattr(recording, "LARGEST_MODEL_BYTES", size)
    assert workspaces(record(model, planned(2, 8), CPU, model.build(META)))


def test_scratch_is_told_apart_from_tensors(tmp_path: Path) -> None:
    """The peak with scratch, in the category of its own."""
    model = recipe(tmp_path, CNN)
    tape = record_whole(model, planned(8, 1), CPU)
    prediction = estimate(model, planned(8, 1), HERE)
    assert prediction.peak.allocated_bytes == tape.curve_bytes.max()
    assert prediction.peak.by_category.total_bytes - prediction.peak.by_category.workspaces == max(
        prediction.timeline.allocated_bytes
    )
    assert sum(row.workspaces_bytes for row in prediction.layers) == prediction.scratch_bytes >= 0
