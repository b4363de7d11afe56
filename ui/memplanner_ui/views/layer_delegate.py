"""How a row of the layers is painted: every column by hand, with nothing asked of the style."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from memplanner.units import NOTHING
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed
from memplanner_ui.views import stacked_bar
from memplanner_ui.views.layer_model import (
    BAR_ROLE,
    KIND_ROLE,
    MARK_ROLE,
    NAME,
    SHARE,
    TOTAL,
    TYPE_ROLE,
)

ROW_HEIGHT = 23
_PAD = 8
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter)
_RIGHT = _MIDDLE | int(Qt.AlignmentFlag.AlignRight)


class LayerDelegate(QStyledItemDelegate):
    """Paints names with their types, stacked bars, and numbers in tabular figures."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._renew()
        theme.current().changed.connect(self._renew)

    def _renew(self) -> None:
        colors = theme.current()
        self._paints = stacked_bar.Paints.current()
        self._inks = {name: colors.color(name) for name in ("text", "text2", "text3")}
        self._selection, self._hover = colors.color("selection"), colors.color("hover")
        self._accent = colors.color("accent")
        self._mark_font = fonts.font("axis")
        self._mark_metrics = QFontMetrics(self._mark_font)
        self._body = fonts.font("body")
        self._name = QFont(self._body)
        self._name.setWeight(QFont.Weight.Medium)
        self._strong = fonts.semibold("body")
        self._type = fonts.font("secondary")
        self._name_metrics = QFontMetrics(self._name)
        self._strong_metrics = QFontMetrics(self._strong)
        self._type_metrics = QFontMetrics(self._type)
        self._height = fonts.scaled(ROW_HEIGHT)

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(80, self._height)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        state = option.state
        area = option.rect
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected:
            painter.fillRect(area, self._selection)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, self._hover)
        column = index.column()
        if column == NAME:
            self._paint_name(painter, QRectF(area), index, selected)
        elif column == SHARE:
            values = index.data(BAR_ROLE)
            if values is not None:
                height = stacked_bar.HEIGHT * self._height / ROW_HEIGHT
                top = area.top() + (area.height() - height) // 2
                bar = QRectF(area.left() + 4, top, area.width() - 4 - _PAD, height)
                bar = placed(bar, area)
                stacked_bar.paint(painter, bar, values[:-1], values[-1], self._paints)
        else:
            text = index.data()
            painter.setFont(self._strong if column == TOTAL else self._body)
            painter.setPen(self._inks["text3" if text == NOTHING else "text"])
            painter.drawText(placed(area.adjusted(0, 0, -_PAD, 0), area), _RIGHT, isolated(text))

    def _paint_name(
        self,
        painter: QPainter,
        area: QRectF,
        index: QModelIndex | QPersistentModelIndex,
        selected: bool,
    ) -> None:
        name, kind = index.data(), index.data(KIND_ROLE)
        strong = selected or (kind == "around" and index.model().hasChildren(index))
        font = self._strong if strong else self._name
        metrics = self._strong_metrics if strong else self._name_metrics
        ink: QColor = self._inks["text2" if kind == "own" else "text"]
        whole, mark = area, index.data(MARK_ROLE)
        if mark:
            area = area.adjusted(0, 0, -self._paint_mark(painter, area, mark, selected), 0)
        room = int(area.width()) - 4
        cut = Qt.TextElideMode.ElideMiddle if "." in name else Qt.TextElideMode.ElideRight
        shown = metrics.elidedText(name, cut, room)
        painter.setFont(self._type if kind == "own" else font)
        painter.setPen(ink)
        painter.drawText(placed(area.adjusted(2, 0, 0, 0), whole), _MIDDLE, isolated(shown))
        used = (self._type_metrics if kind == "own" else metrics).horizontalAdvance(shown) + 8
        type_ = index.data(TYPE_ROLE)
        if type_ and room - used > 24:
            shown = self._type_metrics.elidedText(
                type_, Qt.TextElideMode.ElideRight, room - used - 4
            )
            painter.setFont(self._type)
            painter.setPen(self._inks["text3"])
            painter.drawText(placed(area.adjusted(used, 0, 0, 0), whole), _MIDDLE, isolated(shown))

    def _paint_mark(self, painter: QPainter, area: QRectF, mark: str, selected: bool) -> float:
        """A tag at the right edge; the width that it takes from the name, 0 without room."""
        width = self._mark_metrics.horizontalAdvance(mark) + 10
        if width + 60 > area.width():
            return 0.0
        height = self._mark_metrics.height() + 1
        tag = QRectF(area.right() - width - 4, area.center().y() - height / 2, width, height)
        tag = placed(tag, area)
        if not selected:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._selection)
            painter.drawRoundedRect(tag, 3, 3)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setFont(self._mark_font)
        painter.setPen(self._accent)
        painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), mark)
        return width + 8
