"""Asks a figure how it was made: by key, by the menu of the figure, or by a click above the views.

Every figure is a widget with a function that answers; which ones there are, the ``…_figures``
modules beside this one say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QGuiApplication,
    QKeySequence,
    QMouseEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QAbstractScrollArea, QApplication, QWidget

from memplanner_ui.explaining.asking import Answer, Figure
from memplanner_ui.explaining.header_figures import HeaderFigures
from memplanner_ui.explaining.mark import FigureMark, question
from memplanner_ui.explaining.other_figures import OtherFigures
from memplanner_ui.explaining.panel import ExplanationPanel
from memplanner_ui.explaining.view_figures import ViewFigures
from memplanner_ui.language import translate
from memplanner_ui.views.copying import let_copy_picture

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow


class ExplainControl(QObject):
    """Knows every figure of the window, and opens the panel beside the one that is asked about."""

    more_wanted = Signal(str)
    """A page of the help, with an anchor."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._panel: ExplanationPanel | None = None
        header = HeaderFigures(window).figures()
        self.figures = (*header, *ViewFigures(window).figures(), *OtherFigures(window).figures())
        self._pressed: tuple[QWidget, QPoint] | None = None
        """Where the pointer was pressed last."""
        self._by_widget: dict[QWidget, Figure] = {}
        self._questions: list[QAction] = []
        """In the menus of the figures."""
        for figure in self.figures:
            self._attach(figure)
        verdict, _, step = header
        self.marks = (FigureMark(verdict.widget, left=True), FigureMark(step.widget, left=False))
        for mark, figure in zip(self.marks, (verdict, step), strict=True):
            mark.clicked.connect(lambda _=False, one=figure: self._ask(one, None))
        window.actions_["explain"].changed.connect(self._say_key)
        self._say_key()
        document = window.session.document
        document.estimate_changed.connect(lambda _: self._show_marks())
        self._show_marks()

    @property
    def panel(self) -> ExplanationPanel:
        """The panel, made when it is first wanted."""
        if self._panel is None:
            self._panel = ExplanationPanel(self._window)
            self._panel.more_wanted.connect(self.more_wanted)
        return self._panel

    def _say_key(self) -> None:
        """The key stands in the menus as it is set now."""
        key = self._window.actions_["explain"].shortcut()
        words = key.toString(QKeySequence.SequenceFormat.NativeText)
        asked = question()
        for action in self._questions:
            action.setText(f"{asked}\t{words}" if words else asked)
        for mark in self.marks:
            mark.setToolTip(f"{asked} ({words})" if words else asked)

    def _show_marks(self) -> None:
        known = self._window.session.document.estimate is not None
        for mark in self.marks:
            mark.setVisible(known)

    def _attach(self, figure: Figure) -> None:
        widget = figure.widget
        action = QAction(question(), widget)
        self._questions.append(action)
        action.triggered.connect(lambda _=False, one=figure: self._ask_pressed(one))
        widget.addAction(action)
        if not isinstance(widget, QAbstractItemView):  # those have ``views.copying.Copies``
            copy = QAction(translate("Window", "Copy this figure"), widget)
            copy.triggered.connect(lambda _=False, one=figure: self._copy_pressed(one))
            widget.addAction(copy)
            let_copy_picture(widget)
        own_menu = widget is self._window.workspace.layers.tree  # it shows the widget's actions
        if not own_menu:
            widget.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        pressed = _surface(widget)
        self._by_widget[pressed] = figure
        for watched in {widget, pressed}:
            watched.installEventFilter(self)
        if figure.opens_by_click:
            widget.setCursor(Qt.CursorShape.PointingHandCursor)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Remembers where was pressed; a click on what does nothing else asks."""
        if isinstance(event, QMouseEvent) and isinstance(watched, QWidget):
            if event.type() == QEvent.Type.MouseButtonPress:
                self._pressed = (watched, event.position().toPoint())
            elif (
                event.type() == QEvent.Type.MouseButtonRelease
                and event.button() == Qt.MouseButton.LeftButton
                and (figure := self._by_widget.get(watched)) is not None
                and figure.opens_by_click
            ):
                self._ask_pressed(figure)
        elif isinstance(event, QContextMenuEvent) and (
            event.reason() == QContextMenuEvent.Reason.Keyboard
        ):
            self._pressed = None  # such a menu is about what has the cursor
        return super().eventFilter(watched, event)

    def _ask_pressed(self, figure: Figure) -> None:
        self._ask(figure, self._place_in(figure))

    def _copy_pressed(self, figure: Figure) -> None:
        """Puts the figure that was pressed on the clipboard, with what it is of."""
        answer = figure.ask(self._place_in(figure))
        if answer is not None:
            QGuiApplication.clipboard().setText(answer.explanations[answer.place].heading)

    def _place_in(self, figure: Figure) -> QPoint | None:
        """Where it was pressed last, if anywhere."""
        if self._pressed is not None and self._pressed[0] is _surface(figure.widget):
            return self._pressed[1]
        return None

    def ask(self) -> None:
        """Asks the figure that has the focus; where none has, the verdict."""
        widget = QApplication.focusWidget()
        while widget is not None:
            for figure in self.figures:
                if figure.widget is widget and self._ask(figure, None):
                    return
            widget = widget.parentWidget()
        self._ask(self.figures[0], None)

    def answer(self, widget: QWidget, place: QPoint | None = None) -> Answer | None:
        """What ``widget`` answers for a place of it."""
        figure = next((one for one in self.figures if one.widget is widget), None)
        return None if figure is None else figure.ask(place)

    def _ask(self, figure: Figure, place: QPoint | None) -> bool:
        answer = figure.ask(place)
        if answer is None:
            return False
        area = _area(figure.widget, place)
        self.panel.open_at(area, answer.explanations, answer.place)
        return True


def _surface(widget: QWidget) -> QWidget:
    """What is pressed: the viewport of a view that scrolls."""
    return widget.viewport() if isinstance(widget, QAbstractScrollArea) else widget


def _area(widget: QWidget, place: QPoint | None) -> QRect:
    """Where on the screen a figure is."""
    surface = _surface(widget)
    if place is not None:
        return QRect(surface.mapToGlobal(place), QSize(1, 1))
    area = QRect(surface.rect())
    if isinstance(widget, QAbstractItemView) and widget.currentIndex().isValid():
        area = widget.visualRect(widget.currentIndex()).intersected(area)
    return QRect(surface.mapToGlobal(area.topLeft()), area.size())
