"""Starts the window: at once, with the engine behind it."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib.resources import files

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from memplanner_ui.document import Document
from memplanner_ui.engine import EngineClient
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.main_window import MainWindow
from memplanner_ui.session import Session
from memplanner_ui.settings import SettingsFile

ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the window until it is closed; ``argv`` without the program's name. The exit code."""
    options = _parser().parse_args(argv)
    application = make_application()
    settings = SettingsFile()
    scheme = options.theme or settings.values.scheme
    apply_theme(application, scheme)
    engine = EngineClient(options.python or settings.values.interpreter)
    window = MainWindow(Session(Document(), engine, settings))
    window.session.setParent(window)
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


def _begin(window: MainWindow, source: str | None) -> None:
    window.session.engine.start()
    if source:
        window.session.open(source)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="memplanner gui", description="Plan the memory that training a model takes."
    )
    parser.add_argument("source", nargs="?", help="a model or a plan to open")
    parser.add_argument("--theme", choices=("system", "light", "dark"), help="colours")
    parser.add_argument("--python", help="the Python that the engine runs in")
    return parser
