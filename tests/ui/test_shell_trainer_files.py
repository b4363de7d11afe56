"""Trainers' files, opened or dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from memplanner_ui.main_window import MainWindow
from memplanner_ui.trainer_files import may_be_trainers

LONG = 10_000
AXOLOTL = """
base_model: openai-community/gpt2
micro_batch_size: 3
sequence_len: 64
learning_rate: 1e-4
relora: true
datasets:
  - path: words
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tune.yaml"
    path.write_text(AXOLOTL)
    return path


def test_a_trainers_file_sets_the_plan_and_tells_what_has_no_place(
    qtbot: QtBot, opened: MainWindow, file: Path
) -> None:
    document = opened.session.document
    before = document.plan
    opened.session.open(str(file))
    qtbot.waitUntil(lambda: document.plan != before, timeout=LONG)
    assert document.plan.training.batch_size == 3
    assert document.plan.optimizer.learning_rate == 1e-4
    qtbot.waitUntil(lambda: "tune.yaml" in opened.workspace.notice.text, timeout=LONG)
    said = opened.workspace.notice.text
    assert "Axolotl" in said
    assert "relora: true has no place in a plan." in said
    buttons = [one.text() for one in opened.workspace.notice.findChildren(QPushButton)]
    assert "Open its model" in buttons
    document.history.undo()
    assert document.plan == before


def test_without_a_model_the_files_own_is_opened(
    qtbot: QtBot, window: MainWindow, file: Path
) -> None:
    document = window.session.document
    window.session.open(str(file))
    qtbot.waitUntil(lambda: document.model is not None, timeout=LONG)
    assert document.source == "preset:gpt2"
    qtbot.waitUntil(lambda: document.plan.training.batch_size == 3, timeout=LONG)


def test_a_file_that_no_trainer_reads_is_a_notice(
    qtbot: QtBot, opened: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("colour: red\n")
    opened.session.open(str(path))
    qtbot.waitUntil(lambda: "other.yaml" in opened.workspace.notice.text, timeout=LONG)
    assert "no keys of a trainer" in opened.workspace.notice.text


def test_models_are_not_taken_for_trainers_files(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors.index.json", "ds.json", "run.sh", "a.yml"):
        (tmp_path / name).write_text("{}")
    taken = {path.name for path in tmp_path.iterdir() if may_be_trainers(str(path))}
    assert taken == {"ds.json", "run.sh", "a.yml"}
