from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner.messages.device import Device
from memplanner.units import GIB, KIB, MIB, format_bytes, parse_bytes
from memplanner_ui.look import motion
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.views import stacked_bar, ticks
from memplanner_ui.views.budget_bar import BudgetBar
from memplanner_ui.views.budget_words import legend
from memplanner_ui.views.parts import PARTS, budget, shown
from memplanner_ui.views.verdict import Verdict, lines
from tests.ui import sample


def test_parts_add_up_to_the_peak_and_with_free_to_the_memory() -> None:
    made = budget(sample.estimate())
    assert sum(made.parts) == made.peak_bytes
    assert made.peak_bytes + made.free_bytes == sample.CARD_BYTES
    assert sum(size for _, size in made.overhead) == made.parts[PARTS.index("overhead")]


@given(
    st.lists(
        st.one_of(st.integers(0, 90 * GIB), st.integers(0, GIB), st.integers(0, MIB)),
        min_size=1,
        max_size=8,
    )
)
def test_parts_as_printed_add_up_to_the_total_as_printed(parts: list[int]) -> None:
    total = sum(parts)
    moved = shown(parts, total)
    unit = format_bytes(total).split(" ")[-1]
    if not format_bytes(max(parts)).endswith(f" {unit}"):
        assert moved == parts  # every part is in a smaller unit and keeps its own number
        return
    printed = sum(parse_bytes(format_bytes(part)) for part in moved if part)
    step = {"GiB": GIB / 10, "MiB": MIB, "KiB": KIB}.get(unit, 1)
    wanted = parse_bytes(format_bytes(total)) if total else 0
    assert abs(printed - wanted) <= 0.51 * step  # a reader's sum, rounded as the total is


def test_the_printed_numbers_are_those_of_the_worked_example() -> None:
    assert legend(budget(sample.estimate())) == [
        ("parameters", "15.0"),
        ("gradients", "15.0"),
        ("optimizer_state", "29.9"),
        ("activations", "9.5"),
        ("temporaries", "3.9"),
        ("overhead", "1.4"),
        ("other", "614 MiB"),
        ("free", "4.3"),
    ]


def test_verdict_fits() -> None:
    said = lines(sample.estimate())
    assert said.verdict == "Fits, 4.3 GiB to spare"
    assert said.peak == "Peak 75.3 of 79.6 GiB, likely 74.6 to 76.3"
    assert said.place == "Backward of lm_head, micro-batch 1"
    assert said.icon == "fits"


def test_verdict_does_not_fit() -> None:
    said = lines(sample.estimate(2))
    assert said.verdict == "Does not fit: 9.1 GiB missing"
    assert (said.icon, said.color) == ("trouble", "trouble")


def test_verdict_at_risk_names_the_high_end() -> None:
    made = sample.estimate()
    peak = made.peak
    assert made.device.memory_bytes is not None
    assert peak.device_bytes is not None
    high = made.device.memory_bytes + 819 * MIB
    made = made.model_copy(
        update={
            "verdict": "at_risk",
            "peak": peak.model_copy(update={"device_high_bytes": high}),
        }
    )
    said = lines(made)
    assert said.verdict == "May not fit: 819 MiB over at the high end"
    assert (said.icon, said.color) == ("may_not_fit", "caution")


def test_allocated_memory_is_said_before_the_rest_is_known() -> None:
    made = sample.estimate()
    peak = made.peak.model_copy(update={"reserved_bytes": None, "device_bytes": None})
    first = made.model_copy(
        update={"verdict": None, "fits": None, "spare_bytes": None, "peak": peak, "overhead": ()}
    )
    said = lines(first)
    assert said.verdict == "Peak 73.2 GiB allocated"
    assert said.peak == "Reserved memory follows"


def test_verdict_of_unknown_memory_claims_nothing() -> None:
    said = lines(sample.estimate(device=sample.card(0, None)))
    assert "it" not in said.verdict.lower().split()
    assert said.icon == "unknown"
    assert "not known" in said.peak


def test_the_last_micro_batch_recorded_stands_for_the_rest() -> None:
    made = sample.estimate()
    spans = tuple(span for span in made.timeline.phases if span.micro_batch < 2)
    peak = next(span.start for span in spans if span == spans[3])
    timeline = made.timeline.model_copy(update={"phases": spans, "peak_event": peak})
    said = lines(made.model_copy(update={"timeline": timeline}))
    assert said.place == "Backward of lm_head, micro-batches 2 to 8"


@given(st.integers(1, 200 * GIB), st.integers(0, 300 * GIB))
def test_the_difference_is_that_of_the_two_numbers_shown(memory: int, rest: int) -> None:
    device = Device(name="card", kind="cuda", memory_bytes=memory)
    made = sample.estimate(device=device, rows=sample.layers(1))
    verdict = "fits" if memory >= rest else "does_not_fit"
    made = made.model_copy(update={"spare_bytes": memory - rest, "verdict": verdict})
    said = lines(made).verdict
    if abs(memory - rest) >= GIB:
        gap = abs(round(memory / GIB, 1) - round(rest / GIB, 1))
        assert f"{gap:.1f} GiB" in said


