"""The small panel that says how a figure was made. Read, walked through, copied."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from memplanner.report.explained import Explanation
from memplanner_ui.language import translate
from memplanner_ui.look import icons, rich_text, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import ElidedLabel

WIDTH = 460
_MOST_HEIGHT = 520
_FRAME = 24
_MARGIN = 6
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
_APART = 6
"""Pixels from the figure to the panel."""


def html(explanation: Explanation) -> str:
    """An explanation as rich text, without its heading."""
    parts = [f"<p>{escape(explanation.how)}</p>"]
    space = "padding: 1px 12px 1px 0"
    if explanation.rows:
        cells = "".join(
            f"<tr><td style='{space}'>{escape(row.title)}</td>"
            f"<td align='right' style='{space}; white-space: pre'>"
            f"<b>{escape(row.value)}</b></td>"
            f"<td class='second' style='padding: 1px 0'>{escape(row.note)}</td></tr>"
            for row in explanation.rows
        )
        parts.append(f"<table cellspacing='0' style='margin: 4px 0 10px 0'>{cells}</table>")
    if explanation.margin:
        parts.append(f"<p><span class='second'>Margin:</span> {escape(explanation.margin)}</p>")
    sources = "".join(f"<br>{escape(source)}" for source in explanation.sources)
    if sources:
        parts.append(f"<p><span class='second'>Sources:</span>{sources}</p>")
    return "".join(parts)


class ExplanationPanel(QFrame):
    """A pop-up beside a figure. Arrow buttons go through others, Escape closes it."""

    more_wanted = Signal(str)
    """The page of the help, with an anchor."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("explanation")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setProperty("surface", "panel")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._all: tuple[Explanation, ...] = ()
        self._place = 0
        self._at = QRect()
        self.heading = ElidedLabel()
        self.heading.setFont(fonts.font("heading"))
        self.browser = QTextBrowser()
        self.browser.setOpenLinks(False)
        self.browser.setFrameShape(QFrame.Shape.NoFrame)
        self.browser.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.browser.setAccessibleName(translate("Explaining", "How it was made"))
        self.browser.setStyleSheet("QTextBrowser { background: transparent; border: none; }")
        self.browser.installEventFilter(self)  # or its own way back would take the arrows
        self.last = self._button(
            "left", translate("Explaining", "Last figure (Alt+Left)"), lambda: self._go(-1)
        )
        self.next = self._button(
            "right", translate("Explaining", "Next figure (Alt+Right)"), lambda: self._go(1)
        )
        self.copy_button = QPushButton(translate("Explaining", "Copy"))
        self.copy_button.setProperty("small", True)
        self.copy_button.setToolTip(translate("Explaining", "All of it as text"))
        self.copy_button.clicked.connect(self.copy)
        self.more = QPushButton(translate("Explaining", "More in help"))
        self.more.setProperty("small", True)
        self.more.clicked.connect(self._more)
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.heading, 1)
        top.addWidget(self.last)
        top.addWidget(self.next)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addWidget(self.copy_button)
        foot.addWidget(self.more)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.browser, 1)
        column.addLayout(foot)
        theme.current().changed.connect(self._show)

    def _button(self, icon: str, name: str, pressed: object) -> QPushButton:
        button = QPushButton()
        button.setProperty("flat", True)
        button.setFixedSize(24, 24)
        button.setStyleSheet("padding: 0; min-height: 0;")
        icons.set_icon(button, icon, "text2")
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.clicked.connect(pressed)
        return button

    @property
    def shown(self) -> Explanation | None:
        """What is told now."""
        return self._all[self._place] if self._all else None

    def open_at(self, figure: QRect, explanations: Sequence[Explanation], place: int = 0) -> None:
        """Opens below ``figure`` (global), or above it, with one of several explanations."""
        self._all, self._place, self._at = tuple(explanations), place, figure
        self._show()
        self.show()
        self.browser.setFocus(Qt.FocusReason.PopupFocusReason)

    def copy(self) -> None:
        """Puts the explanation on the clipboard, as text."""
        if self.shown is not None:
            QGuiApplication.clipboard().setText(self.shown.text())

    def _go(self, step: int) -> None:
        self._place = (self._place + step) % max(1, len(self._all))
        self._show()

    def _more(self) -> None:
        shown = self.shown
        self.close()
        if shown is not None:
            self.more_wanted.emit(shown.page)

    def _show(self) -> None:
        explanation = self.shown
        if explanation is None:
            return
        self.heading.set_text(explanation.heading)
        document = self.browser.document()
        document.setDefaultFont(fonts.font("body"))
        document.setDefaultStyleSheet(rich_text.sheet())
        document.setDocumentMargin(_MARGIN)
        self.browser.setHtml(html(explanation))
        self.browser.setAccessibleDescription(explanation.text())
        self.setAccessibleName(explanation.heading)
        for button in (self.last, self.next):
            button.setVisible(len(self._all) > 1)
        self.setGeometry(self._area())

    def _area(self) -> QRect:
        """As large as the text needs, beside the figure and on its screen."""
        screen = QGuiApplication.screenAt(self._at.center()) or QGuiApplication.primaryScreen()
        around = screen.availableGeometry()
        width = min(fonts.scaled(WIDTH), around.width())
        document = self.browser.document()
        document.setTextWidth(width - _FRAME)
        others = self.sizeHint().height() - self.browser.sizeHint().height()
        height = round(document.size().height()) + others + 2 * _MARGIN
        height = min(height, fonts.scaled(_MOST_HEIGHT), around.height())
        below = self._at.bottom() + _APART
        top = below
        if below + height > around.bottom():
            top = max(around.top(), self._at.top() - _APART - height)
        left = max(around.left(), min(self._at.left(), around.right() - width))
        return QRect(QPoint(left, top), QSize(width, height))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Alt with an arrow goes to another figure."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = _STEPS.get(Qt.Key(event.key()))
            if step is not None and event.modifiers() & Qt.KeyboardModifier.AltModifier:
                self._go(step)
                return True
        return super().eventFilter(watched, event)
