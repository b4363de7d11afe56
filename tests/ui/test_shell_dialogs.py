"""Export, open by name, and the start page's filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from memplanner.messages.protocol import Preset
from memplanner_ui.export_dialog import ExportDialog
from memplanner_ui.main_window import MainWindow
from memplanner_ui.open_dialog import OpenDialog, is_importable, wrong_input
from memplanner_ui.start_page.presets import matching
from memplanner_ui.start_page.side import when


@pytest.fixture
def export(qtbot: QtBot, opened: MainWindow) -> Iterator[ExportDialog]:
    opened.actions_["export"].trigger()
    dialog = opened.findChild(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    qtbot.waitUntil(lambda: len(dialog._rendered) == 2, timeout=30_000)
    yield dialog
    dialog.close()


def test_each_target_shows_its_text_and_what_it_cannot_say(export: ExportDialog) -> None:
    assert "precision: bf16" in export.text.toPlainText()
    assert not export.cannot.isVisible()
    export.targets.setCurrentRow(1)
    assert export.cannot.isVisible()
    assert export.targets.current_title == "Accelerate"
    peaks = [text.text() for text in export.cannot.findChildren(QLabel)]
    assert "Peak as exported: 21.0 GiB" in peaks


def test_an_export_is_written_where_it_is_asked_for(
    qtbot: QtBot, export: ExportDialog, tmp_path: Path
) -> None:
    path = tmp_path / "out.yaml"
    export.save_to(str(path))
    qtbot.waitUntil(path.exists, timeout=30_000)
    qtbot.waitUntil(lambda: "Written" in export._said.text(), timeout=30_000)
    assert "precision: bf16" in path.read_text()


def test_an_export_is_copied(export: ExportDialog) -> None:
    export.copy_button.click()
    assert "precision: bf16" in QApplication.clipboard().text()


def test_an_answer_after_the_dialog_was_closed_does_nothing(
    qtbot: QtBot, opened: MainWindow
) -> None:
    opened.actions_["export"].trigger()
    dialog = opened.findChild(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    dialog.close()
    qtbot.waitUntil(lambda: not opened.session.engine.owed(), timeout=30_000)


@pytest.mark.parametrize(
    ("source", "importable"),
    [
        ("package.module:make", True),
        ("preset:gpt2", False),
        ("org/name", False),
        ("meta-llama/Llama-3.1-8B", False),
    ],
)
def test_what_reads_as_an_importable(source: str, importable: bool) -> None:
    assert is_importable(source) is importable


def test_inputs_are_checked_before_they_are_sent() -> None:
    assert wrong_input(("tokens=2x128:int64", "mask=2x128", "n=4")) == ""
    assert wrong_input(("tokens=2x128:int64", "2x128")) == "2x128"


def test_the_open_dialog_asks_for_inputs_only_of_an_importable(qtbot: QtBot) -> None:
    dialog = OpenDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.open_button.isEnabled()
    dialog.name.setText("org/name")
    assert dialog.open_button.isEnabled()
    assert not dialog.inputs.isVisible()
    dialog.name.setText("package.module:make")
    assert dialog.inputs.isVisible()
    dialog.inputs.setText("tokens=2xmany")
    assert not dialog.open_button.isEnabled()
    dialog.inputs.setText("tokens=2x8:int64")
    with qtbot.waitSignal(dialog.chosen) as chosen:
        dialog.open_button.click()
    assert chosen.args == ["package.module:make", ("tokens=2x8:int64",)]


def preset(name: str, family: str) -> Preset:
    return Preset(
        name=name,
        title=name,
        class_name="Model",
        family=family,
        publisher="Someone",
        parameters=1,
    )


def test_presets_are_filtered_by_family_and_words() -> None:
    presets = (preset("llama-3.1-8b", "language"), preset("vit-b", "vision"))
    assert [one.name for one in matching(presets, "vision", "")] == ["vit-b"]
    assert [one.name for one in matching(presets, "", "someone 8B")] == ["llama-3.1-8b"]
    assert matching(presets, "vision", "llama") == []


def test_days_are_told_as_people_do() -> None:
    noon = 1_700_000_000.0
    assert when(noon, noon) == "today"
    assert when(noon - 86_400, noon) == "yesterday"
    assert when(noon - 7 * 86_400, noon)[:2].isdigit()
