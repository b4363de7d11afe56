"""What a user does to the whole window, and how long a test waits for it."""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.notice import NoticeBar

LONG = 30_000
"""Milliseconds."""


def edit(qtbot: QtBot, window: MainWindow, key: str, value: object) -> None:
    """Edits the plan and waits for its estimate."""
    window.session.edit(key, value)
    document = window.session.document
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)


def press(notice: NoticeBar, text: str) -> None:
    """Presses the button of a notice that says ``text``."""
    for button in notice.findChildren(QPushButton):
        if button.text() == text:
            button.click()
            return
    raise AssertionError(f"no button {text}")
