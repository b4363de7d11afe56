"""The list at the left of the help: pages, or the sections that a search has found."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from memplanner_ui.help.pages import Hit, page, page_names
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed

_PLACE = int(Qt.ItemDataRole.UserRole)
_AROUND = _PLACE + 1
_ROW, _HIT = 28, 44
_SIDE = 14
_NOTHING = translatable("Help", "No page has these words.")


class _Line(QStyledItemDelegate):
    """A title; below it, of what was found, the words around it. Both end in “…”."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(60, fonts.scaled(_HIT if index.data(_AROUND) else _ROW))

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        colors, area, state = theme.current(), QRect(option.rect), option.state
        around, known = index.data(_AROUND), bool(index.data(_PLACE))
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, colors.color("selection"))
        elif state & QStyle.StateFlag.State_MouseOver and known:
            painter.fillRect(area, colors.color("hover"))
        inner = area.adjusted(_SIDE, 3, -8, -3)
        lines = [(str(index.data()), fonts.font("body"), "text" if known else "text3")]
        if around:
            lines = [(lines[0][0], fonts.semibold("body"), "text")]
            lines.append((str(around), fonts.font("secondary"), "text2"))
        height = inner.height() // len(lines)
        for place, (text, font, ink) in enumerate(lines):
            painter.setFont(font)
            painter.setPen(colors.color(ink))
            shown = painter.fontMetrics().elidedText(
                text, Qt.TextElideMode.ElideRight, inner.width()
            )
            row = QRect(inner.left(), inner.top() + place * height, inner.width(), height)
            painter.drawText(placed(row, area), int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.restore()


class Contents(QListWidget):
    """Emits the page, with an anchor, that is chosen."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Help", "Contents"))
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Line(self))
        self.itemClicked.connect(self._choose)
        self.itemActivated.connect(self._choose)
        self.show_pages()

    def show_pages(self) -> None:
        """Lists every page."""
        self.clear()
        for name in page_names():
            self._add(page(name).title, name)

    def show_hits(self, hits: Iterable[Hit]) -> None:
        """Lists what a search has found."""
        self.clear()
        for hit in hits:
            self._add(hit.title, f"{hit.page}#{hit.anchor}", hit.around)
        if not self.count():
            self._add(translate("Help", _NOTHING), "").setFlags(Qt.ItemFlag.NoItemFlags)

    def _add(self, title: str, place: str, around: str = "") -> QListWidgetItem:
        item = QListWidgetItem(title)
        item.setData(_PLACE, place)
        item.setData(_AROUND, around)
        item.setToolTip(f"{title}\n{around}" if around else title)
        self.addItem(item)
        return item

    def places(self) -> list[str]:
        """Where each row leads."""
        return [str(self.item(row).data(_PLACE)) for row in range(self.count())]

    def mark(self, place: str) -> None:
        """Selects the row of what is read, where it is listed."""
        places = self.places()
        self.setCurrentRow(places.index(place) if place in places else -1)

    def choose_first(self) -> None:
        """As if the first row were clicked."""
        if self.count():
            self._choose(self.item(0))

    def _choose(self, item: QListWidgetItem) -> None:
        if place := str(item.data(_PLACE)):
            self.chosen.emit(place)
