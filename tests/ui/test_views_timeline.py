"""The timeline: what it draws is what the estimate says, and mouse, keys and table reach it."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner.messages.estimate import CATEGORIES, Estimate, Span, Timeline
from memplanner.messages.run import RunResult
from memplanner.units import GIB
from memplanner_ui.look import theme
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.timeline import TimelineView
from memplanner_ui.views.timeline_data import (
    STACKED,
    Step,
    bounds,
    columns,
    measured_at,
    measured_curves,
    step_of,
)
from memplanner_ui.views.timeline_table import rows
from memplanner_ui.workspace import LIVE, TIMELINE
from tests.ui import sample


def estimate(points: int = 200, *, load: int = 20, unknown_device: bool = False) -> Estimate:
    """Two micro-batches of eight, parts that vary, standing workspaces, a curve reserved."""
    made = sample.estimate(device=sample.card(memory_bytes=None) if unknown_device else None)
    along = np.linspace(0, 1, points)
    wave = np.abs(np.sin(6 * along))
    parts = {
        "parameters": np.full(points, 15 * GIB),
        "gradients": along * 15 * GIB,
        "optimizer_state": np.full(points, 30 * GIB),
        "activations": wave * 9 * GIB,
        "temporaries": (wave > 0.97) * 2 * GIB,
        "workspaces": np.full(points, GIB // 4),
        "buffers": np.full(points, 4096),
        "inputs": along * 8192,
    }
    by_category = {name: parts[name].astype(np.int64) for name in CATEGORIES}
    total = np.sum(list(by_category.values()), axis=0)
    peak = int(total.argmax())
    edges = [load + share * points // 8 for share in range(9)]
    names = ("forward", "backward", "forward", "backward", "optimizer_step")
    stops = (edges[2], edges[4], edges[5], edges[7], edges[8])
    starts = (load, *stops[:-1])
    spans = [
        Span(name, place // 2 if name != "optimizer_step" else 0, start, stop)  # type: ignore[arg-type]  # literals above
        for place, (name, start, stop) in enumerate(zip(names, starts, stops, strict=True))
    ]
    before = tuple(range(load))
    return made.model_copy(
        update={
            "timeline": Timeline(
                events=load + points,
                event=(*before, *range(load, load + points)),
                allocated_bytes=(*[GIB] * load, *total.tolist()),
                by_category={
                    name: (*[0] * load, *values.tolist()) for name, values in by_category.items()
                },
                phases=(Span("load", 0, 0, load), *spans),
                peak_event=load + peak,
                reserved_bytes=tuple([75 * GIB] * (load + points)),
            ),
            "peak": made.peak.model_copy(
                update={
                    "allocated_bytes": int(total[peak]),
                    "by_category": made.peak.by_category.model_copy(
                        update={name: int(values[peak]) for name, values in by_category.items()}
                    ),
                }
            ),
        }
    )


def step(points: int = 200) -> Step:
    made = step_of(estimate(points))
    assert made is not None
    return made


# What is drawn


def test_the_step_is_the_estimates_without_loading() -> None:
    made, whole = step(), estimate().timeline
    assert made.events == 200
    assert made.total.tolist() == list(whole.allocated_bytes[20:])
    assert (made.parts.sum(axis=0) == made.total).all()
    assert (made.tops[-1] == made.total).all()
    assert made.peak == made.total.argmax()
    assert [one.title for one in made.micro_batches] == ["Micro-batch 1", "Micro-batches 2 to 8"]
    assert made.phases[0].left == 0
    assert made.phases[-1].right == made.events
    assert made.title_at(10) == "Forward, micro-batch 1"
    assert made.title_at(199) == "Optimizer step"


def test_what_is_always_there_lies_below_what_varies_each_in_the_fixed_order() -> None:
    made = step()
    fixed = [name for name, size in zip(STACKED, made.fixed, strict=True) if size]
    assert fixed == ["parameters", "optimizer_state", "overhead"]
    assert list(made.layers[: len(fixed)]) == fixed
    rest = [STACKED.index(name) for name in made.layers[len(fixed) :]]
    assert rest == sorted(rest)
    assert (np.ptp(made.tops[: len(fixed)], axis=1) == 0).all()


def test_what_hangs_from_the_card_is_what_the_bar_shows_beside_the_step() -> None:
    shown = estimate()
    made = step_of(shown)
    assert made is not None
    assert made.capacity_bytes == shown.device.memory_bytes
    overhead, other = made.beside_bytes
    assert other == shown.device.used_bytes
    reserved, spare = shown.peak.reserved_bytes, shown.spare_bytes
    assert reserved is not None
    assert spare is not None
    assert reserved + overhead + other == (made.capacity_bytes or 0) - spare


def test_a_source_with_parameters_only_has_no_step() -> None:
    whole = estimate()
    only = Timeline(
        events=3,
        event=(0, 1, 2),
        allocated_bytes=(1, 2, 3),
        by_category={},
        phases=(Span("load", 0, 0, 3),),
        peak_event=2,
    )
    assert step_of(whole.model_copy(update={"timeline": only})) is None


@given(st.integers(2, 700), st.integers(1, 300), st.floats(0, 0.9), st.floats(0.05, 1))
def test_columns_keep_the_highest_and_are_a_pixel_wide_at_least(
    points: int, pixels: int, start: float, share: float
) -> None:
    made = step(points)
    left = start * made.events
    right = min(float(made.events), left + max(1.0, share * made.events))
    edges, chosen = columns(made, left, right, pixels)
    assert len(edges) == len(chosen) + 1 <= pixels + 1
    inside = (made.at >= left) & (made.at < right)
    if inside.any():
        assert made.total[chosen].max() >= made.total[inside].max()
    assert np.diff(edges).min() >= (right - left) / pixels * (1 - 1e-6)
    assert edges[0] == pytest.approx(left)
    assert edges[-1] == right


def test_the_axis_is_cut_only_where_the_fixed_part_is_large() -> None:
    made = step()
    bottom, top = bounds(made, 0.0, cut=True)
    assert 0 < bottom < sum(made.fixed)
    assert bounds(made, 0.0, cut=False) == (0.0, top)
    assert top > (made.capacity_bytes or 0)
    assert top > made.total.max()
    varied = made.parts - made.parts.min(axis=1, keepdims=True)
    nothing_fixed = step_of(
        estimate().model_copy(
            update={
                "timeline": estimate().timeline.model_copy(
                    update={
                        "allocated_bytes": tuple(np.append([0] * 20, varied.sum(axis=0)).tolist()),
                        "by_category": {},
                    }
                )
            }
        )
    )
    assert nothing_fixed is not None
    assert bounds(nothing_fixed, 0.0, cut=True)[0] == 0


def test_a_runs_curve_lies_in_the_phases_it_was_measured_in() -> None:
    made, figures = step(), sample.figures(1.02)
    curves = measured_curves(made, figures)
    assert len(curves) == len(made.phases)
    for (x, _), stretch in zip(curves, made.phases, strict=True):
        assert stretch.left <= x[0] <= x[-1] < stretch.right
    # the last recorded micro-batch stands for the last that ran
    last_forward = [i for i, phase in enumerate(figures.curve_phases) if phase == "forward"][-40:]
    assert curves[2][1].tolist() == [figures.curve_bytes[i] for i in last_forward]
    assert measured_at(curves, 0.0) == figures.curve_bytes[0]
    assert measured_at([], 3.0) is None
    broken = figures.model_copy(update={"curve_phases": figures.curve_phases[:-1]})
    assert measured_curves(made, broken) == []


def test_the_table_has_the_peak_first_and_each_phase_at_its_highest() -> None:
    made = step()
    listed = rows(made)
    assert listed[0].moment.is_peak
    assert listed[0].title.startswith("Peak: Backward")
    assert [row.title for row in listed[1:]] == [
        "Forward, micro-batch 1",
        "Backward, micro-batch 1",
        "Forward, micro-batches 2 to 8",
        "Backward, micro-batches 2 to 8",
        "Optimizer step",
    ]
    for row, stretch in zip(listed[1:], made.phases, strict=True):
        assert row.moment.total_bytes == made.total[stretch.left : stretch.right].max()
        assert sum(row.moment.parts) == row.moment.total_bytes


# The view


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> TimelineView:
    apply_theme(qapp, "light")
    made = TimelineView()
    qtbot.addWidget(made)
    made.resize(820, 640)
    made.show()
    made.set_estimate(estimate())
    return made


def picture(view: TimelineView) -> QImage:
    return view.plot.grab().toImage()


def has_color(image: QImage, color: QColor) -> bool:
    wide, high = image.width(), image.height()
    return any(
        image.pixelColor(x, y) == color for x in range(0, wide, 3) for y in range(0, high, 2)
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_areas_and_limit_are_drawn_in_both_schemes(
    qapp: QApplication, view: TimelineView, scheme: str
) -> None:
    apply_theme(qapp, "dark" if scheme == "dark" else "light")
    image, colors = picture(view), theme.current()
    for name in ("gradients", "optimizer_state", "activations", "temporaries", "trouble", "base"):
        assert has_color(image, colors.color(name)), name
    assert not has_color(image, colors.color("accent"))
    assert not has_color(image, colors.color("parameters"))  # below the cut axis
    view.axis.choose("zero")
    view.axis.chosen.emit("zero")
    assert has_color(picture(view), colors.color("parameters"))


def test_the_readout_says_the_peak_and_follows_the_mouse(qtbot: QtBot, view: TimelineView) -> None:
    said = view.readout.text
    assert said.startswith("Peak: Backward")
    assert "73.6 GiB reserved" not in said
    assert view.plot.accessibleDescription() == said
    area = view.plot._scale().area
    QTest.mouseMove(view.plot, QPoint(int(area.left()) + 2, int(area.center().y())))
    qtbot.waitUntil(lambda: view.readout.text.startswith("Forward, micro-batch 1, event 0 of 200"))
    assert "45.3 GiB allocated" in view.readout.text
    assert "parameters 15.0 GiB" in view.readout.text
    QApplication.sendEvent(view.plot, _leave())
    assert view.readout.text == said


def _leave() -> object:
    from PySide6.QtCore import QEvent

    return QEvent(QEvent.Type.Leave)


def test_keys_move_zoom_and_reset(view: TimelineView) -> None:
    plot, made = view.plot, view.step
    assert made is not None
    assert "event 0" not in view.readout.text
    QTest.keyClick(plot, Qt.Key.Key_Right)
    assert not view.readout.text.startswith("Peak")
    QTest.keyClick(plot, Qt.Key.Key_BracketLeft)
    assert view.readout.text.startswith("Peak")
    for _ in range(12):
        QTest.keyClick(plot, Qt.Key.Key_Plus)
    left, right = plot.shown
    assert right - left < made.events / 10
    assert left <= made.at[made.peak] <= right
    assert view.whole.isEnabled()
    for _ in range(15):
        QTest.keyClick(plot, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert plot.shown[0] <= int(made.at[made.peak]) - 150 <= plot.shown[1]
    QTest.keyClick(plot, Qt.Key.Key_P)
    assert plot.shown[0] <= made.at[made.peak] <= plot.shown[1]
    QTest.keyClick(plot, Qt.Key.Key_Home)
    assert plot.shown == (0.0, 200.0)
    assert not view.whole.isEnabled()


def turn(view: TimelineView, x: float, notches: int, sideways: bool = False) -> None:
    at = QPointF(x, view.plot._scale().area.center().y())
    turned = QPoint(120 * notches, 0) if sideways else QPoint(0, 120 * notches)
    event = QWheelEvent(
        at,
        view.plot.mapToGlobal(at),
        QPoint(),
        turned,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.plot, event)


def test_the_wheel_zooms_around_the_mouse_and_a_double_click_resets(view: TimelineView) -> None:
    area = view.plot._scale().area
    x = area.left() + 0.25 * area.width()
    turn(view, x, 4)
    left, right = view.plot.shown
    assert right - left == pytest.approx(200 * 0.8**4)
    assert left + 0.25 * (right - left) == pytest.approx(50)
    turn(view, x, -2, sideways=True)
    assert view.plot.shown[0] > left
    turn(view, x, -50)
    assert view.plot.shown == (0.0, 200.0)
    turn(view, x, 60)
    assert view.plot.shown[1] - view.plot.shown[0] == pytest.approx(12)
    QTest.mouseDClick(view.plot, Qt.MouseButton.LeftButton, pos=area.center().toPoint())
    assert view.plot.shown == (0.0, 200.0)


def test_a_drag_zooms_and_a_phase_is_zoomed_to_by_a_click(view: TimelineView) -> None:
    area = view.plot._scale().area
    y = int(area.center().y())
    start, stop = int(area.left() + area.width() / 4), int(area.left() + area.width() / 2)
    QTest.mousePress(view.plot, Qt.MouseButton.LeftButton, pos=QPoint(start, y))
    QTest.mouseMove(view.plot, QPoint(stop, y))
    QTest.mouseRelease(view.plot, Qt.MouseButton.LeftButton, pos=QPoint(stop, y))
    assert view.plot.shown == (pytest.approx(50, abs=1), pytest.approx(100, abs=1))
    view.whole.click()
    made = view.step
    assert made is not None
    QTest.mouseClick(view.plot, Qt.MouseButton.LeftButton, pos=QPoint(int(area.right()) - 3, 26))
    last = made.phases[-1]
    assert view.plot.shown == (last.left, last.right)


def test_the_overview_moves_what_is_shown(view: TimelineView) -> None:
    view.plot.set_range(50, 100)
    marked = view.overview._marked()
    middle = marked.center().toPoint()
    QTest.mousePress(view.overview, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(view.overview, middle + QPoint(round(marked.width()), 0))
    QTest.mouseRelease(view.overview, Qt.MouseButton.LeftButton, pos=middle)
    assert view.plot.shown == (pytest.approx(100, abs=1), pytest.approx(150, abs=1))
    edge = view.overview._marked().topRight().toPoint() + QPoint(0, 8)
    QTest.mousePress(view.overview, Qt.MouseButton.LeftButton, pos=edge)
    QTest.mouseMove(view.overview, edge + QPoint(round(marked.width()), 0))
    QTest.mouseRelease(view.overview, Qt.MouseButton.LeftButton, pos=edge)
    assert view.plot.shown == (pytest.approx(100, abs=1), pytest.approx(200, abs=1))


def test_an_edit_keeps_what_is_zoomed_in_on_as_a_share_of_the_step(view: TimelineView) -> None:
    view.plot.set_range(50, 100)
    view.set_estimate(estimate(400))
    assert view.plot.shown == (100.0, 200.0)
    view.plot.reset_range()
    view.set_estimate(estimate(200))
    assert view.plot.shown == (0.0, 200.0)


def test_without_an_estimate_or_a_step_it_says_so(view: TimelineView) -> None:
    view.set_estimate(None)
    assert "once it is estimated" in view._empty.text()
    assert view._empty.isVisible()
    assert not view.as_table.isEnabled()
    view.set_estimate(estimate(unknown_device=True))
    assert view.plot.isVisible()
    assert not has_color(picture(view), theme.current().color("trouble"))


def result(**changes: object) -> RunResult:
    return sample.run_result().model_copy(update={"plan": sample.plan(), **changes})


def test_a_run_of_the_same_plan_on_the_same_device_is_drawn_over_it(view: TimelineView) -> None:
    accent = theme.current().color("accent")
    view.set_result(result())
    assert has_color(picture(view), accent)
    assert "measured" in view.readout.text
    assert "last run measured" in view._caption.text()
    view.set_result(result(plan=sample.plan(2)))
    assert not has_color(picture(view), accent)
    view.set_result(result(device=sample.card().model_copy(update={"name": "CPU"})))
    assert not has_color(picture(view), accent)
    view.set_result(result(measured=None))
    assert "measured" not in view.readout.text


def test_a_row_of_the_table_leads_to_its_moment(view: TimelineView) -> None:
    view.plot.set_range(0, 20)
    view.toggle_table()
    assert view.table.isVisible()
    assert view.as_table.text() == "Show as plot"
    view.table.activated.emit(view.table.model().index(5, 0))
    assert view.plot.isVisible()
    assert view.readout.text.startswith("Optimizer step")
    made = view.step
    assert made is not None
    assert view.plot.shown[1] > made.phases[-1].left


def test_two_thousand_points_are_drawn_within_a_frame(view: TimelineView) -> None:
    view.set_estimate(estimate(2000))
    picture(view)
    took = []
    for _ in range(8):
        started = time.perf_counter()
        view.plot._redraw()
        view.plot.repaint()
        took.append(time.perf_counter() - started)
    assert min(took) < 0.016, took


def test_the_tab_stands_between_layers_and_live_and_follows_edits(
    qtbot: QtBot, opened: MainWindow
) -> None:
    tabs = opened.workspace.tabs
    assert [tabs.tabText(index) for index in range(3)] == ["Layers", "Timeline", "Live"]
    opened.actions_["view_timeline"].trigger()
    assert opened.workspace.current == TIMELINE
    assert opened.actions_["view_timeline"].isChecked()
    view = opened.workspace.timeline
    assert view.plot.isVisible()
    before = view.step
    opened.session.edit("training.batch_size", 2)
    qtbot.waitUntil(lambda: opened.session.document.estimate_is_current, timeout=10_000)
    assert view.step is not before
    assert view.plot.isVisible()
    opened.actions_["timeline_table"].trigger()
    assert view.table.isVisible()
    assert view.table.model().index(0, 0).data().startswith("Peak: Backward of lm_head")
    opened.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=10_000)
    assert opened.workspace.current == LIVE
    opened.actions_["timeline_table"].trigger()
    assert "measured" in view.readout.text
    opened.actions_["close_model"].trigger()
    assert view.step is None
