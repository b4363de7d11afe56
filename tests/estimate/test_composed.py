"""A step made of forward and backward and of an optimizer's update is the step recorded whole."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from memplanner.errors import EstimateError
from memplanner.estimate.recorder import Recorder
from memplanner.estimate.step_work import at_one_point
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.space import possible
from memplanner.tape.tape import Tape
from memplanner.techniques.target import Target
from tests.estimate.recordings import CPU, H100, differences, planned, recorded_whole, tiny

FOUR_CARDS = {"sharding__cards_per_node": 4}
OPTIMIZERS: tuple[dict[str, Any], ...] = (
    {"optimizer__implementation": "fused"},
    {"optimizer__implementation": "bitsandbytes_8bit"},
    {"optimizer__name": "adafactor"},
    {"optimizer__name": "sgd", "optimizer__implementation": "foreach"},
)
ALONE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("llama", {}),
    ("llama", {"optimizer__update": "in_backward"}),
    ("llama", {"offload__optimizer": "host"}),
)
LOOPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("gpt2", {"training__zero_grad": "before_backward", "training__outputs": "until_next_output"}),
    ("gpt2", {"training__gradient_accumulation_steps": 2, "loss__method": "chunked"}),
    ("llama", {"adapters__method": "lora", "quantization__method": "nf4"}),
    ("llama", {**FOUR_CARDS, "sharding__data": "zero_3"}),
    ("llama", {**FOUR_CARDS, "sharding__data": "zero_2", "optimizer__update": "in_backward"}),
    ("llama", {**FOUR_CARDS, "sharding__data": "zero_1"}),
)
CASES = [*product(ALONE, OPTIMIZERS), *product(LOOPS, OPTIMIZERS[::3])]


def both(model: Model, plan: Plan, target: Target) -> tuple[Tape, Tape]:
    """The step made of two recordings, and the same step recorded whole."""
    records = Recorder(model)
    point, recordings = records.point(plan), records._recordings
    made = recordings.record(plan, target, point, ())
    assert recordings._composing.count == 1, "not made of parts"
    with recorded_whole():
        return made, recordings.record(plan, target, point, ())


def work_of(tape: Tape) -> list[Any]:
    """What the kernels do, kind by kind."""
    table = at_one_point(tape.work)
    return [
        np.asarray(getattr(table, name)).tolist()
        for name in ("phase", "part", "kind", "precision", "flops", "moved_bytes", "count")
    ]


@pytest.mark.parametrize(("step", "optimizer"), CASES, ids=str)
def test_a_composed_step_is_the_recorded_one(
    step: tuple[str, dict[str, Any]], optimizer: dict[str, Any]
) -> None:
    family, values = step
    model = tiny(family, num_hidden_layers=2) if family == "llama" else tiny(family)
    plan = planned(2, 24, precision="bf16", **values, **optimizer)
    if not possible(plan, H100):
        pytest.skip("8 bits are the device's")
    made, whole = both(model, plan, H100)
    assert differences(made, whole) == []
    assert made.notes == whole.notes
    assert work_of(made) == work_of(whole)
    assert [one.host_bytes for one in made.storages] == [one.host_bytes for one in whole.storages]


def test_a_composed_step_of_a_cpu_has_its_kernels_scratch() -> None:
    made, whole = both(tiny("gpt2"), planned(2, 24), CPU)
    assert differences(made, whole) == []


def test_optimizers_share_one_forward_and_backward() -> None:
    model = tiny("llama", num_hidden_layers=2)
    recordings = Recorder(model)._recordings
    for values in OPTIMIZERS:
        for when in ("after_backward", "in_backward"):
            plan = planned(2, 24, **values, optimizer__update=when)
            recordings.record(plan, H100, (2, 24), ())
    assert recordings.made == 1


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer__projection": "galore", "optimizer__rank": 2},
        {"optimizer__name": "adagrad", "optimizer__update": "in_backward"},
        {"offload__optimizer": "host", "training__gradient_accumulation_steps": 2},
        {"pruning__structure": "unstructured"},
    ],
    ids=str,
)
def test_what_does_not_divide_is_recorded_whole(values: dict[str, Any]) -> None:
    recordings = Recorder(tiny("llama", num_hidden_layers=2))._recordings
    recordings.record(planned(2, 24, **values), H100, (2, 24), ())
    assert recordings._composing.count == 0


def test_an_optimizer_that_gives_up_leaves_the_cut_model_as_it_is() -> None:
    """Or all that is recorded after it would be recorded whole."""
    records = Recorder(tiny("llama", num_hidden_layers=8))
    sharded = {**FOUR_CARDS, "sharding__data": "zero_3"}
    with pytest.raises(EstimateError, match="pow_"):
        records.tape(planned(2, 24, **sharded, optimizer__name="adafactor"), H100)
    _, method = records.tape(planned(2, 24, **sharded), H100)
    assert "8 blocks folded" in method
