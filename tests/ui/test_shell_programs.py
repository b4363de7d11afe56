"""A program is run as a model only after the question, with the real engine behind the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from memplanner_ui.engine.client import SERVER
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.notice import NoticeBar
from tests.model.test_trust import CODE
from tests.ui.acting import LONG, press

pytestmark = pytest.mark.slow


@pytest.fixture
def engine_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.setenv("MEMPLANNER_TRUSTED_FOLDERS", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return SERVER


def asked(qtbot: QtBot, bar: NoticeBar, words: str) -> str:
    """What the bar says once it says ``words``."""
    qtbot.waitUntil(lambda: words in bar.text, timeout=4 * LONG)
    return bar.text


def test_a_program_that_changed_is_asked_about_again_and_no_opens_nothing(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    recipe, ran = tmp_path / "net.py", tmp_path / "ran"
    recipe.write_text(CODE)
    document = window.session.document
    window.session.open(str(recipe))
    question = asked(qtbot, window.start.notice, "with your rights on this machine")
    assert str(recipe) in question
    assert "has changed" not in question
    assert document.model is None
    assert not ran.exists()

    press(window.start.notice, "Run its code")
    qtbot.waitUntil(lambda: document.model is not None, timeout=4 * LONG)
    assert ran.exists()
    model = document.model
    window.session.open(str(recipe))  # the same content: nothing is asked
    qtbot.waitUntil(lambda: document.model is not model, timeout=4 * LONG)

    ran.unlink()
    recipe.write_text(CODE.replace("Linear(4, 2)", "Linear(4, 3)"))
    model = document.model
    window.session.open(str(recipe))
    bar = window.workspace.notice
    question = asked(qtbot, bar, "has changed since you agreed to it")
    assert str(recipe) in question
    assert "your rights to files and network" in question
    qtbot.keyClick(window.workspace, Qt.Key.Key_Escape)  # no
    assert bar.text == ""
    assert document.model is model
    assert not ran.exists()

    window.session.open(str(recipe))
    asked(qtbot, bar, "has changed since you agreed to it")
    press(bar, "Run its code")
    qtbot.waitUntil(lambda: document.model is not model, timeout=4 * LONG)
    assert document.model is not None
    assert document.model.parameters == 4 * 3 + 3
