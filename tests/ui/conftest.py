"""Every test of the window: offscreen, its own settings, and nothing left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import psutil
import pytest
from PySide6.QtCore import QEvent, QObject, QThread, QTimer
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from memplanner_ui.document import Document
from memplanner_ui.engine import EngineClient, Place
from memplanner_ui.main_window import MainWindow
from memplanner_ui.session import Session
from memplanner_ui.settings import SettingsFile

FAKE_ENGINE = Path(__file__).parent / "fake_engine.py"


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("settings")
    os.environ["XDG_CONFIG_HOME"] = str(folder)


@pytest.fixture(scope="session")
def collected_after() -> tuple[int, int, int]:
    """Python's own thresholds: widgets in cycles are gone as soon as they are for a user."""
    return 700, 10, 10


def _children_of_type(kind: type[QObject]) -> set[int]:
    """The live objects of a kind below the application and its windows."""
    application = QApplication.instance()
    if application is None:
        return set()
    found = list(application.findChildren(kind))
    for widget in QApplication.topLevelWidgets():
        found += widget.findChildren(kind)
    return {id(one) for one in found}


def _settle() -> None:
    """Deletes what was asked to be deleted."""
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a top-level widget, or a thread, timer or process running."""
    if "qtbot" not in request.fixturenames:
        yield
        return
    qapp = request.getfixturevalue("qapp")
    before = set(QApplication.topLevelWidgets())
    timers = _children_of_type(QTimer)
    processes = _processes()
    yield
    _settle()
    left = [
        widget
        for widget in set(QApplication.topLevelWidgets()) - before
        if not _belongs_to_qt(widget)
    ]
    threads = [one for one in qapp.findChildren(QThread) if one.isRunning()]
    running = [one for one in qapp.findChildren(QTimer) if id(one) not in timers and one.isActive()]
    assert not left, f"top-level widgets left behind: {left}"
    assert not threads, f"threads left running: {threads}"
    assert not running, f"timers left running: {running}"
    started = _processes() - processes
    assert not started, f"processes left running: {started}"


def _processes() -> set[psutil.Process]:
    """What this process has started and still runs; those that tests are forked from stay."""
    found = set()
    for one in psutil.Process().children():
        try:
            nursery = "multiprocessing" in " ".join(one.cmdline())
            if not nursery and one.status() != psutil.STATUS_ZOMBIE:
                found.add(one)
        except psutil.NoSuchProcess:
            pass  # it has ended meanwhile
    return found


def _belongs_to_qt(widget: QWidget) -> bool:
    return widget.metaObject().className() in {"QTipLabel", "QComboBoxPrivateContainer"}


@pytest.fixture
def engine_arguments() -> tuple[str, ...]:
    """Arguments that start the small engine of these tests instead of the real one."""
    return (str(FAKE_ENGINE),)


@pytest.fixture
def interpreter() -> str:
    return sys.executable


@pytest.fixture
def make_window(
    qtbot: QtBot, tmp_path: Path, interpreter: str, engine_arguments: tuple[str, ...]
) -> Callable[[], MainWindow]:
    """Opens a window on the small engine; closed without a question at the end."""

    def close(window: MainWindow) -> None:
        window.runs.running = False
        window.session.document.history.setClean()

    def build() -> MainWindow:
        settings = SettingsFile(tmp_path / "settings" / "window.json")
        settings.update(tour_seen=True)
        window = MainWindow(
            Session(Document(), EngineClient(Place(python=interpreter), engine_arguments), settings)
        )
        window.session.setParent(window)
        qtbot.addWidget(window, before_close_func=close)
        window.resize(1440, 900)
        window.show()
        window.session.engine.start()
        qtbot.waitUntil(lambda: bool(window.session.targets), timeout=30_000)
        return window

    return build


@pytest.fixture
def window(make_window: Callable[[], MainWindow]) -> MainWindow:
    """A window with nothing open."""
    return make_window()


@pytest.fixture
def opened(qtbot: QtBot, window: MainWindow) -> MainWindow:
    """A window with a model open and estimated."""
    window.session.open("preset:llama-3.1-8b")
    qtbot.waitUntil(lambda: window.session.document.estimate is not None, timeout=30_000)
    return window
