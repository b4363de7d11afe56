"""A memory snapshot in the Timeline: its history, the prediction's line, and what held the peak."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memplanner.messages.snapshot import Snapshot, SnapshotCurve, SnapshotStack, packed
from memplanner.units import GIB, MIB
from memplanner_ui.views.snapshot import SnapshotView
from memplanner_ui.views.timeline import TimelineView
from memplanner_ui.views.timeline_pages import TimelinePages
from tests.ui.timeline_sample import estimate


def curve(device: int, points: int, peak_bytes: int, events: int | None = None) -> SnapshotCurve:
    total = np.arange(points, dtype=np.int64) * peak_bytes // (points - 1)
    return SnapshotCurve(
        device=device,
        events=events or points,
        points=points,
        time_us=packed((np.arange(points, dtype="<i8") * 1000).tobytes()),
        allocated_bytes=packed(total.astype("<i8").tobytes()),
        reserved_bytes=packed((total + MIB).astype("<i8").tobytes()),
        peak_point=points - 1,
        peak_bytes=peak_bytes,
        reserved_peak_bytes=peak_bytes + MIB,
        before_bytes=GIB,
        stacks=(
            SnapshotStack(frames=("forward, m.py:3", "main, t.py:1"), size_bytes=GIB, count=7),
            SnapshotStack(frames=(), size_bytes=MIB, count=1),
        ),
    )


@pytest.fixture
def pages(qtbot: QtBot) -> TimelinePages:
    made = TimelinePages(TimelineView(), SnapshotView())
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


def opened(pages: TimelinePages, *curves: SnapshotCurve) -> SnapshotView:
    pages.show_snapshot(Snapshot(path="/runs/first.pickle", curves=curves, seconds=0.1))
    return pages.snapshot


def test_a_snapshot_is_a_page_until_it_is_closed(pages: TimelinePages) -> None:
    assert not pages.shows_snapshot
    assert not pages.chooser.isVisible()
    view = opened(pages, curve(0, 50, 4 * GIB))
    assert pages.shows_snapshot
    assert pages.chooser.isVisible()
    view.close_button.click()
    assert not pages.shows_snapshot
    assert not pages.chooser.isVisible()


def test_the_fullest_card_comes_first(pages: TimelinePages) -> None:
    view = opened(pages, curve(0, 50, GIB), curve(3, 50, 4 * GIB))
    assert view.cards.isVisible()
    assert view.cards.currentText() == "cuda:3"
    view.cards.setCurrentIndex(0)
    assert view.curve is not None
    assert view.curve.device == 0


def test_its_peak_is_read_out_and_held_against_the_prediction(pages: TimelinePages) -> None:
    predicted = estimate(200)
    pages.set_estimate(predicted)
    view = opened(pages, curve(0, 50, 4 * GIB, events=5000))
    assert view.readout.text.startswith(
        "Peak: cuda:0, most by forward, m.py:3, event 4\u2009900 of 5\u2009000, 4.0 GiB allocated"
    )
    assert view.plot.predicted_bytes == predicted.peak.allocated_bytes
    words = view._caption.text()
    assert "5\u2009000 allocations and frees in 0.049 s" in words
    assert "A point is the highest of its stretch" in words
    assert "1.0 GiB stood before" in words
    error = (predicted.peak.allocated_bytes - 4 * GIB) / (4 * GIB)
    assert f"{100 * abs(error):.1f} % against the recorded one" in words


def test_what_held_the_peak_is_a_table(pages: TimelinePages) -> None:
    view = opened(pages, curve(0, 50, 4 * GIB))
    model = view.table.rows
    assert model.texts(0) == ("1.0 GiB", "25 %", "7", "forward, m.py:3 ← main, t.py:1")
    assert model.texts(1)[-1] == "not recorded"


def test_keys_move_and_zoom(pages: TimelinePages) -> None:
    view = opened(pages, curve(0, 500, 4 * GIB))
    view.plot.setFocus()
    QTest.keyClick(view.plot, Qt.Key.Key_Left)
    assert "event 498 of 500" in view.readout.text
    QTest.keyClick(view.plot, Qt.Key.Key_Plus)
    assert view.plot.zoomed
    view.whole.click()
    assert not view.plot.zoomed


def test_a_million_points_are_shown_whole(pages: TimelinePages) -> None:
    view = opened(pages, curve(0, 2**20, 4 * GIB))
    view.grab()
    assert view.step is not None
    shown = view.plot._in_sight(view.plot._scale())[1]
    assert len(shown) <= 2 * view.plot.width()
    assert shown[-1] == 2**20 - 1
    assert view.plot._point_at(QPoint(view.plot.width(), 1).x()) > 2**20 - 3000
