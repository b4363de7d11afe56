"""The samples as cards: what each shows, its model, its device, and whether it fits."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QStyleOptionViewItem, QWidget

from memplanner.plan.samples import Sample
from memplanner_ui.language import of_plan, translatable, translate
from memplanner_ui.look import direction, icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.wrapping import in_lines
from memplanner_ui.start_page.cards import Card, CardList

HEIGHT = 104
_ROOMY, _LINE = 300, 17
"""A narrower card has a line more for its sentence."""
_SAMPLE = Qt.ItemDataRole.UserRole
_ICON = 16
_MARKS = {"fits": ("fits", "fits"), "does_not_fit": ("trouble", "trouble")}
_SAID = {
    "fits": translatable("Start page", "fits"),
    "does_not_fit": translatable("Start page", "does not fit"),
}

Index = QModelIndex | QPersistentModelIndex


def placed(sample: Sample) -> str:
    """Such as ``llama-3.1-8b, RTX 4090 24GB, 1 × 2048``."""
    training = sample.plan.training
    cards = sample.plan.sharding.ranks
    device = translate("Start page", "this CPU") if sample.device == "cpu" else sample.device
    if cards > 1:
        device = f"{cards} × {device}"
    size = f"{training.batch_size} × {training.sequence_length}"
    if "vit" in sample.source:  # whose samples are no sequences
        size = translate("Start page", "{batch_size} images").format(batch_size=training.batch_size)
    return f"{sample.source.removeprefix('preset:')}, {device}, {size}"


class SampleModel(QAbstractListModel):
    """The samples shown."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        super().__init__()
        self.samples = tuple(samples)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        return 0 if parent.isValid() else len(self.samples)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        sample = self.samples[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return of_plan(sample.title)
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            said = f"{of_plan(sample.title)}, {translate('Start page', _SAID[sample.verdict])}"
            return f"{said}\n{of_plan(sample.sentence)}\n{placed(sample)}"
        return sample if role == _SAMPLE else None


class SampleCard(Card):
    """The verdict's icon, the title, the sentence, and what is planned on what."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        sample: Sample = index.data(_SAMPLE)
        colors = theme.current()
        painter.save()
        inner = self.ground(painter, option)
        row, middle = fonts.scaled(17), int(Qt.AlignmentFlag.AlignVCenter)
        line = QRect(inner.left(), inner.top(), inner.width(), row)
        icon, ink = _MARKS[sample.verdict]
        mark = QRectF(line.left(), line.center().y() - _ICON / 2 + 1, _ICON, _ICON)
        icons.paint(painter, icon, direction.placed(mark, line), colors.color(ink))
        title = direction.placed(line.adjusted(_ICON + 7, 0, 0, 0), line)
        painter.setFont(fonts.font("heading"))
        painter.setPen(colors.color("text"))
        painter.drawText(
            title, middle, self._elided(painter, of_plan(sample.title), int(title.width()))
        )
        painter.setFont(fonts.font("secondary"))
        painter.setPen(colors.color("text2"))
        rows = max(1, (inner.height() - 2 * row) // row)
        sentence = of_plan(sample.sentence)
        for text in in_lines(sentence, painter.font(), inner.width(), rows):
            line.translate(0, row)
            painter.drawText(line, middle, text)
        line.moveTop(inner.bottom() - row + 1)
        painter.setPen(colors.color("text3"))
        painter.drawText(line, middle, self._elided(painter, placed(sample), line.width()))
        painter.restore()

    @staticmethod
    def _elided(painter: QPainter, text: str, room: int) -> str:
        return painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)


class SampleList(CardList):
    """The samples; Enter or a click opens one."""

    chosen = Signal(object)
    """A ``Sample``."""

    def __init__(self, samples: Sequence[Sample], parent: QWidget | None = None) -> None:
        self.cards = SampleModel(samples)
        self._rows = 2
        card = SampleCard()
        super().__init__(
            translate("Start page", "Samples"), self.cards, card, fonts.scaled(HEIGHT), parent
        )
        self.cards.setParent(self)
        card.setParent(self)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_rows(self, rows: int) -> None:
        """How many rows there is room for; the others are scrolled to."""
        if rows != self._rows:
            self._rows = rows
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(600, min(self._needed, self._rows) * self._height)

    @property
    def _needed(self) -> int:
        """Rows that all samples take."""
        return -(-self.cards.rowCount() // self.columns)

    def resizeEvent(self, event: QResizeEvent) -> None:
        narrow = self._room // self.columns < fonts.scaled(_ROOMY)
        self._height = fonts.scaled(HEIGHT + _LINE if narrow else HEIGHT)
        policy = Qt.ScrollBarPolicy
        whole = self._needed <= self._rows
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAlwaysOff if whole else policy.ScrollBarAsNeeded
        )
        super().resizeEvent(event)
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self.sizeHint().height())

    def choose(self, index: QModelIndex) -> None:
        """Emits ``chosen`` with the sample of a row."""
        self.chosen.emit(index.data(_SAMPLE))
