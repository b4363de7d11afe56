"""The whole window on the small engine: open, change, save, close."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from memplanner.plan.file import read_plan
from memplanner_ui.engine import EngineState
from memplanner_ui.main_window import MainWindow
from memplanner_ui.window_display import FOLDS_BELOW
from memplanner_ui.workspace import DETAILS, LAYERS, LIVE
from tests.ui.acting import LONG, edit, press


def test_nothing_is_open_at_first(window: MainWindow) -> None:
    assert window.start.isVisible()
    assert not window.header.isVisible()
    assert not window.left.isVisible()
    assert not window.actions_["apply"].isEnabled()
    assert window.windowTitle() == "memplanner"
    assert window.start.presets.cards.rowCount() == 3


def test_a_preset_opens_by_a_click_on_its_card(qtbot: QtBot, window: MainWindow) -> None:
    presets = window.start.presets
    rectangle = presets.visualRect(presets.cards.index(1))
    qtbot.mouseClick(presets.viewport(), Qt.MouseButton.LeftButton, pos=rectangle.center())
    qtbot.waitUntil(lambda: window.session.document.estimate is not None, timeout=LONG)
    assert window.session.document.source == "preset:gpt2"
    assert window.workspace.isVisible()
    assert window.left.isVisible()
    assert window.right.isVisible()
    assert window.windowTitle() == "gpt2, new plan[*] – memplanner"
    assert window.session.settings.values.recent[0].source == "preset:gpt2"


def test_an_edit_is_followed_by_everything_and_undone(qtbot: QtBot, opened: MainWindow) -> None:
    document = opened.session.document
    assert document.estimate is not None
    before = document.estimate.peak.allocated_bytes
    edit(qtbot, opened, "training.batch_size", 4)
    assert document.estimate.peak.allocated_bytes > before
    assert opened.isWindowModified()
    assert opened.actions_["undo"].text() == "Undo batch size 4"
    opened.actions_["undo"].trigger()
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)
    assert document.estimate.peak.allocated_bytes == before
    assert not opened.isWindowModified()


def test_a_spin_box_of_the_panel_changes_the_estimate(qtbot: QtBot, opened: MainWindow) -> None:
    rows = opened.left.plan._sections["training"].rows["training.batch_size"]
    rows.field.setValue(3)  # type: ignore[union-attr]  # a field, not a choice
    document = opened.session.document
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)
    assert document.estimate is not None
    assert document.estimate.plan.training.batch_size == 3


@pytest.mark.parametrize(("source", "shown"), [("parts", [True]), ("parts slowly", [False, True])])
def test_figures_of_tensors_are_shown_first_only_where_the_devices_take_long(
    qtbot: QtBot, window: MainWindow, source: str, shown: list[bool]
) -> None:
    """Of each estimate that is shown: whether it has a verdict."""
    found: list[bool] = []
    document = window.session.document
    document.estimate_changed.connect(
        lambda one: found.append(one.verdict is not None) if one else None
    )
    with qtbot.waitSignal(window.session.answered, timeout=30_000):
        window.session.open(source)
    assert found == shown
    assert document.estimate_is_current


def test_a_wrong_edit_is_a_notice_and_changes_nothing(qtbot: QtBot, opened: MainWindow) -> None:
    before = opened.session.document.plan
    opened.session.edit("training.batch_size", 0)
    assert "batch_size" in opened.workspace.notice.text
    assert opened.session.document.plan == before
    edit(qtbot, opened, "training.batch_size", 2)
    assert opened.workspace.notice.text == ""
    opened.session.edit("training.batch_size", 0)
    qtbot.keyClick(opened.workspace, Qt.Key.Key_Escape)
    assert opened.workspace.notice.text == ""


def test_what_cannot_be_opened_is_a_notice(qtbot: QtBot, window: MainWindow) -> None:
    window.session.open("broken")
    qtbot.waitUntil(lambda: bool(window.start.notice.text), timeout=LONG)
    assert "cut short" in window.start.notice.text
    assert window.session.document.model is None


def test_code_of_a_model_runs_only_when_the_user_agrees(qtbot: QtBot, window: MainWindow) -> None:
    window.session.open("trust")
    qtbot.waitUntil(lambda: bool(window.start.notice.text), timeout=LONG)
    assert window.session.document.model is None
    press(window.start.notice, "Run its code")
    qtbot.waitUntil(lambda: window.session.document.model is not None, timeout=LONG)
    assert window.session.document.trust_code


def test_a_crash_brings_model_and_plan_back(qtbot: QtBot, opened: MainWindow) -> None:
    edit(qtbot, opened, "training.batch_size", 5)
    process_id = opened.session.engine.process_id
    assert process_id is not None
    opened.session.document.set_estimate(None)
    os.kill(process_id, 9)
    qtbot.waitUntil(lambda: opened.session.document.estimate is not None, timeout=LONG)
    estimate = opened.session.document.estimate
    assert estimate is not None
    assert estimate.plan.training.batch_size == 5
    assert "started again" in opened.workspace.notice.text
    assert opened.session.engine.process_id != process_id


def test_one_selection_for_tree_and_panel(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.layers.module_selected.emit("lm_head")
    qtbot.waitUntil(lambda: opened.right.module.detail is not None, timeout=LONG)
    assert opened.right.module.detail is not None
    assert opened.right.module.detail.name == "lm_head"
    assert opened.session.selection.name == "lm_head"


def test_the_palette_edits_the_plan_and_selects_modules(qtbot: QtBot, opened: MainWindow) -> None:
    entries = {entry.text: entry for entry in opened.commands.entries()}
    entries["Precision: fp32"].choose()
    assert opened.session.document.plan.precision == "fp32"
    entries["model.layers.3"].choose()
    assert opened.session.selection.name == "model.layers.3"
    entries["Live"].choose()
    assert opened.workspace.current == LIVE


def test_the_docks_hide_by_key_and_the_right_one_folds_into_a_tab(
    qtbot: QtBot, opened: MainWindow
) -> None:
    opened.actions_["left_dock"].trigger()
    assert not opened.left.isVisible()
    opened.actions_["left_dock"].trigger()
    assert opened.left.isVisible()
    opened.resize(FOLDS_BELOW - 80, 800)
    qtbot.waitUntil(lambda: opened.workspace.view(DETAILS) is not None)
    assert not opened.right.isVisible()
    opened.workspace.show_view(DETAILS)
    assert opened.right.module.isVisible()
    opened.resize(FOLDS_BELOW + 80, 800)
    qtbot.waitUntil(lambda: opened.workspace.view(DETAILS) is None)
    assert opened.right.module.isVisible()
    assert opened.workspace.current == LAYERS


def test_f6_goes_round_all_panes_and_shift_f6_back(qtbot: QtBot, opened: MainWindow) -> None:
    with qtbot.waitActive(opened):
        opened.activateWindow()
    panes = opened.panes()

    def pane() -> int | None:
        focused = QApplication.focusWidget()
        for place, one in enumerate(panes):
            if focused is not None and (one is focused or one.isAncestorOf(focused)):
                return place
        return None

    opened.workspace.tabs.setFocus()
    seen = []
    for _ in panes:
        opened.actions_["next_pane"].trigger()
        seen.append(pane())
    assert len(set(seen)) >= 4  # the module panel has nothing to focus while it is empty
    there = pane()
    opened.actions_["next_pane"].trigger()
    opened.actions_["last_pane"].trigger()
    assert pane() == there


def test_a_plan_is_saved_and_opened_again(qtbot: QtBot, opened: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    edit(qtbot, opened, "training.batch_size", 6)
    assert opened.session.save_plan(path)
    assert read_plan(path).training.batch_size == 6
    assert opened.windowTitle() == "llama-3.1-8b, big[*] – memplanner"
    edit(qtbot, opened, "training.batch_size", 1)
    opened.session.open(str(path))
    assert opened.session.document.plan.training.batch_size == 6
    assert opened.session.settings.values.recent[0].kind == "plan"


def test_a_plan_opened_before_a_model_waits_for_it(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "first.yaml"
    path.write_text("precision: fp32\n")
    window.session.open(str(path))
    assert "first.yaml" in window.start.notice.text
    window.session.open("preset:gpt2")
    qtbot.waitUntil(lambda: window.session.document.model is not None, timeout=LONG)
    assert window.session.document.plan.precision == "fp32"


def test_a_plan_that_cannot_be_read_is_a_notice(
    qtbot: QtBot, opened: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text("precison: fp32\n")
    opened.session.open(str(path))
    qtbot.waitUntil(lambda: "odd.yaml" in opened.workspace.notice.text, timeout=LONG)
    assert "precision" in opened.workspace.notice.text


def test_a_dropped_file_is_opened(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "model.safetensors"))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(9, 9), copy, data, left, none)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(QPointF(9, 9), copy, data, left, none))
    qtbot.waitUntil(lambda: window.session.document.model is not None, timeout=LONG)
    assert window.session.document.source == str(tmp_path / "model.safetensors")


def test_text_that_is_no_file_is_not_taken(window: MainWindow) -> None:
    data = QMimeData()
    data.setText("hello")
    enter = QDragEnterEvent(
        QPoint(9, 9),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter.ignore()
    window.dragEnterEvent(enter)
    assert not enter.isAccepted()


def test_closing_with_edits_asks_once(qtbot: QtBot, opened: MainWindow) -> None:
    edit(qtbot, opened, "training.batch_size", 2)
    assert not opened.close()
    assert "edits that no file has" in opened.workspace.notice.text
    assert opened.isVisible()
    press(opened.workspace.notice, "Close")
    assert not opened.isVisible()
    assert opened.session.engine.state is EngineState.STOPPED


def test_closing_leaves_no_engine(qtbot: QtBot, opened: MainWindow) -> None:
    process_id = opened.session.engine.process_id
    assert process_id is not None
    assert opened.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_the_next_window_is_as_the_last_was_left(
    qtbot: QtBot, make_window: Callable[[], MainWindow]
) -> None:
    first = make_window()
    first.session.open("preset:gpt2")
    qtbot.waitUntil(lambda: first.session.document.estimate is not None, timeout=LONG)
    first.actions_["right_dock"].trigger()
    first.left.plan._sections["optimizer"].fold.set_folded(True)
    card = next(one for one in first.session.devices if not one.local)
    first.session.choose_device(card)
    first.close()
    second = make_window()
    assert second.session.document.device is not None
    assert second.session.document.device.name == card.name
    second.session.open("preset:gpt2")
    qtbot.waitUntil(lambda: second.session.document.estimate is not None, timeout=LONG)
    assert not second.right.isVisible()
    assert second.left.isVisible()
    assert second.left.plan._sections["optimizer"].fold.folded


def test_long_work_gets_a_button_to_stop_it(qtbot: QtBot, window: MainWindow) -> None:
    window.status.show_work("Opening slow")
    assert "Opening" not in window.status.text
    qtbot.waitUntil(lambda: "Opening slow" in window.status.text, timeout=2000)
    qtbot.waitUntil(window.status._stop.isVisible, timeout=4000)
    window.status.show_work("")
    assert not window.status._stop.isVisible()
    assert window.status.text == "No model open"


def test_what_was_being_opened_can_be_stopped(qtbot: QtBot, window: MainWindow) -> None:
    window.session.open("slow")
    qtbot.wait(100)
    with qtbot.waitSignal(window.session.engine.restarted, timeout=LONG):
        window.session.cancel()
    assert "Opening was stopped" in window.start.notice.text
    qtbot.wait(100)
    assert window.session.document.model is None


def test_every_control_has_a_name(opened: MainWindow) -> None:
    nameless = [
        button
        for button in opened.findChildren(QPushButton)
        if not (button.text() or button.accessibleName())
    ]
    assert nameless == []
