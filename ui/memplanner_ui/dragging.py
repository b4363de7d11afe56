"""Files dragged out of the window, to a folder, a mail, an editor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QSize, Qt, QTemporaryDir, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QToolButton, QWidget

from memplanner.writing import why, write_whole
from memplanner_ui.language import translate
from memplanner_ui.look import icons

Files = Callable[[], Sequence[tuple[str, str]]]
"""Names and texts of the files that would be dragged now; none where nothing can be."""


class FileGrip(QToolButton):
    """A grip: what it is dragged onto gets the files. A plain click only says so.

    The files are written where temporary ones belong, and stay until the grip is gone: who takes
    them copies them.
    """

    def __init__(
        self, files: Files, say: Callable[[str], None], parent: QWidget | None = None
    ) -> None:
        """``say`` shows a sentence, such as why a file could not be written."""
        super().__init__(parent)
        self._files, self._say = files, say
        self._folder: QTemporaryDir | None = None
        self._pressed: QPoint | None = None
        icons.set_icon(self, "file", "text2")
        self.setIconSize(QSize(16, 16))
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.setAccessibleName(translate("Window", "Drag the files out"))
        self.setToolTip(translate("Window", "Drag this to a folder or a program to copy the files"))
        self.clicked.connect(lambda: say(self.toolTip() + "."))

    def packed(self) -> QMimeData | None:
        """The files as they are dragged, written by now; None where there are none."""
        files = self._files()
        if not files:
            return None
        if self._folder is None:
            self._folder = QTemporaryDir()
            self.destroyed.connect(self._folder.remove)
        folder = Path(self._folder.path())
        try:
            for name, text in files:
                write_whole(folder / Path(name).name, text)
        except OSError as error:
            self._say(
                translate("Window", "{path} cannot be written: {reason}.").format(
                    path=folder, reason=why(error)
                )
            )
            return None
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(folder / Path(name).name)) for name, _ in files])
        return data

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        self._pressed = event.position().toPoint() if left else None
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        way = QPoint() if self._pressed is None else event.position().toPoint() - self._pressed
        if way.manhattanLength() < QApplication.startDragDistance():
            super().mouseMoveEvent(event)
            return
        self._pressed = None
        self.setDown(False)
        data = self.packed()
        if data is not None:
            drag = QDrag(self)
            drag.setMimeData(data)
            drag.setPixmap(self.icon().pixmap(self.iconSize()))
            drag.exec(Qt.DropAction.CopyAction)