def test_the_bar_says_itself_in_words(qtbot: QtBot, qapp: QApplication) -> None:
    apply_theme(qapp, "light")
    bar = BudgetBar()
    qtbot.addWidget(bar)
    bar.set_estimate(sample.estimate())
    words = bar.accessibleDescription()
    assert words.startswith(
        "Peak 75.3 GiB of 79.6 GiB on H100 80GB, likely 74.6 GiB to 76.3 GiB: parameters"
    )
    assert words.endswith("free 4.3 GiB")
    bar.set_estimate(None)
    assert bar.accessibleDescription() == "No estimate yet"


def test_tool_tips_are_exact(qtbot: QtBot, qapp: QApplication) -> None:
    bar = BudgetBar()
    qtbot.addWidget(bar)
    bar.resize(1000, bar.sizeHint().height())
    bar.set_estimate(sample.estimate())
    assert "bytes" in bar.tip_at(60)
    assert bar.tip_at(60).startswith("Parameters: 15.0 GiB")
    assert bar.tip_at(2) == ""
    overhead = next(tip for x in range(1000) if "Overhead" in (tip := bar.tip_at(x)))
    assert "Allocator slack: 885 MiB" in overhead


def _colors_of_row(widget: BudgetBar, y: int) -> list[QColor]:
    image = widget.grab().toImage()
    return [image.pixelColor(x, y) for x in range(image.width())]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_over_the_limit_is_drawn_past_the_line(
    qtbot: QtBot, qapp: QApplication, scheme: str
) -> None:
    colors = apply_theme(qapp, scheme)  # type: ignore[arg-type]  # one of the two
    bar = BudgetBar()
    qtbot.addWidget(bar)
    bar.resize(1000, bar.sizeHint().height())
    bar.set_estimate(sample.estimate(2))
    limit = colors.color("trouble").name()
    row = [color.name() for color in _colors_of_row(bar, 26)]
    line = row.index(limit)
    assert colors.color("parameters").name() in row[:line]
    past = set(row[line + 3 : 925])
    assert colors.color("panel").name() not in past
    assert colors.color("temporaries").name() not in past  # toned down and hatched


def test_a_new_estimate_runs_there_and_arrives(qtbot: QtBot, qapp: QApplication) -> None:
    bar = BudgetBar()
    qtbot.addWidget(bar)
    bar.resize(900, bar.sizeHint().height())
    bar.show()
    bar.set_estimate(sample.estimate())
    before = bar.tip_at(700)
    bar.set_estimate(sample.estimate(2))
    qtbot.waitUntil(lambda: bar.tip_at(700) != before)
    moved = BudgetBar()
    qtbot.addWidget(moved)
    moved.resize(bar.size())
    moved.set_estimate(sample.estimate(2))
    qtbot.waitUntil(lambda: bar.grab().toImage() == moved.grab().toImage())


def test_with_motion_reduced_it_is_there_at_once(qtbot: QtBot, qapp: QApplication) -> None:
    motion.set_reduced(True)
    try:
        bar, other = BudgetBar(), BudgetBar()
        for one in (bar, other):
            qtbot.addWidget(one)
            one.resize(900, one.sizeHint().height())
        bar.show()
        bar.set_estimate(sample.estimate())
        bar.set_estimate(sample.estimate(2))
        other.set_estimate(sample.estimate(2))
        assert bar.grab().toImage() == other.grab().toImage()
    finally:
        motion.set_reduced(False)


def test_the_verdict_says_what_went_to_host_memory() -> None:
    made = sample.estimate().model_copy(update={"host_bytes": 3 * GIB})
    assert lines(made).place.startswith("3.0 GiB in host memory; ")
    assert "host" not in lines(sample.estimate()).place


def test_the_verdict_widget_says_all_three_lines(qtbot: QtBot, qapp: QApplication) -> None:
    verdict = Verdict()
    qtbot.addWidget(verdict)
    verdict.set_estimate(sample.estimate())
    assert verdict.text == "Fits, 4.3 GiB to spare"
    for words in ("4.3 GiB to spare", "75.3 of 79.6 GiB", "lm_head"):
        assert words in verdict.accessibleDescription()
    verdict.set_estimate(None)
    assert verdict.text == ""


@given(
    st.lists(st.integers(0, 2**40), min_size=7, max_size=7),
    st.floats(1, 2000),
    st.sampled_from([1.0, 1.5, 2.0]),
)
def test_edges_rise_and_end_at_the_width(values: list[int], width: float, scale: float) -> None:
    full = sum(values)
    boundaries = stacked_bar.edges(values, full, 3.0, width, scale)
    assert boundaries == sorted(boundaries)
    if full:
        assert boundaries[-1] == pytest.approx(3.0 + width, abs=1 / scale)


@given(st.floats(1, 1e14), st.integers(2, 20))
def test_ticks_are_few_round_and_inside(largest: float, count: int) -> None:
    marks = ticks.sizes(largest, count)
    assert 1 <= len(marks) <= count + 1
    assert all(0 <= value <= largest * (1 + 1e-6) for value, _ in marks)
    labels = [label for _, label in marks]
    assert len(set(labels)) == len(labels)


def test_a_bar_says_nothing_of_nothing() -> None:
    nothing = [0] * len(PARTS)
    assert stacked_bar.words(nothing) == ""
    assert stacked_bar.words((MIB, *nothing[1:-1], 2 * GIB)) == (
        f"parameters {format_bytes(MIB)}, other {format_bytes(2 * GIB)}"
    )
