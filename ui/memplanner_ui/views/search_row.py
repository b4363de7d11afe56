"""How a row of found plans is painted: tags that fit, then how many more there are."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from memplanner.messages.search import FoundPlan
from memplanner_ui.language import translate
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import isolated, placed
from memplanner_ui.views import search_marks
from memplanner_ui.views import search_words as words

CHANGES, QUALITY, CARD, PEAK, SPARE, STEP, TIME = range(7)
"""The columns."""
FOUND_ROLE = int(Qt.ItemDataRole.UserRole) + 1
_PAD = 8
_CHIP_PAD, _CHIP_GAP = 5, 5
_MIDDLE = int(Qt.AlignmentFlag.AlignVCenter)
_RIGHT = _MIDDLE | int(Qt.AlignmentFlag.AlignRight)


class SearchRowDelegate(QStyledItemDelegate):
    """Paints every column by hand."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.dimmed = False
        """Whether the rows are of an earlier plan."""
        self._renew()
        theme.current().changed.connect(self._renew)

    def _renew(self) -> None:
        colors = theme.current()
        names = ("text", "text2", "text3", "fits", "trouble", "accent", "selection", "hover")
        self._colors = {name: colors.color(name) for name in names}
        self._body, self._strong = fonts.font("body"), fonts.semibold("body")
        self._tag_font = fonts.font("axis")
        self._tag_metrics = QFontMetrics(self._tag_font)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        area = QRectF(option.rect)
        if selected:
            painter.fillRect(area, self._colors["selection"])
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, self._colors["hover"])
        found, column = index.data(FOUND_ROLE), index.column()
        if column == CHANGES:
            if selected:
                edge = area.adjusted(0, 0, 3 - area.width(), 0)
                painter.fillRect(placed(edge, area), self._colors["accent"])
            if not found.changes:
                self._text(
                    painter,
                    placed(area.adjusted(14, 0, 0, 0), area),
                    translate("Views", words.THIS_PLAN),
                    "text",
                    _MIDDLE,
                )
            else:
                room = placed(area.adjusted(14, 0, -_PAD, 0), area)
                self._paint_tags(painter, room, found, selected)
        elif column == QUALITY:
            center = placed(QRectF(area.left() + 8, area.center().y(), 0, 0), area).topLeft()
            search_marks.paint(painter, center, found.quality.risk)
            self._text(
                painter, placed(area.adjusted(20, 0, 0, 0), area), index.data(), "text", _MIDDLE
            )
        elif column == CARD:
            self._text(
                painter, placed(area.adjusted(4, 0, 0, 0), area), index.data(), "text2", _MIDDLE
            )
        else:
            ink = "text2" if column == TIME else "text"
            missing = found.spare_bytes is not None and found.spare_bytes < 0
            if missing and column == SPARE:
                ink = "trouble"
            painter.setFont(self._strong if column == PEAK else self._body)
            painter.setPen(self._ink(ink))
            painter.drawText(
                placed(area.adjusted(0, 0, -_PAD, 0), area), _RIGHT, isolated(index.data())
            )

    def _ink(self, name: str) -> QColor:
        return self._colors["text3" if self.dimmed else name]

    def _text(self, painter: QPainter, area: QRectF, text: str, ink: str, flags: int) -> None:
        painter.setFont(self._body)
        painter.setPen(self._ink(ink))
        room = int(area.width())
        shown = QFontMetrics(self._body).elidedText(text, Qt.TextElideMode.ElideRight, room)
        painter.drawText(area, flags, shown)

    def _paint_tags(
        self, painter: QPainter, area: QRectF, found: FoundPlan, selected: bool
    ) -> None:
        """As many tags as there is room for, and how many are left out."""
        shown, left_out = fitting(words.tags(found), area.width(), self._tag_metrics)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._tag_font)
        left, height = area.left(), self._tag_metrics.height() + 2
        for text in (*shown, *((f"+{left_out}",) if left_out else ())):
            width = min(self._width(text), area.right() - left)
            chip = placed(QRectF(left, area.center().y() - height / 2, width, height), area)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.current().color("raised" if selected else "hover"))
            painter.drawRoundedRect(chip, 3, 3)
            painter.setPen(self._ink("text2"))
            cut = self._tag_metrics.elidedText(
                text, Qt.TextElideMode.ElideRight, int(width) - 2 * _CHIP_PAD + 1
            )
            painter.drawText(chip, int(Qt.AlignmentFlag.AlignCenter), isolated(cut))
            left += width + _CHIP_GAP
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _width(self, text: str) -> float:
        return self._tag_metrics.horizontalAdvance(text) + 2.0 * _CHIP_PAD

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(60, self._tag_metrics.height() + 8)


def fitting(tags: tuple[str, ...], room: float, metrics: QFontMetrics) -> tuple[list[str], int]:
    """The tags that ``room`` pixels hold, the first at least, and how many are left out."""

    def width(text: str) -> float:
        return metrics.horizontalAdvance(text) + 2.0 * _CHIP_PAD + _CHIP_GAP

    shown: list[str] = []
    used = 0.0
    for place, text in enumerate(tags):
        after = len(tags) - place - 1
        more = width(f"+{after}") if after else 0.0
        if shown and used + width(text) + more > room:
            break
        shown.append(text)
        used += width(text)
    return shown, len(tags) - len(shown)
