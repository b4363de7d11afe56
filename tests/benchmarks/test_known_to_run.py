"""What public tables show running is never called impossible at its expected value."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch

from benchmarks.known_to_run import Found, Ran, ask, fullest, known
from benchmarks.reference.models import mpt
from memplanner.hardware import find_device
from memplanner.plan import Plan

NEAREST = ("R088", "MPT 30b, 1 × 8192", "MPT 3b, 3 × 8192", "MPT 760m, 3 × 16384")
"""Those of the tables that left least of their cards; ``python -m benchmarks.known_to_run`` asks
of all 136."""
ROWS = {row.name: row for row in fullest(known())}


@pytest.mark.slow
@pytest.mark.parametrize("name", NEAREST)
def test_what_ran_is_called_possible(name: str) -> None:
    found = ask(ROWS[name])

    assert found.verdict in ("fits", "at_risk")
    assert found.expected_bytes <= found.capacity_bytes
    assert found.searched in ("fits", "at_risk", None)
    assert found.possible
    assert found.expected_bytes > 0.8 * found.capacity_bytes  # it is a narrow case


def test_all_tables_are_asked() -> None:
    tables = Counter(row.table for row in known())
    assert tables["llm-foundry"] == 87
    assert sum(tables.values()) == 136
    cards = {row.name: row.device for row in known() if row.table == "torchtitan"}
    larger = {name for name, card in cards.items() if card.memory_bytes == 96 * 10**9}
    assert larger == {"R001", "R003", "R005", "R007", "R009", "R011", "R013"}
    assert {cards[name].name for name in cards.keys() - larger} == {"H200 141GB", "B200 180GB"}


def test_the_fullest_stands_for_those_that_are_alike() -> None:
    device = find_device("A100 80GB")
    rows = [
        Ran("t", name, "preset:gpt2", (), device, Plan(), filled, alike)
        for name, filled, alike in (("a", 1, "x"), ("b", 3, "x"), ("c", 2, "x"), ("d", 1, "y"))
    ]
    assert [row.name for row in fullest(rows)] == ["b", "d"]


def test_each_way_of_calling_it_impossible_counts() -> None:
    ran = next(iter(ROWS.values()))
    fine = Found(ran, 9, 10, "at_risk", "at_risk", ruled_out=False)
    assert fine.possible
    assert not replace(fine, expected_bytes=11).possible
    assert not replace(fine, verdict="does_not_fit").possible
    assert not replace(fine, searched="does_not_fit").possible
    assert not replace(fine, ruled_out=True).possible


@pytest.mark.parametrize(
    ("name", "published"),
    [("mpt_7b_2048", 6_658_859_008), ("mpt_30b_8192", 30_019_254_272)],
)
def test_mpt_has_the_published_parameters(name: str, published: int) -> None:
    with torch.device("meta"):
        module = getattr(mpt, name)()

    assert sum(one.numel() for one in module.parameters()) == published


def test_another_size_has_no_model() -> None:
    with pytest.raises(AttributeError, match="mpt_8b_2048"):
        _ = mpt.mpt_8b_2048
