"""Published step times beside their estimates."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.throughput import GENERATIONS, ROWS, read_rows
from memplanner.hardware import find_device
from memplanner.hardware.rates import OLD_ATTENTION, Efficiency


def test_every_row_names_a_card_and_a_step() -> None:
    with ROWS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 87
    for row in rows:
        assert find_device(row["card"]).name in GENERATIONS
        assert float(row["tokens_per_second_per_card"]) > 0
        assert row["checkpointing"] in ("none", "full")


@pytest.mark.slow
def test_published_steps_of_a_model_are_estimated_within_an_eighth(tmp_path: Path) -> None:
    rows = read_rows(tmp_path, "MPT 1b")
    assert {row.card for row in rows} == set(GENERATIONS)
    for row in rows:
        name, known = GENERATIONS[row.card]
        parts = Efficiency(
            products=known.products, attention=OLD_ATTENTION[name], memory=known.memory
        )
        assert 7 / 8 < row.ratio(parts) < 9 / 8, row.name
