"""Walks the real window, through every view, dock and dialog, for what has to hold in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAccessible, QAction, QShortcut
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QWidget,
)
from pytestqt.qtbot import QtBot

from memplanner_ui.actions import ACTIONS
from memplanner_ui.crash.dialog import ReportDialog
from memplanner_ui.main_window import MainWindow
from memplanner_ui.path_dialog import PathDialog
from memplanner_ui.run_control import RunSettings
from tests.ui.acting import LONG, edit

VIEWS = tuple(one.name for one in ACTIONS if one.group == "view")
DIALOGS = ("export", "open_name", "keys", "engine_choose", "help_contents", "about")
POPUPS = ("palette", "choose_device", "explain", "tour")


def name_of(widget: QWidget) -> str:
    """What assistive software calls it: its own name, its text or its label's."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def focusable(root: QWidget) -> Iterator[QWidget]:
    """What of it can get the focus now."""
    for widget in (root, *root.findChildren(QWidget)):
        inner = isinstance(widget.parentWidget(), QAbstractSpinBox | QComboBox)
        takes = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.focusProxy() is None
        if takes and widget.isVisible() and not inner:
            yield widget


def nameless(*roots: QWidget) -> list[str]:
    """The focusable widgets without a name, each with where it is."""
    found = []
    for root in roots:
        for widget in focusable(root):
            if not name_of(widget).strip():
                above: QWidget | None = widget
                path = []
                while above is not None:
                    path.append(f"{type(above).__name__}#{above.objectName()}")
                    above = above.parentWidget()
                found.append(" < ".join(path[:5]))
    return found


def tops() -> list[QWidget]:
    """All that is on the screen."""
    return [one for one in QApplication.topLevelWidgets() if one.isVisible()]


@pytest.fixture
def walked(qtbot: QtBot, opened: MainWindow) -> MainWindow:
    """A window with a model open in which everything that folds is unfolded."""
    opened.actions_["unfold_sections"].trigger()
    for name in ("plan_changes", "engine_log"):
        opened.actions_[name].trigger()
    edit(qtbot, opened, "training.batch_size", 2)
    return opened


def test_what_can_be_focused_at_the_start_has_a_name(window: MainWindow) -> None:
    assert len(list(focusable(window))) > 10
    assert nameless(*tops()) == []


def test_what_can_be_focused_in_every_view_and_dock_has_a_name(
    qtbot: QtBot, walked: MainWindow
) -> None:
    seen = 0
    for view in VIEWS:
        walked.actions_[view].trigger()
        qtbot.wait(20)
        assert nameless(*tops()) == [], view
        seen += len(list(focusable(walked)))
    assert walked.left.isVisible()
    assert walked.changes.isVisible()
    assert walked.log.isVisible()
    assert seen > 300
    walked.actions_["view_timeline"].trigger()
    walked.actions_["timeline_table"].trigger()
    assert nameless(*tops()) == []
    walked.actions_["find"].trigger()
    walked.actions_["filter_options"].trigger()
    assert nameless(*tops()) == []


def test_what_can_be_focused_after_a_run_has_a_name(qtbot: QtBot, walked: MainWindow) -> None:
    walked.runs.apply(RunSettings(steps=2), force=True)
    qtbot.waitUntil(lambda: walked.runs.ever_started, timeout=LONG)
    assert nameless(*tops()) == []
    qtbot.waitUntil(lambda: walked.runs.result is not None, timeout=LONG)
    for view in ("view_live", "view_timeline", "view_layers"):
        walked.actions_[view].trigger()
        assert nameless(*tops()) == [], view


