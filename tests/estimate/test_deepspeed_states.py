from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.estimate.deepspeed.states import beside_states, zero_2_states, zero_3_states
from memplanner.messages.estimate import CATEGORIES, Categories
from tests.estimate.deepspeed_numbers import FILE

NUMBERS = json.loads(FILE.read_text())
COUNTS = st.integers(1, 2 * 10**12)
CARDS = st.integers(1, 64)


def test_states_are_what_deepspeed_said_when_it_was_asked() -> None:
    assert len(NUMBERS["rows"]) == 150
    for stage, count, layer, cards, nodes, away, parameters_away, built, *said in NUMBERS["rows"]:
        if stage == 2:
            found = zero_2_states(count, cards, nodes, offload_optimizer=away)
        else:
            found = zero_3_states(
                count, layer, cards, nodes, offload_optimizer=away,
                offload_parameters=parameters_away, built_in_shares=built,
            )  # fmt: skip
        assert list(found) == said


@pytest.fixture(scope="module")
def estimators() -> tuple[Any, Any]:
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    why = "deepspeed is not installed; deepspeed_numbers.json stands for it"
    two = pytest.importorskip("deepspeed.runtime.zero.stage_1_and_2", reason=why)
    three = pytest.importorskip("deepspeed.runtime.zero.stage3", reason=why)
    return two.estimate_zero2_model_states_mem_needs, three.estimate_zero3_model_states_mem_needs


@given(count=COUNTS, layer=COUNTS, cards=CARDS, nodes=CARDS, away=st.booleans(),
       parameters_away=st.booleans(), built=st.booleans())  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_states_are_deepspeeds_own(
    estimators: tuple[Any, Any], count: int, layer: int, cards: int, nodes: int, *,
    away: bool, parameters_away: bool, built: bool,
) -> None:  # fmt: skip
    two, three = estimators

    assert zero_2_states(count, cards, nodes, offload_optimizer=away) == two(
        count, cards, nodes, cpu_offload=away
    )
    assert (
        zero_3_states(
            count, layer, cards, nodes, offload_optimizer=away,
            offload_parameters=parameters_away, built_in_shares=built,
        )
        == three(
            count, layer, cards, nodes, cpu_offload=away,
            cpu_offload_params=parameters_away, zero_init=built,
        )[:2]
    )  # fmt: skip


@given(
    estimated=st.integers(0, 10**13),
    sizes=st.tuples(*[st.integers(0, 10**12)] * len(CATEGORIES)),
)
def test_the_rows_from_the_estimate_to_the_peak_add_up(
    estimated: int, sizes: tuple[int, ...]
) -> None:
    peak = Categories(**dict(zip(CATEGORIES, sizes, strict=True)))

    assert sum(row.size_bytes for row in beside_states(estimated, peak)) == peak.total_bytes
