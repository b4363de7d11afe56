"""Files dropped on the window: anywhere on it counts."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QMainWindow


class DropWindow(QMainWindow):
    """Emits the path of what is dropped, and whether something hangs over the window."""

    dropped = Signal(str)
    hangs_over = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _path(event):
            event.acceptProposedAction()
            self.hangs_over.emit(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.hangs_over.emit(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.hangs_over.emit(False)
        path = _path(event)
        if path:
            event.acceptProposedAction()
            self.dropped.emit(path)


def _path(event: QDropEvent) -> str:
    """The first local file or folder of a drop; empty when there is none."""
    urls = event.mimeData().urls()
    return next((url.toLocalFile() for url in urls if url.isLocalFile()), "")
