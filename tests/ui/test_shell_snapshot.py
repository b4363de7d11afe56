"""Opening a memory snapshot in the whole window."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from memplanner_ui.main_window import MainWindow
from memplanner_ui.workspace import LAYERS, TIMELINE
from tests.ui.acting import LONG

pytestmark = pytest.mark.window


def test_a_snapshot_is_shown_beside_the_plan_it_is_of(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.open("/runs/first.pickle")
    pages = opened.workspace.timeline_pages
    qtbot.waitUntil(lambda: pages.shows_snapshot, timeout=LONG)
    assert opened.workspace.current == TIMELINE
    assert not opened.snapshots.reading
    assert pages.snapshot.plot.predicted_bytes is not None
    opened.session.document.close_model()
    assert not pages.shows_snapshot


def test_what_is_no_snapshot_is_said(qtbot: QtBot, opened: MainWindow) -> None:
    opened.session.open("/runs/broken.pickle")
    qtbot.waitUntil(lambda: not opened.snapshots.reading, timeout=LONG)
    assert "no memory snapshot" in opened.workspace.notice.text
    assert opened.workspace.current == LAYERS
