"""What is written for a trainer is read back as it was meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.importing.found import Found
from memplanner.importing.keys import Keys
from memplanner.importing.models import HUB_NAMES, hub_name, source_of
from memplanner.importing.optimizer_words import WORDS, optimizer_words, read_optimizer
from memplanner.importing.torchtitan_stages import blocks_of_stages, weights_of
from memplanner.plan import Plan


def again(changes: dict[str, Any]) -> Plan:
    """The plan that a trainer's words for the optimizer of these values are read as."""
    plan = Plan().with_values(changes)
    found = Found(trainer="t", title="t", base=Plan())
    read_optimizer(Keys(optimizer_words(plan.optimizer), "it"), found)
    assert found.no_place == []
    return Plan().with_values(found.values)


@pytest.mark.parametrize("pair", sorted(set(WORDS.values())), ids="-".join)
def test_an_optimizer_with_a_word_comes_back(pair: tuple[str, str]) -> None:
    changes = {"optimizer.name": pair[0], "optimizer.implementation": pair[1]}
    assert again(changes) == Plan().with_values(changes)


@pytest.mark.parametrize("update", ["after_backward", "in_backward"])
def test_a_projection_comes_back_with_its_numbers(update: str) -> None:
    changes = {
        "optimizer.name": "adamw", "optimizer.implementation": "for_loop",
        "optimizer.projection": "galore", "optimizer.update": update, "optimizer.rank": 4,
        "optimizer.update_gap": 7, "optimizer.scale": 0.5,
    }  # fmt: skip
    assert again(changes) == Plan().with_values(changes)


def test_momentum_comes_back() -> None:
    changes = {"optimizer.name": "sgd", "optimizer.momentum": 0.5}
    assert again(changes) == Plan().with_values(changes)


def test_what_has_no_word_is_written_as_the_nearest() -> None:
    plan = Plan().with_values({"optimizer.name": "adam", "optimizer.implementation": "fused"})
    assert optimizer_words(plan.optimizer) == {"optim": "adamw_torch"}


@given(
    blocks=st.integers(1, 130), stages=st.integers(1, 16), first=st.integers(0, 4),
    last=st.integers(0, 4),
)  # fmt: skip
def test_weights_that_are_found_give_the_same_stages(
    blocks: int, stages: int, first: int, last: int
) -> None:
    counts = blocks_of_stages(blocks, stages, first, last)
    assert sum(counts) == blocks
    found = weights_of(counts)
    if max(first, last) <= (blocks + first + last) // stages:  # what torchtitan takes
        assert found is not None
    if found is not None:
        assert blocks_of_stages(blocks, stages, *found) == counts


def test_stages_that_no_weights_give_have_none() -> None:
    assert weights_of((4, 1, 9, 4)) is None


def test_the_hubs_name_of_a_preset_means_the_preset() -> None:
    for preset, hub in HUB_NAMES.items():
        assert hub_name(f"preset:{preset}") == hub
        assert source_of(hub) == f"preset:{preset}"
    assert hub_name("org/own") == source_of("org/own") == "org/own"
