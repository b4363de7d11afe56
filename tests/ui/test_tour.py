"""The tour: three notes at what they are about, skipped for good, begun again when asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QApplication, QToolButton
from pytestqt.qtbot import QtBot

from memplanner_ui.help.callout import place
from memplanner_ui.main_window import MainWindow
from memplanner_ui.settings import SettingsFile
from memplanner_ui.workspace import SEARCH
from tests.ui.acting import LONG

ROOM = QRect(0, 0, 900, 600)


@given(
    st.integers(0, 800), st.integers(0, 560), st.integers(1, 900), st.integers(1, 600),
    st.integers(120, 360), st.integers(60, 220),
)  # fmt: skip
def test_a_note_is_in_the_window_and_beside_its_target_where_there_is_room(
    x: int, y: int, width: int, height: int, wide: int, high: int
) -> None:
    target = QRect(QPoint(x, y), QSize(width, height)).intersected(ROOM)
    spot = place(target, QSize(wide, high), ROOM)
    assert ROOM.contains(spot.area)
    free = max(target.top() - high, ROOM.bottom() - target.bottom() - high)
    if free > 40:
        assert not spot.area.intersects(target)


def test_the_tour_points_at_what_it_tells_and_follows_the_window(
    qtbot: QtBot, opened: MainWindow
) -> None:
    opened.workspace.show_view(SEARCH)
    opened.actions_["left_dock"].setChecked(False)
    opened.show_docks()
    opened.actions_["tour"].trigger()
    tour, note = opened.tour, opened.tour.note
    qtbot.waitUntil(note.isVisible, timeout=LONG)
    targets = []
    for step in range(3):
        assert tour.step == step
        target = note.target
        assert target is not None
        assert target.isVisible()
        targets.append(target)
        for size in (QSize(1440, 900), QSize(820, 560)):
            opened.resize(size)
            QApplication.processEvents()
            area = note.target_area()
            assert opened.rect().contains(note.geometry().adjusted(9, 9, -9, -9))
            assert note.geometry().adjusted(-2, -2, 2, 2).intersects(area)
        assert QApplication.focusWidget() in (note.next, None)  # offscreen: none is active
        qtbot.keyClick(note.next, Qt.Key.Key_Return)
    assert len(set(targets)) == 3
    assert tour.step == -1
    assert not note.isVisible()
    focus = opened.focusWidget()
    assert focus is None or not isinstance(focus, QToolButton), "no button takes the focus"


def test_the_focus_goes_back_to_what_had_it_before_the_tour(
    qtbot: QtBot, opened: MainWindow
) -> None:
    field = opened.workspace.layers.filter_field
    field.setFocus()
    opened.actions_["tour"].trigger()
    note = opened.tour.note
    qtbot.waitUntil(note.isVisible, timeout=LONG)
    assert opened.focusWidget() is note.next
    note.skip_wanted.emit()
    assert opened.focusWidget() is field


def test_it_comes_with_the_first_plan_and_once_skipped_never_by_itself(
    qtbot: QtBot, window: MainWindow
) -> None:
    settings, document = window.session.settings, window.session.document
    settings.update(tour_seen=False)
    window.session.open("preset:gpt2")
    qtbot.waitUntil(window.tour.note.isVisible, timeout=LONG)
    assert window.panes()[0] is window.tour.note  # F6 leads to it
    qtbot.keyClick(window.tour.note, Qt.Key.Key_Escape)
    assert not window.tour.note.isVisible()
    settings.save()
    assert SettingsFile(settings.path).values.tour_seen
    window.session.edit("training.batch_size", 3)
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)
    assert window.tour.step == -1
