"""How a row of the layers is painted: every column by hand, with nothing asked of the style."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QRegion
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from memplanner.units import NOTHING
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, mirrors, placed
from memplanner_ui.views import stacked_bar
from memplanner_ui.views.layer_model import FIRST_PART, NAME, SHARE, TOTAL, LayerModel
from memplanner_ui.views.layer_table import LayerTable

ROW_HEIGHT = 23
_PAD = 8
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter)
_RIGHT = _MIDDLE | int(Qt.AlignmentFlag.AlignRight)
# as numbers, which are compared many times faster than flags
_SELECTED = QStyle.StateFlag.State_Selected.value
_UNDER_MOUSE = QStyle.StateFlag.State_MouseOver.value


class LayerDelegate(QStyledItemDelegate):
    """Paints names with their types, stacked bars, and numbers in tabular figures."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mirrors = False
        self._region = QRegion()
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

    def begin(self, region: QRegion) -> None:
        """The view is about to be painted where ``region`` says.

        What all its cells share is looked up once. Qt asks for whole rows.
        """
        self._mirrors = mirrors()
        self._region = region

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """One cell. It asks the table itself: by roles, each answer would cross into Qt and back.

        Hundreds of cells are painted for every edit of the plan.
        """
        model = index.model()
        if not isinstance(model, LayerModel) or model.table is None:
            return
        area = option.rect
        if not self._region.intersects(area):
            return
        table, node, column = model.table, model.node_of(index), index.column()
        state = option.state.value
        selected = bool(state & _SELECTED)
        if selected:
            painter.fillRect(area, self._selection)
        elif state & _UNDER_MOUSE:
            painter.fillRect(area, self._hover)
        if column == NAME:
            self._paint_name(painter, QRectF(area), model, table, node, selected)
        elif column == SHARE:
            values = table.bar(node)
            height = stacked_bar.HEIGHT * self._height / ROW_HEIGHT
            top = area.top() + (area.height() - height) // 2
            bar = QRectF(area.left() + 4, top, area.width() - 4 - _PAD, height)
            stacked_bar.paint(
                painter, QRectF(self._placed(bar, area)), values[:-1], values[-1], self._paints
            )
        else:
            text = table.cells(node)[column - FIRST_PART]
            painter.setFont(self._strong if column == TOTAL else self._body)
            painter.setPen(self._inks["text3" if text == NOTHING else "text"])
            cell = self._placed(area.adjusted(0, 0, -_PAD, 0), area)
            painter.drawText(cell, _RIGHT, self._isolated(text))

    def _placed(self, rect: QRectF | QRect, within: QRectF | QRect) -> QRectF | QRect:
        return placed(rect, within) if self._mirrors else rect

    def _isolated(self, text: str) -> str:
        return isolated(text) if self._mirrors else text

    def _paint_name(
        self,
        painter: QPainter,
        area: QRectF,
        model: LayerModel,
        table: LayerTable,
        node: int,
        selected: bool,
    ) -> None:
        name, kind = table.titles[node], table.kinds[node]
        strong = selected or (kind == "around" and table.count_below(node) > 0)
        font = self._strong if strong else self._name
        metrics = self._strong_metrics if strong else self._name_metrics
        ink: QColor = self._inks["text2" if kind == "own" else "text"]
        whole, mark = area, model.mark(node)
        if mark:
            area = area.adjusted(0, 0, -self._paint_mark(painter, area, mark, selected), 0)
        room = int(area.width()) - 4
        cut = Qt.TextElideMode.ElideMiddle if "." in name else Qt.TextElideMode.ElideRight
        shown = metrics.elidedText(name, cut, room)
        painter.setFont(self._type if kind == "own" else font)
        painter.setPen(ink)
        line = self._placed(area.adjusted(2, 0, 0, 0), whole)
        painter.drawText(line, _MIDDLE, self._isolated(shown))
        used = (self._type_metrics if kind == "own" else metrics).horizontalAdvance(shown) + 8
        type_ = table.types[node]
        if type_ and room - used > 24:
            shown = self._type_metrics.elidedText(
                type_, Qt.TextElideMode.ElideRight, room - used - 4
            )
            painter.setFont(self._type)
            painter.setPen(self._inks["text3"])
            line = self._placed(area.adjusted(used, 0, 0, 0), whole)
            painter.drawText(line, _MIDDLE, self._isolated(shown))

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
