"""The cards of the plans that are drawn: verdict, bar, and the difference to the baseline."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from memplanner.report import differences, words
from memplanner.report.charts import DASHES
from memplanner.report.differences import Compared
from memplanner.report.parts import budget, whole_peak_bytes
from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import trailing
from memplanner_ui.look.wrapping import parts_in_lines
from memplanner_ui.views.compare_letter import LetterChip
from memplanner_ui.views.rows import ElidedLabel, ShrinkingLabel, label, number
from memplanner_ui.views.stacked_bar import StackedBar
from memplanner_ui.views.verdict import lines

_ICON = 16
_BAR = 16
_BESIDE, _UNDER = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
_SIDE, _GAP, _ABOVE = 14, 8, 4
_NAME_LINES = 2
_NARROW = 264
"""Below this, what stands at the right of a card goes below what stands at its left."""


class _Mark(QWidget):
    """The verdict's icon."""

    def __init__(self) -> None:
        super().__init__()
        self._icon, self._color = "unknown", "text2"
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.current().changed.connect(self.update)

    def set_mark(self, icon: str, color: str) -> None:
        self._icon, self._color = icon, color
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(_ICON, _ICON)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(0, (self.height() - _ICON) / 2, _ICON, _ICON)
        icons.paint(painter, self._icon, area, theme.current().color(self._color))
        painter.end()


class _CardBar(StackedBar):
    """A bar with the device's memory as a line, past which it does not fit."""

    def __init__(self) -> None:
        super().__init__(height=_BAR)
        self._limit = 0.0

    def set_limit(self, share: float) -> None:
        """The limit as a share of the width; zero: none."""
        self._limit = share
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._limit > 0:
            painter = QPainter(self)
            x = min(self.width() - 2, round(self._limit * self.width()) - 1)
            painter.fillRect(x - 1, 0, 4, self.height(), theme.current().color("base"))
            painter.fillRect(x, 0, 2, self.height(), theme.current().color("trouble"))
            painter.end()


