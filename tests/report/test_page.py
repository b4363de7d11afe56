"""The report: the same text for the same inputs, nothing from elsewhere, every name harmless.

``MEMPLANNER_WRITE_GOLDEN=1 pytest tests/report`` writes the golden file anew.
"""

from __future__ import annotations

import csv
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.plan import Plan
from memplanner.report import page
from memplanner.report.differences import Compared
from memplanner.report.layers import layer_table, layers_csv
from memplanner.report.measured import measured_rows
from memplanner.report.page import Report
from tests.report.estimates import PLAN, estimate, run

GOLDEN = Path(__file__).parent / "golden" / "report.html"
VERSIONS = {"memplanner": "0.1.0", "torch": "2.13.0"}
RECOMPUTED = PLAN.with_values({"activation_checkpointing.policy": "full"})


def report(date: str = "2026-01-31") -> Report:
    made = estimate(3, seconds=1.5, notes=("One note.",))
    return Report(
        estimate=made,
        versions=VERSIONS,
        date=date,
        name="as it is",
        others=(
            Compared("recomputed", estimate(1, RECOMPUTED, seconds=2.0)),
            Compared("impossible", None, "It needs a GPU; choose another device."),
        ),
        run=run(made, 1.04),
    )


class Reader(HTMLParser):
    """What a browser would see."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_text_is_the_golden_one() -> None:
    text = page.html(report())
    if os.environ.get("MEMPLANNER_WRITE_GOLDEN"):
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def test_only_the_date_differs_between_two_reports_of_the_same() -> None:
    one, other = page.html(report()), page.html(report("2027-12-01"))
    assert one != other
    assert one.replace("2026-01-31", "2027-12-01") == other


def test_it_is_whole_and_takes_nothing_from_elsewhere() -> None:
    text = page.html(report())
    read = Reader(text)
    assert not read.open
    assert not read.addresses
    assert not {"script", "link", "iframe", "object", "img"} & set(read.tags)
    outside = set(re.findall(r"https?://[^\s\"']+", text))
    assert outside == {"http://www.w3.org/2000/svg"}
    assert "@import" not in text
    assert "url(" not in text


def test_it_follows_light_and_dark_and_prints_light() -> None:
    text = page.html(report())
    assert "@media screen and (prefers-color-scheme: dark)" in text
    assert "@media print" in text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a&b;"])
def test_names_are_words_and_never_markup(name: str) -> None:
    made = estimate(2, name=name, notes=(name,))
    rows = tuple(row.model_copy(update={"name": name + row.name}) for row in made.layers)
    made = made.model_copy(update={"layers": rows})
    others = (Compared(name, estimate(3, name=name)), Compared(name, None, name))
    text = page.html(Report(made, {name: name}, "today", name, others, run(made)))
    read = Reader(text)
    assert not {"script", "img"} & set(read.tags)
    assert not read.open
    assert read.words.count(name) > len(rows)
    pictures: list[str] = []
    on_paper = page.paper(Report(made, {name: name}, "today", name, others), pictures)
    for part in (on_paper, *pictures):
        assert not {"script", "img"} & set(Reader(part).tags)


@settings(max_examples=25)  # a page takes a while
@given(st.text(max_size=30))
def test_any_name_leaves_the_page_well_formed(name: str) -> None:
    read = Reader(page.html(Report(estimate(name=name), VERSIONS, "today", name)))
    assert not read.open


def test_what_is_not_at_hand_is_left_out() -> None:
    text = page.html(Report(estimate(), VERSIONS, "today"))
    assert "<h2>Compared</h2>" not in text
    assert "measured</h2>" not in text
    assert "A step takes" not in text


def test_a_plan_without_a_step_and_a_device_without_memory_are_reported() -> None:
    made = estimate()
    device = made.device.model_copy(update={"memory_bytes": None})
    line = made.timeline.model_copy(
        update={"event": (), "allocated_bytes": (), "by_category": {}, "phases": (), "events": 0,
                "reserved_bytes": ()}
    )  # fmt: skip
    made = made.model_copy(
        update={"device": device, "timeline": line, "verdict": None, "spare_bytes": None}
    )
    read = Reader(page.html(Report(made, VERSIONS, "today", others=(Compared("same", made),))))
    assert "not known" in read.words
    assert "One step" not in read.words


def test_layers_of_the_table_add_up_to_what_is_allocated() -> None:
    made = estimate(2)
    table = layer_table(made.layers)
    assert sum(row.total_bytes for row in table) == made.peak.allocated_bytes
    alike = [row for row in table if "3 alike" in row.name]
    assert [row.name for row in alike] == ["model.layers.*.mlp, 3 alike"]


def test_the_csv_has_every_module_to_the_byte() -> None:
    made = estimate(2)
    odd = made.layers[0].model_copy(update={"name": '=1+1, "x"\n'})
    made = made.model_copy(update={"layers": (odd, *made.layers[1:])})
    rows = list(csv.DictReader(io.StringIO(layers_csv(made), newline="")))
    assert len(rows) == len(made.layers)
    assert sum(int(row["total_bytes"]) for row in rows) == made.peak.allocated_bytes
    assert rows[0]["module"] == '\'=1+1, "x"\n'
    assert rows[2]["module"] == "model.layers.0.mlp"
    assert int(rows[2]["gradients_bytes"]) == made.layers[2].gradients_bytes


def test_an_error_of_three_per_cent_and_more_is_marked() -> None:
    made = estimate(2)
    small, large = measured_rows(run(made, 1.01)), measured_rows(run(made, 0.5))
    assert not any(row.large for row in small)
    by_title = {row.title: row for row in large}
    assert by_title["Activations"].large
    assert by_title["Activations"].error == "+100.0 %"
    assert not by_title["Parameters"].large
    assert by_title["Parameters"].error == "0.0 %"


def test_a_plan_of_other_defaults_names_what_it_changes() -> None:
    plan = Plan.parse({"adapters": {"method": "lora", "rank": 3}, "precision": "bf16_mixed"})
    words = Reader(page.html(Report(estimate(plan=plan), VERSIONS, "today"))).words
    for expected in ("LoRA", "bf16 mixed", "Adapters: Rank"):
        assert expected in words