@pytest.mark.parametrize("name", [*DIALOGS, *POPUPS])
def test_what_can_be_focused_in_a_dialog_has_a_name(
    qtbot: QtBot, opened: MainWindow, name: str
) -> None:
    before = set(focusable(opened))
    opened.actions_[name].trigger()
    qtbot.wait(50)
    assert {one for top in tops() for one in focusable(top)} - before, "nothing has opened"
    assert nameless(*tops()) == []
    close_all(opened)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda window: PathDialog("A path", "far", window), id="path"),
        pytest.param(
            lambda window: ReportDialog(window.session.settings.path, "what happened", window),
            id="report",
        ),
    ],
)
def test_what_can_be_focused_in_a_rare_dialog_has_a_name(
    qtbot: QtBot, window: MainWindow, make: Callable[[MainWindow], QDialog]
) -> None:
    dialog = make(window)
    dialog.open()
    assert nameless(dialog) == []
    dialog.close()


def close_all(window: MainWindow) -> None:
    """Closes what was opened over the window."""
    for top in tops():
        if top is not window:
            top.close()
    window.tour.end()


def test_every_action_is_in_the_palette_when_it_can_be_done(
    qtbot: QtBot, window: MainWindow
) -> None:
    def offered() -> set[str]:
        return {one.text for one in window.commands.entries() if one.kind == "command"}

    found = offered()
    window.session.open("preset:llama-3.1-8b")
    qtbot.waitUntil(lambda: window.session.document.estimate is not None, timeout=LONG)
    found |= offered()
    edit(qtbot, window, "training.batch_size", 2)
    found |= offered()
    window.actions_["undo"].trigger()
    found |= offered()
    window.runs.apply(RunSettings(steps=500), force=True)
    qtbot.waitUntil(lambda: window.runs.ever_started, timeout=LONG)
    found |= offered()
    window.runs.stop(now=True)
    qtbot.waitUntil(lambda: not window.runs.running, timeout=LONG)
    assert {one.text for one in ACTIONS if one.name != "palette"} - found == set()


def test_every_item_of_the_menus_is_a_declared_action(opened: MainWindow) -> None:
    declared = set(opened.actions_)
    recent = set(opened.recent_menu.actions()) | {opened.recent_menu.menuAction()}
    assert set(opened.menuBar().actions()) == {one.menuAction() for one in opened.menus.values()}
    for menu in opened.menus.values():
        for item in menu.actions():
            assert item.isSeparator() or item in declared | recent, item.text()


def test_no_keys_are_two_things_in_the_whole_window(walked: MainWindow) -> None:
    walked.actions_["view_compare"].trigger()
    keys: Counter[str] = Counter()
    everywhere = Qt.ShortcutContext.WindowShortcut, Qt.ShortcutContext.ApplicationShortcut
    for action in walked.findChildren(QAction):
        if action.shortcutContext() in everywhere:
            keys.update({one.toString() for one in action.shortcuts()})
    for shortcut in walked.findChildren(QShortcut):
        if shortcut.context() in everywhere:
            keys[shortcut.key().toString()] += 1
    assert len(keys) > 30
    assert [one for one, count in keys.items() if one and count > 1] == []


def test_looking_at_everything_twice_leaves_no_more_than_once(
    qtbot: QtBot, walked: MainWindow
) -> None:
    def active() -> list[QTimer]:
        return [one for one in walked.findChildren(QTimer) if one.isActive()]

    def counted() -> dict[str, int]:
        for _ in range(3):
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            QApplication.processEvents()
        timers = active()
        return {
            "widgets": len(QApplication.allWidgets()),
            "objects": len(walked.findChildren(QObject)),
            "timers": len(timers),
        }

    def look() -> None:
        for view in (*VIEWS, "view_layers"):
            walked.actions_[view].trigger()
            qtbot.wait(10)
        for name in (*DIALOGS, *POPUPS):
            walked.actions_[name].trigger()
            qtbot.wait(50)
            close_all(walked)
        qtbot.waitUntil(lambda: not walked.session.engine.owed(), timeout=LONG)
        # what an edit or a run has still to come, once
        qtbot.waitUntil(lambda: not any(one.isSingleShot() for one in active()))

    look()
    once = counted()
    look()
    assert counted() == once
