"""A step's time in the window's words."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QMainWindow
from pytestqt.qtbot import QtBot

from memplanner.messages.cost import StepTime, TimePart
from memplanner.messages.effects import OptionEffect
from memplanner.plan import Plan
from memplanner.units import GIB
from memplanner_ui.header import Header, StepBlock
from memplanner_ui.plan_panel.effect_words import shown
from memplanner_ui.step_words import beside_measured, change, explained, likely, rate
from memplanner_ui.views.rows import ElidedLabel
from tests.ui import sample

TIME = StepTime(
    seconds=5.3, low_seconds=4.7, high_seconds=6.0, unit="tokens", units=32_643, flops=10**15,
    moved_bytes=10**12, source="data_sheet", how="By its data sheet.",
    parts=(
        TimePart(name="optimizer", seconds=1.3), TimePart(name="products", seconds=3.99),
        TimePart(name="launches", seconds=0.01),
    ),
)  # fmt: skip
SLOW = TIME.model_copy(update={"seconds": 50.0, "low_seconds": 45.0, "high_seconds": 70.0})


def test_it_is_told_with_its_range_and_rate() -> None:
    assert rate(TIME) == "6\u2009159 tokens/s"
    assert likely(TIME) == "likely 4.7 to 6.0 s"
    assert likely(SLOW) == "likely 45 s to 1 min 10 s"
    long = {"low_seconds": 319.0, "seconds": 400.0, "high_seconds": 505.0}
    assert likely(TIME.model_copy(update=long)) == "likely 5.3 to 8.4 min"
    longer = {name: 12 * value for name, value in long.items()}
    assert likely(TIME.model_copy(update=longer)) == "likely 1.1 to 1.7 h"
    assert likely(TIME.model_copy(update={"source": "measured"})) == "measured here"
    assert rate(TIME.model_copy(update={"units": 2})) == "0.38 tokens/s"


def test_the_largest_part_comes_first_and_small_ones_are_left_out() -> None:
    lines = explained(TIME).splitlines()
    assert lines[0] == "Matrix products: 4.0 s, 75 %"
    assert lines[1] == "Optimizer: 1.3 s, 25 %"
    assert lines[2:] == ["By its data sheet."]


def test_measured_steps_stand_beside_the_estimate() -> None:
    assert beside_measured(TIME, (9.0, 5.0, 5.2, 5.0)) == "5.0 s a step, estimated 5.3 s"
    assert beside_measured(None, (9.0,)) == "9.0 s a step"
    assert beside_measured(TIME, ()) == ""


def test_a_change_of_time_has_a_sign() -> None:
    assert change(0.07) == "+7 % time"
    assert change(-0.2) == "\u221220 % time"
    assert change(0.001) == "same time"
    assert change(None) == ""


def test_an_options_badge_says_what_it_changes_of_the_time() -> None:
    effect = OptionEffect(
        key="precision", value="fp32", kind="takes", allocated_bytes=3 * GIB,
        allocated_difference_bytes=GIB, verdict="fits", time_change=0.07,
    )  # fmt: skip
    assert shown(effect, "fits", Plan).rest == "+7 % time"
    assert "+7 % time, an estimate" in shown(effect, "fits", Plan).tip
    fits = effect.model_copy(update={"verdict": "does_not_fit"})
    assert shown(fits, "fits", Plan).rest == "does not fit"
    alike = effect.model_copy(
        update={"kind": "same", "allocated_difference_bytes": 0, "time_change": -0.13}
    )
    assert shown(alike, "fits", Plan).rest == "\u221213 % time"
    assert shown(alike.model_copy(update={"time_change": 0.0}), "fits", Plan).rest == ""


def test_the_header_says_how_long_a_step_takes(qtbot: QtBot) -> None:
    block = StepBlock()
    qtbot.addWidget(block)
    without = sample.estimate()
    block.set_estimate(without)
    assert "time not known here" in block.accessibleName()
    block.set_estimate(without.model_copy(update={"time": TIME}))
    assert block.accessibleName() == (
        "One optimizer step: 5.3 s, 6\u2009159 tokens/s, likely 4.7 to 6.0 s"
    )
    assert "By its data sheet." in block.toolTip()
    assert block.time_of(without.plan) == TIME
    assert block.time_of(Plan()) is None
    block.set_result(sample.run_result())
    assert "estimated 5.3 s" in block.accessibleName()
    block.set_estimate(None)
    assert block.accessibleName() == "One step"


def test_a_long_range_has_room_in_the_header(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    header = Header(window)
    window.addToolBar(header)
    window.resize(1440, 300)
    window.show()
    long = {"low_seconds": 319.0, "seconds": 400.0, "high_seconds": 505.0}
    estimate = sample.estimate().model_copy(update={"time": TIME.model_copy(update=long)})
    header.set_estimate(estimate)
    QApplication.processEvents()
    parts = [one for one in header.step.findChildren(ElidedLabel) if one.whole]
    assert "likely 5.3 to 8.4 min" in [one.whole for one in parts]
    for one in parts:
        assert one.fontMetrics().horizontalAdvance(one.whole) <= one.width()
