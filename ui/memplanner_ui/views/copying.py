"""Rows and pictures that leave the window: by the clipboard, and by dragging them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from PySide6.QtCore import QEvent, QMimeData, QModelIndex, QObject, QPoint, Qt
from PySide6.QtGui import QAction, QDrag, QGuiApplication, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QApplication, QHeaderView, QTableView, QTreeView, QWidget

from memplanner.report import text
from memplanner_ui.language import translate

Table = QTableView | QTreeView
Written = Callable[[text.Rows], str]
"""One of the forms of ``report.text``."""


def forms() -> tuple[tuple[str, Written], ...]:
    """How a table can be written, with the words of a menu whose button says “Copy”."""
    return (
        (translate("Views", "As text with tabs"), text.tabs),
        (translate("Views", "As Markdown"), text.markdown),
        (translate("Views", "As CSV"), text.comma_separated),
    )


def package(rows: text.Rows) -> QMimeData:
    """``rows`` in every form that what they are dropped on or pasted into may ask for."""
    data = QMimeData()
    data.setText(text.tabs(rows))
    data.setHtml(_html(rows))
    data.setData("text/csv", text.comma_separated(rows).encode())
    data.setData("text/markdown", text.markdown(rows).encode())
    return data


def shown_rows(view: Table, *, selected: bool = False) -> list[list[str]]:
    """The titles, then the rows of a table or the open rows of a tree, as they stand.

    Columns that are hidden are left out; with ``selected``, so are rows that are not.
    """
    model, header = view.model(), _header(view)
    columns = [header.logicalIndex(place) for place in range(header.count())]
    columns = [column for column in columns if not header.isSectionHidden(column)]
    role = Qt.ItemDataRole.DisplayRole
    titles = [_words(model.headerData(one, Qt.Orientation.Horizontal, role)) for one in columns]
    rows = (
        [_words(index.siblingAtColumn(column).data(role)) for column in columns]
        for index in open_rows(view)
        if not selected or view.selectionModel().isSelected(index)
    )
    return [titles, *rows]


def open_rows(view: Table, parent: QModelIndex | None = None) -> Iterator[QModelIndex]:
    """The first cells of a table's rows, or of a tree's that are open, from the top down."""
    model, above = view.model(), view.rootIndex() if parent is None else parent
    for row in range(model.rowCount(above)):
        index = model.index(row, 0, above)
        yield index
        if isinstance(view, QTreeView) and view.isExpanded(index):
            yield from open_rows(view, index)


class Copies(QObject):
    """Gives a view a menu that copies, and lets its selected rows be dragged out."""

    def __init__(
        self,
        view: Table,
        rows: Callable[[], text.Rows] | None = None,
        selected_rows: Callable[[], text.Rows] | None = None,
        *,
        key: bool = False,
    ) -> None:
        """``rows`` and ``selected_rows`` tell what ``shown_rows`` could not, titles first.

        With ``key`` the key for copying takes the selected rows; other views have a use for it.
        """
        super().__init__(view)
        self._view = view
        self._rows = rows or (lambda: shown_rows(view))
        self._selected = selected_rows or (lambda: shown_rows(view, selected=True))
        self._pressed: QPoint | None = None
        """Where a drag would begin: on a row that is selected already."""
        if key:
            copy = QAction(translate("Views", "Copy the selected rows"), view)
            copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
            copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            copy.triggered.connect(self.copy_selected)
            view.addAction(copy)
        copy_cell = QAction(translate("Views", "Copy this cell"), view)
        copy_cell.triggered.connect(self.copy_cell)
        view.addAction(copy_cell)
        for title, written in (
            (translate("Views", "Copy the table as text with tabs"), text.tabs),
            (translate("Views", "Copy the table as Markdown"), text.markdown),
            (translate("Views", "Copy the table as CSV"), text.comma_separated),
        ):
            action = QAction(title, view)
            action.triggered.connect(lambda _=False, form=written: self.copy(form))
            view.addAction(action)
        if view.contextMenuPolicy() == Qt.ContextMenuPolicy.DefaultContextMenu and (
            not isinstance(view, QTreeView)  # whose own menu shows the actions
        ):
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        view.viewport().installEventFilter(self)

    def copy(self, written: Written) -> None:
        """Puts the whole table on the clipboard as ``written`` writes it."""
        QGuiApplication.clipboard().setText(written(self._rows()))

    def copy_selected(self) -> None:
        """Puts the selected rows on the clipboard, in every form."""
        data = self.dragged()
        if data is not None:
            QGuiApplication.clipboard().setMimeData(data)

    def copy_cell(self) -> None:
        """Puts the words of the current cell on the clipboard."""
        words = _words(self._view.currentIndex().data(Qt.ItemDataRole.DisplayRole))
        if words:
            QGuiApplication.clipboard().setText(words)

    def dragged(self) -> QMimeData | None:
        """What is dragged out: the selected rows below their titles; None where there are none."""
        rows = self._selected()
        return package(rows) if len(rows) > 1 else None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A row that was selected before it was pressed goes with the pointer."""
        if isinstance(event, QMouseEvent):
            place = event.position().toPoint()
            if event.type() == QEvent.Type.MouseButtonPress:
                left = event.button() == Qt.MouseButton.LeftButton
                index = self._view.indexAt(place)
                selected = index.isValid() and self._view.selectionModel().isSelected(index)
                self._pressed = place if left and selected else None
            elif event.type() == QEvent.Type.MouseButtonRelease:
                self._pressed = None
            elif event.type() == QEvent.Type.MouseMove and self._pressed is not None:
                way = (place - self._pressed).manhattanLength()
                if way >= QApplication.startDragDistance():
                    self._pressed = None
                    self._drag()
                return True  # or the view would select what the pointer passes
        return super().eventFilter(watched, event)

    def _drag(self) -> None:
        data = self.dragged()
        if data is not None:
            drag = QDrag(self._view)
            drag.setMimeData(data)
            drag.exec(Qt.DropAction.CopyAction)


def let_copy_picture(widget: QWidget) -> QAction:
    """Adds “Copy the picture” to the menu of a painted widget."""
    action = QAction(translate("Views", "Copy the picture"), widget)
    action.triggered.connect(lambda: QGuiApplication.clipboard().setPixmap(widget.grab()))
    widget.addAction(action)
    if widget.contextMenuPolicy() == Qt.ContextMenuPolicy.DefaultContextMenu:
        widget.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
    return action


def _header(view: Table) -> QHeaderView:
    return view.header() if isinstance(view, QTreeView) else view.horizontalHeader()


def _words(data: object) -> str:
    return "" if data is None else str(data)


def _html(rows: text.Rows) -> str:
    titles, *others = rows
    head = "".join(f"<th>{escape(cell)}</th>" for cell in titles)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in others
    )
    return f"<table><tr>{head}</tr>{body}</table>"
