"""Export: the targets, the text each would get, and what it cannot say."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QGuiApplication, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from memplanner.messages.protocol import Exported, Failure
from memplanner.units import format_bytes
from memplanner.writing import why, write_whole
from memplanner_ui.dragging import FileGrip
from memplanner_ui.files import choose_new_file
from memplanner_ui.highlighter import Highlighter
from memplanner_ui.language import plural, translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import plot_painter
from memplanner_ui.session import Session
from memplanner_ui.target_list import TargetList
from memplanner_ui.views.rows import Panel, Part, hairline, label

MOST_CANNOT = 170
"""Pixels that the list of what a target cannot say takes at most, at 100 %."""


class NumberedText(QPlainTextEdit):
    """Read-only text with line numbers at its side."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setFont(fonts.font("mono"))
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setStyleSheet("QPlainTextEdit { border: none; border-radius: 0; padding: 0; }")
        self._margin = _Margin(self)
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(lambda *_: self._margin.update())
        self._make_room()

    def margin_width(self) -> int:
        """The width of the numbers."""
        digits = len(str(max(99, self.blockCount())))
        return 20 + digits * self.fontMetrics().horizontalAdvance("9")

    def _make_room(self) -> None:
        self.setViewportMargins(self.margin_width(), 6, 0, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        area = self.contentsRect()
        self._margin.setGeometry(QRect(area.left(), area.top(), self.margin_width(), area.height()))

    def paint_numbers(self, event: QPaintEvent) -> None:
        """Paints the numbers of the visible lines."""
        colors = theme.current()
        painter = plot_painter(self._margin)
        painter.fillRect(event.rect(), colors.color("base"))
        painter.setFont(self.font())
        painter.setPen(colors.color("text3"))
        block = self.firstVisibleBlock()
        top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top() + 6
        while block.isValid() and top <= event.rect().bottom():
            height = self.blockBoundingRect(block).height()
            area = QRect(0, round(top), self.margin_width() - 10, round(height))
            painter.drawText(area, Qt.AlignmentFlag.AlignRight, str(block.blockNumber() + 1))
            top += height
            block = block.next()
        painter.end()


class _Margin(QWidget):
    def __init__(self, text: NumberedText) -> None:
        super().__init__(text)
        self._text = text

    def paintEvent(self, event: QPaintEvent) -> None:
        self._text.paint_numbers(event)


class ExportDialog(QDialog):
    """Opened with ``open()``; renders each target when it is first looked at."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(translate("Window", "Export the plan"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(fonts.scaled(960), fonts.scaled(660))
        self._session = session
        self._rendered: dict[str, Exported] = {}
        self._failed: dict[str, str] = {}
        self._gone = False
        self._build()
        for target in session.targets:
            self.targets.add(target)
            self._render(target.name)
        self.targets.setCurrentRow(0)

    def _build(self) -> None:
        self.targets = TargetList()
        self.targets.setFixedWidth(fonts.scaled(214))
        self.targets.chosen.connect(lambda _: self._show())
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        heading = label(translate("Window", "Write for"), "heading", "secondary")
        heading.setContentsMargins(14, 12, 14, 8)
        left.addWidget(heading)
        left.addWidget(self.targets, 1)
        side = QWidget()
        side.setLayout(left)
        side.setProperty("surface", "panel")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

        self._name = label("", "mono")
        self._about = label("", "body", "secondary")
        self.files = QTabBar()
        self.files.setDocumentMode(True)
        self.files.setDrawBase(False)
        self.files.setAccessibleName(translate("Window", "Files"))
        self.files.currentChanged.connect(lambda _: self._show_file())
        top = QHBoxLayout()
        top.setContentsMargins(12, 9, 12, 9)
        top.setSpacing(10)
        top.addWidget(self._name)
        top.addWidget(self._about)
        top.addStretch(1)
        self.grip = FileGrip(self._dragged, self._say)
        top.addWidget(self.grip)
        self.text = NumberedText()
        self.text.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # code
        self.text.setAccessibleName(translate("Window", "Text of the file"))
        self._highlighter = Highlighter(self.text.document())
        self.cannot = Panel(translate("Window", "What it cannot say"))
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addLayout(top)
        right.addWidget(self.files)
        right.addWidget(hairline())
        right.addWidget(self.text, 1)
        right.addWidget(hairline())
        right.addWidget(self.cannot)

        self._said = label("", "secondary", "secondary", wrap=True)
        cancel = QPushButton(translate("Window", "Close"))
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self.copy_button = QPushButton(translate("Window", "Copy"))
        icons.set_icon(self.copy_button, "copy")
        self.copy_button.setAutoDefault(False)
        self.copy_button.clicked.connect(self._copy)
        self.save_button = QPushButton(translate("Window", "Save…"))
        self.save_button.setProperty("primary", True)
        self.save_button.setDefault(True)
        self.save_button.clicked.connect(self._save)
        foot = QHBoxLayout()
        foot.setContentsMargins(14, 9, 14, 9)
        foot.setSpacing(8)
        foot.addWidget(self._said, 1)
        for button in (cancel, self.copy_button, self.save_button):
            foot.addWidget(button)
        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        middle.addWidget(side)
        middle.addLayout(right, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(middle, 1)
        whole.addWidget(hairline())
        whole.addLayout(foot)

    # Rendering

    def _render(self, target: str) -> None:
        self._session.render(
            target,
            lambda reply: self._on_rendered(target, reply),
            lambda failure: self._on_failed(target, failure),
        )

    def _on_rendered(self, target: str, reply: Exported) -> None:
        if self._gone:
            return
        self._rendered[target] = reply
        self.targets.show_cannot(target, len(reply.cannot_say))
        if target == self.targets.current:
            self._show()

    def _on_failed(self, target: str, failure: Failure) -> None:
        if not self._gone:
            self._failed[target] = failure.sentence
            if target == self.targets.current:
                self._show()

    def _show(self) -> None:
        target = self.targets.current
        reply = self._rendered.get(target)
        self.files.blockSignals(True)
        while self.files.count():
            self.files.removeTab(0)
        for file in reply.files if reply else ():
            self.files.addTab(Path(file.name).name)
        self.files.blockSignals(False)
        self.files.setVisible(self.files.count() > 1)
        self.copy_button.setEnabled(reply is not None)
        self.grip.setEnabled(reply is not None)
        self.save_button.setEnabled(reply is not None)
        self._said.setText(self._failed.get(target, ""))
        self._show_file()
        self._show_cannot(reply)

    def _show_file(self) -> None:
        reply = self._rendered.get(self.targets.current)
        index = max(0, self.files.currentIndex())
        if reply is None or index >= len(reply.files):
            self._name.setText("")
            self._about.setText("")
            self.text.setPlainText("")
            return
        file = reply.files[index]
        self._name.setText(file.name)
        lines = len(file.text.splitlines())
        self._about.setText(
            plural("Window", "{count} lines", "{count} line", lines).format(count=lines)
        )
        self._highlighter.set_file_name(file.name)
        self.text.setPlainText(file.text)

    def _show_cannot(self, reply: Exported | None) -> None:
        self.cannot.clear_parts()
        self.cannot.setVisible(reply is not None and bool(reply.cannot_say))
        if reply is None or not reply.cannot_say:
            return
        part = Part(
            translate("Window", "What {target} cannot say").format(
                target=self.targets.current_title
            )
        )
        really = reply.runs_as
        if really is not None and really.allocated_bytes is not None:
            peak = really.device_bytes or really.allocated_bytes
            part.right.setText(
                translate("Window", "Peak as exported: {peak}").format(peak=format_bytes(peak))
            )
        if really is not None:
            part.add(
                label(
                    translate("Window", "As exported, it {sentence}").format(
                        sentence=really.sentence
                    ),
                    "body",
                    wrap=True,
                )
            )
        for number, sentence in enumerate(reply.cannot_say, 1):
            part.add(label(f"{number}   {sentence}", "body", wrap=True))
        self.cannot.add_part(part)
        self.cannot.setFixedHeight(min(fonts.scaled(MOST_CANNOT), part.sizeHint().height() + 4))

    # What to do with it

    def _dragged(self) -> list[tuple[str, str]]:
        reply = self._rendered.get(self.targets.current)
        return [] if reply is None else [(file.name, file.text) for file in reply.files]

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        self._say(translate("Window", "{file} is on the clipboard.").format(file=self._name.text()))

    def _save(self) -> None:
        reply = self._rendered.get(self.targets.current)
        if reply is not None:
            name = Path(reply.files[0].name).name
            choose_new_file(
                self,
                translate("Window", "Save the export"),
                translate("Window", "All files (*)"),
                name,
                self.save_to,
                self._session.settings.values.folder,
            )

    def save_to(self, path: str) -> None:
        """Has the engine write the chosen target to ``path``; one far away cannot, so we do."""
        self._session.settings.update(folder=str(Path(path).parent))
        if self._session.engine.place.remote:
            self._write_here(Path(path), self._rendered[self.targets.current])
            return
        self._session.render(
            self.targets.current, self._on_written, self._on_not_written, output=path
        )

    def _write_here(self, path: Path, reply: Exported) -> None:
        """Writes the first file to ``path`` and the rest beside it."""
        paths = [path, *(path.parent / file.name for file in reply.files[1:])]
        try:
            for place, file in zip(paths, reply.files, strict=True):
                write_whole(place, file.text)
        except OSError as error:
            self._say(
                translate("Window", "{path} cannot be written: {reason}.").format(
                    path=path, reason=why(error)
                )
            )
        else:
            self._say(
                translate("Window", "Written: {paths}").format(paths=", ".join(map(str, paths)))
            )

    def _on_written(self, reply: Exported) -> None:
        if not self._gone:
            self._say(
                translate("Window", "Written: {paths}").format(paths=", ".join(reply.written))
            )

    def _on_not_written(self, failure: Failure) -> None:
        if not self._gone:
            self._say(failure.sentence)

    def _say(self, words: str) -> None:
        self._said.setText(words)

    def done(self, result: int) -> None:
        self._gone = True
        super().done(result)
