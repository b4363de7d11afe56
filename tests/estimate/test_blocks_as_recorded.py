"""Plans that name other blocks share one recording, and each is the step recorded whole."""

from __future__ import annotations

from typing import Any

import pytest

from memplanner.estimate.blocks_as_recorded import AlikeBlocks
from memplanner.estimate.composing import STATELESS
from memplanner.estimate.cutting import cuts
from memplanner.estimate.recorder import Recorder
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests.estimate.recordings import H100, META, differences, planned, recorded_whole, tiny


def naming(count: int, section: str = "activation_checkpointing", **values: Any) -> Plan:
    """A plan that says something of the first so many blocks."""
    names = tuple(f"model.layers.{number}" for number in range(count))
    key = {"activation_checkpointing": "policy", "activation_offload": "to"}[section]
    said = {f"{section}__{key}": "named" if key == "policy" else "host"}
    return planned(2, 24, precision="bf16", **said, **{f"{section}__modules": names}, **values)


def recorded_alone(model: Model, plan: Plan) -> Any:
    with recorded_whole():
        return Recorder(model)._recordings.record(plan, H100, (2, 24), ())


@pytest.mark.parametrize("section", ["activation_checkpointing", "activation_offload"])
def test_any_number_of_first_blocks_is_one_recording(section: str) -> None:
    model = tiny("llama", num_hidden_layers=14)
    records = Recorder(model)
    made = []
    for count in (6, 7, 9):
        plan = naming(count, section)
        tape, method = records.tape(plan, H100)
        assert differences(tape, recorded_alone(model, plan)) == []
        assert "folded" in method
        made.append(records._recordings.made)
    assert made == [made[0]] * 3


def test_an_update_does_not_know_which_blocks_are_recomputed() -> None:
    records = Recorder(tiny("llama", num_hidden_layers=14))
    records.tape(naming(6), H100)
    known = len(records._recordings._composing._updates)
    records.tape(naming(8, "activation_offload"), H100)
    assert len(records._recordings._composing._updates) == known


def test_what_is_said_of_other_places_is_another_recording() -> None:
    model = tiny("llama", num_hidden_layers=14)
    alike = AlikeBlocks.of(model.build(META))
    assert alike is not None
    first = naming(7)
    last = first.with_values(
        {"activation_checkpointing.modules": [f"model.layers.{n}" for n in range(7, 14)]}
    )
    keys = [alike.keys(plan, cuts(model.build(META), plan)) for plan in (first, last)]
    assert keys[0] is not None
    assert keys[1] is not None
    assert keys[0].forwards != keys[1].forwards
    assert keys[0].updates == keys[1].updates
    inside = first.with_values({"activation_checkpointing.modules": ["model.layers.0.mlp"]})
    assert alike.keys(inside, ()) is None
    quantized = first.with_values(
        {"quantization.method": "nf4", "quantization.per_layer": ["model.layers.3.*=8"]}
    )
    assert alike.keys(quantized, ()) is None


def test_blocks_that_differ_are_told_apart_by_their_numbers() -> None:
    assert AlikeBlocks.of(tiny("t5").build(META)) is None
    assert AlikeBlocks.of(tiny("gemma3").build(META)) is None


@pytest.mark.parametrize(
    "values", [{}, {"sharding__cards_per_node": 4, "sharding__data": "zero_3"}]
)
def test_a_step_with_the_optimizer_of_the_recording_needs_no_other_one(
    values: dict[str, Any],
) -> None:
    model = tiny("llama", num_hidden_layers=2)
    plan = planned(2, 24, **values).model_copy(update={"optimizer": STATELESS})
    recordings = Recorder(model)._recordings
    made = recordings.record(plan, H100, (2, 24), ())
    assert not recordings._composing._updates
    whole = recorded_alone(model, plan)
    assert differences(made, whole) == []
    assert made.notes == whole.notes
    assert made.gradients is None