class PlanCard(QWidget):
    """One plan. Emits ``use_wanted`` when its plan is to become the open one."""

    use_wanted = Signal(int)

    def __init__(self, place: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place = place
        self.setProperty("surface", "base")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._name, self._whole_name = label("", "heading"), ""
        self._name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._name.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.use = QPushButton(translate("Views", "Use"))
        self.use.setToolTip(translate("Views", "Make this the open plan; undo takes it back"))
        self.use.setProperty("small", True)
        keeps = self.use.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)  # so that the cards' rows stand at one height
        self.use.setSizePolicy(keeps)
        self.use.clicked.connect(lambda: self.use_wanted.emit(self._place))
        self._mark = _Mark()
        self._verdict = ElidedLabel()
        self._against = number("", "secondary")
        self._bar = _CardBar()
        self._peak = ShrinkingLabel()
        self._step = number("", "secondary")
        for one in (self._peak, self._step):
            one.setFont(fonts.font("secondary"))
        self._peak.setProperty("ink", "secondary")
        column = QVBoxLayout(self)
        column.setContentsMargins(_SIDE, 8, _SIDE, 8)
        column.setSpacing(6)
        top = QHBoxLayout()
        top.setSpacing(_GAP)
        self._chip = LetterChip(place)
        chip = QVBoxLayout()
        chip.addWidget(self._chip)
        chip.addStretch(1)
        for part in (chip, self._name):  # as high as the middle of the button
            part.setContentsMargins(0, _ABOVE, 0, 0)
        top.addLayout(chip)
        top.addWidget(self._name, 1)
        top.addWidget(self.use, 0, Qt.AlignmentFlag.AlignTop)
        said = QHBoxLayout()
        said.setSpacing(6)
        said.addWidget(self._mark)
        said.addWidget(self._verdict, 1)
        self._above, self._below = (QBoxLayout(_BESIDE) for _ in range(2))
        self._above.addLayout(said, 1)
        self._above.addWidget(self._against)
        self._below.addWidget(self._peak)
        self._below.addWidget(self._step)
        for rows in (self._above, self._below):
            rows.setSpacing(4)
        column.addLayout(top)
        column.addLayout(self._above)
        column.addWidget(self._bar)
        column.addLayout(self._below)

    @property
    def place(self) -> int:
        """Which of the plans side by side it is."""
        return self._place

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < fonts.scaled(_NARROW)
        for rows in (self._above, self._below):  # a cut number says nothing
            rows.setDirection(_UNDER if narrow else _BESIDE)
        side = Qt.AlignmentFlag.AlignLeft if narrow else trailing()
        for one in (self._against, self._step):
            one.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)

    def fit_name(self, width: int) -> int:
        """Breaks the name for a card of ``width`` pixels; the height that it needs."""
        beside = self._chip.sizeHint().width() + self.use.sizeHint().width() + 2 * (_SIDE + _GAP)
        lines = parts_in_lines(self._whole_name, self._name.font(), width - beside, _NAME_LINES)
        self._name.setText("\n".join(lines))
        return self._name.fontMetrics().lineSpacing() * len(lines) + _ABOVE

    def set_name_height(self, height: int) -> None:
        """Makes room for the highest name of all cards, so that their rows stand at one height."""
        self._name.setMinimumHeight(max(height, self.use.sizeHint().height()))

    def show_plan(
        self, plans: tuple[Compared, ...], baseline: int, full: int, *, open_: bool
    ) -> None:
        """Shows the card's plan of ``plans``; ``full`` bytes are the whole width of its bar."""
        one = plans[self._place]
        self._whole_name = one.name
        self._name.setToolTip(one.name)
        self._name.setAccessibleName(one.name)
        self.use.setVisible(not open_)
        self.use.setAccessibleName(translate("Views", "Use the plan {name}").format(name=one.name))
        estimate = one.estimate
        if estimate is None:
            self._mark.set_mark("trouble", "trouble")
            self._verdict.set_text(one.sentence)
            self._bar.set_values(())
            self._bar.set_limit(0.0)
            self._against.setText("")
            self._step.setText("")
            self._peak.set_text("")
            self.setAccessibleName(f"{one.name}: {one.sentence}")
            return
        said = lines(estimate)
        self._mark.set_mark(said.icon, said.color)
        self._verdict.set_text(said.verdict, said.short)
        difference = differences.peak_difference(plans, self._place, baseline)
        self._against.setText(
            translate("Views", "baseline") if self._place == baseline else difference
        )
        strong = self._place != baseline
        self._against.setFont(fonts.semibold("body") if strong else fonts.font("secondary"))
        _ink(self._against, ink_of(difference) if self._place != baseline else "secondary")
        self._bar.set_values(budget(estimate).parts, full)
        memory, whole = estimate.device.memory_bytes, whole_peak_bytes(estimate)
        self._bar.set_limit(0.0 if memory is None else memory / full)
        peak = format_bytes(whole)
        if memory is not None:
            unit = format_bytes(memory).split(" ")[-1]
            peak = translate("Views", "{peak} of {memory}").format(
                peak=peak.removesuffix(f" {unit}"), memory=format_bytes(memory)
            )
        self._peak.set_text(peak)
        step = ""
        if estimate.time is not None:
            step = translate("Views", "{seconds} per step").format(
                seconds=words.seconds(estimate.time.seconds)
            )
        times = differences.step_times(plans, baseline)
        if times is not None and times.against[self._place] and self._place != baseline:
            step += f", {times.against[self._place]}{times.by}"
        self._step.setText(step)
        told = (said.verdict, self._peak.whole, self._against.text(), step)
        self.setAccessibleName(f"{one.name}: {', '.join(filter(None, told))}")


def ink_of(difference: str) -> str:
    """The ink of a signed difference: less is green, more is red."""
    return "fits" if difference[:1] == "−" else "trouble" if difference[:1] == "+" else "secondary"


def _ink(widget: QWidget, ink: str) -> None:
    if widget.property("ink") != ink:
        widget.setProperty("ink", ink)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


class Cards(QWidget):
    """The cards of the first plans side by side."""

    use_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Views", "Plans side by side"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._cards = [PlanCard(place) for place in range(len(DASHES))]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        for card in self._cards:
            card.use_wanted.connect(self.use_wanted)
            row.addWidget(card, 1)

    def show_plans(self, plans: tuple[Compared, ...], baseline: int, open_place: int) -> None:
        """Shows a card for each of the first plans; ``open_place`` is that of the open one."""
        known = [one.estimate for one in plans[: len(self._cards)] if one.estimate is not None]
        sizes = [max(whole_peak_bytes(one), one.device.memory_bytes or 0) for one in known]
        for place, card in enumerate(self._cards):
            card.setVisible(place < len(plans))
            if place < len(plans):
                open_ = place == open_place
                card.show_plan(plans, baseline, max(sizes, default=1), open_=open_)
        self._fit_names()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_names()

    def _fit_names(self) -> None:
        shown = [card for card in self._cards if not card.isHidden()]
        width = self.width() // max(1, len(shown)) - 1
        highest = max((card.fit_name(width) for card in shown), default=0)
        for card in shown:
            card.set_name_height(highest)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current().color("hairline"))
        painter.end()
