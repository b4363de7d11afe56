"""A stage that is unfolded on paper is what a recording of the whole stage gives."""

from __future__ import annotations

from typing import Any

import pytest

from memplanner.techniques.target import Target
from tests.estimate.recordings import differences, planned, record_folded, record_whole, tiny

ONE_EACH = {"cards_per_node": 2}
TWO_EACH = {"cards_per_node": 4}
LOOPED = {"schedule": "interleaved_1f1b", "stage_blocks": (1, 5, 5, 1)}
CHECKPOINTED = {"activation_checkpointing__policy": "full"}
MIXED = {"precision": "bf16_mixed"}

CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (ONE_EACH, {}),
    ({**ONE_EACH, "schedule": "gpipe"}, CHECKPOINTED),
    ({**ONE_EACH, **LOOPED}, {}),
    ({**ONE_EACH, **LOOPED, "schedule": "zero_bubble"}, {}),
    ({**TWO_EACH, "tensor": 2}, MIXED),
    ({**TWO_EACH, "data": "zero_2"}, {}),
    ({**TWO_EACH, "data": "zero_2", "schedule": "gpipe"}, {**MIXED, **CHECKPOINTED}),
    ({**TWO_EACH, "data": "zero_2", **LOOPED}, MIXED),
    ({**TWO_EACH, "data": "zero_3"}, {**MIXED, **CHECKPOINTED}),
    ({**TWO_EACH, "data": "zero_3", **LOOPED}, {}),
    ({"cards_per_node": 8, "tensor": 2, "data": "zero_2"}, {**MIXED, **CHECKPOINTED}),
]


def _title(values: dict[str, Any]) -> str:
    return " ".join(str(part) for part in values.values()) or "-"


@pytest.mark.parametrize(("sharding", "values"), CASES, ids=_title)
def test_a_folded_stage_is_the_whole_one(sharding: dict[str, Any], values: dict[str, Any]) -> None:
    section = {"pipeline": 2, "stage_blocks": (6, 6), **sharding}
    plan = planned(
        2, 16, training__gradient_accumulation_steps=3,
        **{f"sharding__{key}": value for key, value in section.items()}, **values,
    )  # fmt: skip
    model = tiny("llama", num_hidden_layers=12, num_attention_heads=4, num_key_value_heads=2)
    for stage in range(2):
        target = Target(rank=stage * section["cards_per_node"] // 2)
        folded = record_folded(model, plan, target)
        assert folded is not None, "nothing was folded"
        assert differences(folded, record_whole(model, plan, target)) == []
