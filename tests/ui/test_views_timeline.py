"""The timeline: both schemes show it, and mouse, keys and table reach it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner.messages.run import RunResult
from memplanner.units import format_bytes
from memplanner_ui.look import theme
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views import timeline_areas
from memplanner_ui.views.timeline import TimelineView
from memplanner_ui.views.timeline_data import Floats, Ints, Step
from memplanner_ui.views.timeline_scale import Scale
from memplanner_ui.workspace import LIVE, TIMELINE
from tests.ui import sample
from tests.ui.timeline_sample import estimate, parameters_only


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
    assert "68.4 GiB allocated, 74.1 GiB reserved" in said
    assert view.plot.accessibleDescription() == said
    area = view.plot._scale().area
    QTest.mouseMove(view.plot, QPoint(int(area.left()) + 2, int(area.center().y())))
    qtbot.waitUntil(lambda: view.readout.text.startswith("Forward, micro-batch 1, event 0 of 200"))
    assert "45.3 GiB allocated" in view.readout.text
    assert "parameters 15.0 GiB" in view.readout.text
    QApplication.sendEvent(view.plot, QEvent(QEvent.Type.Leave))
    assert view.readout.text == said


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
    view.set_estimate(parameters_only())
    assert "no step to show" in view._empty.text()
    assert view._empty.isVisible()
    view.set_estimate(estimate(unknown_device=True))
    assert view.plot.isVisible()
    assert not has_color(picture(view), theme.current().color("trouble"))


def result(**changes: object) -> RunResult:
    return sample.run_result().model_copy(update={"plan": sample.plan(), **changes})


def test_a_run_of_the_same_plan_on_the_same_device_is_drawn_over_it(view: TimelineView) -> None:
    accent = theme.current().color("accent")
    view.set_result(result())
    assert has_color(picture(view), accent)
    ran = result().measured
    assert ran is not None
    assert f"measured {format_bytes(ran.allocated_bytes)}" in view.readout.text  # peak by peak
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


def test_what_is_painted_grows_with_pixels_not_with_points(
    view: TimelineView, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted, paint = [], timeline_areas.paint

    def counted(
        painter: QPainter, step: Step, scale: Scale, edges: Floats, points: Ints, pixel: float
    ) -> None:
        painted.append((len(points), scale.area.width() / pixel))
        paint(painter, step, scale, edges, points, pixel)

    monkeypatch.setattr(timeline_areas, "paint", counted)
    for points in (2_000, 50_000):
        view.set_estimate(estimate(points))
        picture(view)
    assert len(painted) >= 2
    assert all(points <= pixels < 2_000 for points, pixels in painted)


def test_the_tab_stands_after_layers_and_follows_edits(qtbot: QtBot, opened: MainWindow) -> None:
    tabs = opened.workspace.tabs
    assert [tabs.tabText(index) for index in range(3)] == ["Layers", "Timeline", "Icicle"]
    opened.actions_["view_timeline"].trigger()
    assert opened.workspace.current == TIMELINE
    assert opened.actions_["view_timeline"].isChecked()
    view = opened.workspace.timeline
    assert view.plot.isVisible()
    before = view.step
    opened.session.edit("training.batch_size", 2)
    qtbot.waitUntil(lambda: opened.session.document.estimate_is_current, timeout=30_000)
    assert view.step is not before
    assert view.plot.isVisible()
    opened.actions_["timeline_table"].trigger()
    assert view.table.isVisible()
    assert view.table.model().index(0, 0).data().startswith("Peak: Backward of lm_head")
    opened.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=30_000)
    assert opened.workspace.current == LIVE
    opened.actions_["timeline_table"].trigger()
    assert "measured" in view.readout.text
    opened.actions_["close_model"].trigger()
    assert view.step is None


def test_behind_another_tab_it_waits_until_it_is_shown(qtbot: QtBot, opened: MainWindow) -> None:
    view, document = opened.workspace.timeline, opened.session.document
    for batch in (2, 3):
        opened.session.edit("training.batch_size", batch)
        qtbot.waitUntil(lambda: document.estimate_is_current, timeout=30_000)
    before = view.step
    opened.actions_["view_timeline"].trigger()
    assert view.step is not None
    assert view.step is not before
    assert document.estimate is not None
    assert view.step.peak_moment.total_bytes == document.estimate.peak.allocated_bytes
