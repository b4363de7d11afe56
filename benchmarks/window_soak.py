"""The window for minutes on end with a plan applied over and over, and what it holds by then."""

from __future__ import annotations

import gc
import sys
from itertools import count
from time import monotonic, sleep
from typing import Any

import psutil
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from benchmarks.window_frames import application, close, open_window, rest, until
from memplanner_ui.main_window import MainWindow
from memplanner_ui.run_control import RunSettings
from memplanner_ui.workspace import LAYERS

SMALL = "preset:smollm2-135m"
PLAN = {"training.batch_size": 1, "training.sequence_length": 32}
STEPS = 1
VIEWS = ("timeline", "icicle", "live", "search", "sensitivity", "compare", "ranks", "history")


def measure_soak(minutes: float) -> dict[str, Any]:
    """Samples of what the window's process holds, each at the same state, and how much was done."""
    application()
    window = open_window(SMALL, "cpu")
    for key, value in PLAN.items():
        window.session.edit(key, value)
    rest(window)
    process = psutil.Process()
    began, samples, edits = monotonic(), [], 0
    for number in count():
        edits += _round(window, number)
        samples.append({"minutes": (monotonic() - began) / 60, **_held(window, process)})
        print(*(f"{value:g} {what}" for what, value in samples[-1].items()), file=sys.stderr)
        if samples[-1]["minutes"] >= minutes and number >= 3:
            break
    heavy = "torch" in sys.modules
    close(window)
    return {"samples": samples, "runs": len(samples), "edits": edits, "torch": heavy}


def _round(window: MainWindow, number: int) -> int:
    """Applies the plan; meanwhile it is edited, and every view is looked at. How many edits."""
    runs, session = window.runs, window.session
    runs.apply(RunSettings(steps=STEPS), force=True)
    until(lambda: runs.ever_started or not runs.running, pause=0.02)
    edits = 0
    while runs.running:
        view = VIEWS[(number + edits) % len(VIEWS)]
        window.workspace.show_view(view)
        session.edit("training.batch_size", 2 + (number + edits) % 7)
        edits += 1
        end = monotonic() + 0.25
        until(lambda end=end: monotonic() > end or not runs.running, pause=0.01)
    assert runs.result is not None
    assert runs.result.outcome == "finished", runs.result.sentence
    window.workspace.show_view(LAYERS)
    for key, value in PLAN.items():
        session.edit(key, value)
    session.document.history.clear()  # every edit is kept for undo, as it has to be
    until(lambda: session.document.estimate_is_current, pause=0.01)
    rest(window)
    until(lambda: not window.freed_memory.later.isActive(), pause=0.01)
    return edits


def _held(window: MainWindow, process: psutil.Process) -> dict[str, int]:
    for _ in range(5):  # what was asked to be deleted, and what that leaves
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        sleep(0.02)
    gc.collect()
    return {
        "resident_bytes": process.memory_info().rss,
        "widgets": len(QApplication.allWidgets()),
        "timers": sum(one.isActive() for one in _timers(window)),
        "threads": process.num_threads(),
        "descriptors": process.num_fds(),
        "children": len(process.children(recursive=True)),
    }


def _timers(window: QObject) -> list[QTimer]:
    owner = QApplication.instance()
    return [*window.findChildren(QTimer), *(owner.findChildren(QTimer) if owner else ())]
