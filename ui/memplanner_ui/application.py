"""Starts the window: at once, with the engine behind it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib.resources import files

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from memplanner_ui.document import Document
from memplanner_ui.engine import HERE, EngineClient, Place
from memplanner_ui.engine.place import wrong_host
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.main_window import MainWindow
from memplanner_ui.session import Session
from memplanner_ui.settings import SettingsFile

ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)
FRAME = QSize(4, 36)
"""What a window's frame and title are taken to need before the window is shown."""
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
NO_DISPLAY = (
    "There is no display to open the window on; set DISPLAY, or use the terminal's commands."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the window until it is closed; ``argv`` without the program's name. The exit code."""
    options = _parser().parse_args(argv)
    if not _has_display():
        print(NO_DISPLAY, file=sys.stderr)
        return 2
    application = make_application()
    settings = SettingsFile()
    scheme = options.theme or settings.values.scheme
    apply_theme(application, scheme)
    engine = EngineClient(_place(options, settings))
    window = MainWindow(Session(Document(), engine, settings))
    window.session.setParent(window)
    window.crashes.watch()
    fit_to_screen(window)
    window.show()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    QTimer.singleShot(0, window, lambda: _begin(window, options.source))
    return application.exec()


def make_application() -> QApplication:
    """The application with its names and icon."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("memplanner")
    application.setApplicationDisplayName("")
    application.setDesktopFileName("memplanner")
    application.setWindowIcon(application_icon())
    return application


def fit_to_screen(window: MainWindow) -> None:
    """Makes the window no larger than what its screen has room for, its frame included."""
    room = window.screen().availableGeometry().size() - FRAME
    window.resize(window.size().boundedTo(room))


def application_icon() -> QIcon:
    """The program's icon, from the resources."""
    data = (files("memplanner.resources") / "icons" / "app.svg").read_bytes()
    drawing = QSvgRenderer(QByteArray(data))
    icon = QIcon()
    for size in ICON_SIZES:
        pixmap = QPixmap(size, size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        drawing.render(painter)
        painter.end()
        icon.addPixmap(pixmap)
    return icon


def _has_display() -> bool:
    """Whether Qt can draw anywhere: without it, Qt would end the process by a signal."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in DISPLAYS)


def _place(options: argparse.Namespace, settings: SettingsFile) -> Place:
    """Where the engine runs: as the command line says, else as it was chosen last."""
    if options.python or options.host:
        brought = HERE.brought or bool(options.host)  # far away ours is the one that surely fits
        return Place(python=options.python or "", host=options.host or "", brought=brought)
    return settings.values.engine_place


def _host(text: str) -> str:
    if wrong := wrong_host(text):
        raise argparse.ArgumentTypeError(wrong)
    return text


def _begin(window: MainWindow, source: str | None) -> None:
    window.session.engine.start()
    window.recovery.offer()
    if source:
        window.session.open(source)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="memplanner gui", description="Plan the memory that training a model takes."
    )
    parser.add_argument("source", nargs="?", help="a model or a plan to open")
    parser.add_argument("--theme", choices=("system", "light", "dark"), help="colours")
    parser.add_argument("--python", help="the Python that the engine runs in")
    parser.add_argument(
        "--host", type=_host, help="another machine that the engine runs on, as ssh knows it"
    )
    return parser
