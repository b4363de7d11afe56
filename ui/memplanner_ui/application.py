"""Starts the window: at once, with the engine behind it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer
from PySide6.QtGui import QIcon, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication

from memplanner.garbage import nothing_here_is_waste
from memplanner_ui.first_look import first_palette, remembered, settings_path
from memplanner_ui.language import install
from memplanner_ui.main_window import MainWindow

if TYPE_CHECKING:
    from memplanner_ui.engine import Place
    from memplanner_ui.settings import SettingsFile

ICON_SIZES = (16, 24, 32, 48, 64, 128, 256)
FRAME = QSize(4, 36)
"""What a window's frame and title are taken to need before the window is shown."""
NEVER_PAINTED_MS = 500
"""A window that is minimised at first is filled as well."""
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
    application = _named()
    look = remembered(settings_path())
    window = MainWindow()
    window.setPalette(first_palette(options.theme or look.scheme))
    if look.geometry is not None:
        window.restoreGeometry(look.geometry)
    fit_to_screen(window)
    fill = QTimer(window, singleShot=True, interval=0)
    fill.timeout.connect(lambda: _fill(window, options))
    window.painted_first.connect(fill.start)
    QTimer.singleShot(NEVER_PAINTED_MS, fill, lambda: fill.start())
    window.show()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return application.exec()


def _fill(window: MainWindow, options: argparse.Namespace) -> None:
    """Makes the window's parts, now that it is on the screen, and starts the engine."""
    if window.assembled or not window.isVisible():
        return
    try:
        _assemble(window, options)
    except BaseException:  # it goes on up
        QApplication.exit(1)  # an empty window would stay
        raise
    QTimer.singleShot(0, window, lambda: _begin(window, options.source))


def _assemble(window: MainWindow, options: argparse.Namespace) -> None:
    # all that takes longer to import than a first picture of the window
    from memplanner_ui.document import Document
    from memplanner_ui.engine import EngineClient
    from memplanner_ui.look.theme import apply_theme
    from memplanner_ui.session import Session
    from memplanner_ui.settings import SettingsFile

    application = make_application()
    settings = SettingsFile()
    window.setPalette(QPalette())
    install(application, settings.values.language)
    apply_theme(application, options.theme or settings.values.scheme)
    engine = EngineClient(_place(options, settings))
    session = Session(Document(), engine, settings, window)
    window.assemble(session)
    window.crashes.watch()
    nothing_here_is_waste()


def make_application() -> QApplication:
    """The application with its names and icon."""
    application = _named()
    application.setWindowIcon(application_icon())
    return application


def _named() -> QApplication:
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("memplanner")
    application.setApplicationDisplayName("")
    application.setDesktopFileName("memplanner")
    return application


def fit_to_screen(window: MainWindow) -> None:
    """Makes the window no larger than what its screen has room for, its frame included."""
    room = window.screen().availableGeometry().size() - FRAME
    window.resize(window.size().boundedTo(room))


def application_icon() -> QIcon:
    """The program's icon, from the resources."""
    from PySide6.QtSvg import QSvgRenderer  # one library less before the window is there

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
    from memplanner_ui.engine import HERE, Place

    if options.python or options.host:
        brought = HERE.brought or bool(options.host)  # far away ours is the one that surely fits
        return Place(python=options.python or "", host=options.host or "", brought=brought)
    return settings.values.engine_place


def _host(text: str) -> str:
    from memplanner_ui.engine.place import wrong_host  # few name a host

    if wrong := wrong_host(text):
        raise argparse.ArgumentTypeError(wrong)
    return text


def _begin(window: MainWindow, source: str | None) -> None:
    window.session.engine.start()
    window.crashes.take_last()
    if not window.recovery.offer():
        window.crashes.offer()
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
