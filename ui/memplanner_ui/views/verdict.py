"""The verdict: does the plan fit, by how much, and where its peak is."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from memplanner.messages.estimate import Estimate
from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.look.wrapping import in_lines
from memplanner_ui.views import ranks_data
from memplanner_ui.views.budget_bar import HEIGHT
from memplanner_ui.views.parts import distance, margin_bytes, phase_title, whole_peak_bytes

_ICON = 24.0
_LEFT, _TEXT_LEFT = 15.0, 51.0
_RIGHT = 6
_VERDICT: tuple[fonts.Role, ...] = ("verdict", "notice")
"""What the verdict is written in: the smaller where there is no room, then in fewer words."""
_PEAK: tuple[fonts.Role, ...] = ("body", "secondary")
"""What the peak is written in: the smaller where there is no room, then in two lines."""
_CENTERS = {3: (25, 45, 63), 4: (22, 42, 59, 76), 5: (19, 37, 53, 67, 82)}
"""By the number of lines, where each has its middle: one that is too long goes on in the next,
since a cut number says nothing."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The verdict's words, its icon and the icon's colour."""

    icon: str
    color: str
    verdict: str
    at_peak: str
    place: str
    likely: str = ""
    """From where to where the peak may be; empty where that is not known."""
    short: str = ""
    """The verdict in fewer words; empty where it is short."""

    @property
    def peak(self) -> str:
        """The peak and where it may be, in one line."""
        if not self.likely:
            return self.at_peak
        return translate("Views", "{peak}, {likely}").format(peak=self.at_peak, likely=self.likely)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is painted."""

    text: str
    role: fonts.Role
    ink: str


def lines(estimate: Estimate) -> Lines:
    """What the verdict says about ``estimate``."""
    memory, whole = estimate.device.memory_bytes, whole_peak_bytes(estimate)
    place = rank_words(estimate) or where(estimate)
    if estimate.host_bytes:  # what is offloaded is not gone
        place = translate("Views", "{host} in host memory; {place}").format(
            host=format_bytes(estimate.host_bytes), place=place
        )
    if memory is not None and estimate.verdict is None:
        allocated = translate("Views", "Peak {size} allocated").format(
            size=format_bytes(estimate.peak.allocated_bytes)
        )
        return Lines(
            "unknown", "text2", allocated, translate("Views", "Reserved memory follows"), place
        )
    if memory is None:
        return Lines(
            "unknown",
            "text2",
            translate("Views", "Peak {peak}").format(peak=format_bytes(whole)),
            translate("Views", "Memory of {name} is not known").format(name=estimate.device.name),
            place,
        )
    number, unit = format_bytes(memory).split(" ")

    def bare(size_bytes: int) -> str:
        return format_bytes(size_bytes).removesuffix(f" {unit}")

    second = translate("Views", "Peak {peak} of {memory}").format(
        peak=bare(whole), memory=f"{number} {unit}"
    )
    margin, likely = margin_bytes(estimate), ""
    if margin is not None:
        likely = translate("Views", "likely {low} to {high}").format(
            low=bare(margin[0]), high=bare(margin[1])
        )
    fuller = ranks_data.not_fitting(estimate)
    if fuller is not None:  # the rank shown is not the one that decides
        words = translate("Views", "Rank {rank} does not fit").format(rank=fuller.figures.first)
        return Lines("trouble", "trouble", words, second, place, likely)
    if estimate.verdict == "does_not_fit":
        missing = distance(whole, memory)
        return Lines(
            "trouble",
            "trouble",
            translate("Views", "Does not fit: {size} missing").format(size=missing),
            second,
            place,
            likely,
        )
    if estimate.verdict == "at_risk":
        words, short = _risk(margin, memory)
        return Lines("may_not_fit", "caution", words, second, place, likely, short)
    spare = distance(memory, whole)
    words = (
        translate("Views", "Fits, nothing to spare")
        if spare == "–"
        else translate("Views", "Fits, {size} to spare").format(size=spare)
    )
    return Lines("fits", "fits", words, second, place, likely)


def _risk(margin: tuple[int, int] | None, memory: int) -> tuple[str, str]:
    """What is at risk, and the same in fewer words."""
    if margin is None:
        return (
            translate("Views", "May not fit: what the device holds is not known"),
            translate("Views", "May not fit: its use is not known"),
        )
    if margin[1] <= memory:
        return (
            translate("Views", "May not fit: only by giving cached memory back"),
            translate("Views", "May not fit: cache must be freed"),
        )
    size = distance(margin[1], memory)
    return (
        translate("Views", "May not fit: {size} over at the high end").format(size=size),
        translate("Views", "May not fit: up to {size} over").format(size=size),
    )


def rank_words(estimate: Estimate) -> str:
    """Which of many cards the verdict is about; empty on one card."""
    cells = [cell for row in ranks_data.rows(estimate) for cell in row]
    fullest, shown = ranks_data.worst(estimate), ranks_data.cell_of(estimate, estimate.rank)
    if fullest is None or shown is None:
        return ""
    total = format_count(estimate.plan.sharding.ranks)
    if shown.whole_bytes < fullest.whole_bytes:
        return translate("Views", "Of rank {rank}; rank {fullest} has {spare}").format(
            rank=estimate.rank, fullest=fullest.figures.first, spare=fullest.spare_words
        )
    if all(cell.whole_bytes == fullest.whole_bytes for cell in cells):
        return translate("Views", "Each of {total} cards alike").format(total=total)
    return translate("Views", "Fullest of {total} cards: rank {rank}, stage {stage}").format(
        total=total, rank=estimate.rank, stage=shown.stage
    )


def where(estimate: Estimate) -> str:
    """Where the peak is: ``Backward of lm_head, micro-batch 8``."""
    peak, timeline = estimate.peak, estimate.timeline
    text = phase_title(peak.phase)
    if peak.module:
        text = translate("Views", "{phase} of {module}").format(
            phase=text, module=peak.module.removeprefix("model.")
        )
    spans = [span for span in timeline.phases if span.phase == peak.phase]
    accumulated = estimate.plan.training.gradient_accumulation_steps
    if accumulated > 1 and peak.phase in (
        "forward",
        "backward",
    ):
        at = next((s for s in spans if s.start <= timeline.peak_event < s.stop), None)
        if at is not None:
            text += f", {_micro_batches(at.micro_batch, spans[-1].micro_batch, accumulated)}"
    return text


def _micro_batches(at: int, last: int, accumulated: int) -> str:
    """Words for micro-batch ``at`` (from 0); the last one recorded stands for all after it."""
    if at == last and last + 1 < accumulated:
        return translate("Views", "micro-batches {first} to {last}").format(
            first=at + 1, last=accumulated
        )
    return translate("Views", "micro-batch {number}").format(number=at + 1)


class Verdict(QWidget):
    """Three lines beside an icon that has a shape of its own for each answer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: Lines | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(translate("Views", "Verdict"))
        theme.current().changed.connect(self.update)

    @property
    def text(self) -> str:
        """The verdict's sentence; empty while there is no estimate."""
        return self._lines.verdict if self._lines else ""

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows the verdict on ``estimate``; announced once to assistive software."""
        new = None if estimate is None else lines(estimate)
        if new == self._lines:
            return
        self._lines = new
        words = "" if new is None else f"{new.verdict}. {new.peak}. {new.place}."
        self.setAccessibleDescription(words)
        self.setToolTip("" if new is None else "\n".join((new.verdict, new.peak, new.place)))
        self.update()
        if new is not None and self.isVisible():
            event = QAccessibleEvent(self, QAccessible.Event.DescriptionChanged)
            QAccessible.updateAccessibility(event)

    def sizeHint(self) -> QSize:
        return QSize(304, fonts.scaled(HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, fonts.scaled(HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colors.color("panel"))
        middle = Qt.AlignmentFlag.AlignVCenter
        if self._lines is None:
            painter.setFont(fonts.font("body"))
            painter.setPen(colors.color("text3"))
            painter.drawText(
                placed(self.rect().adjusted(14, 0, -8, 0), self.rect()),
                int(middle),
                translate("Views", "No estimate yet"),
            )
            painter.end()
            return
        grown = fonts.scaled(HEIGHT) / HEIGHT
        area = QRectF(_LEFT, 14.0 * grown, _ICON, _ICON)
        icon, color = self._lines.icon, colors.color(self._lines.color)
        icons.paint(painter, icon, placed(area, self.rect()), color)
        width = self.width() - _TEXT_LEFT - _RIGHT
        painted = painted_lines(self._lines, width)
        for line, center in zip(painted, _CENTERS[len(painted)], strict=True):
            painter.setFont(fonts.font(line.role))
            painter.setPen(colors.color(line.ink))
            row = QRectF(_TEXT_LEFT, (center - 12) * grown, width, 24 * grown)
            painter.drawText(placed(row, self.rect()), int(middle), line.text)
        painter.end()


def painted_lines(said: Lines, width: float) -> list[Line]:
    """What is painted in ``width`` pixels: three to five lines, none of them cut if it can be."""
    ink = "trouble" if said.color == "trouble" else "text"
    found = [_verdict(said, width, ink)]
    role = next((role for role in _PEAK if _fits(said.peak, role, width)), None)
    peak = [said.peak] if role or not said.likely else [said.at_peak, said.likely]
    role = role or _PEAK[0]
    found += [Line(_cut(one, role, width), role, "text2") for one in peak]
    place = in_lines(said.place, fonts.font("secondary"), width, 2)
    return found + [Line(one, "secondary", "text3") for one in place]


def _verdict(said: Lines, width: float, ink: str) -> Line:
    for text in filter(None, (said.verdict, said.short)):
        for role in _VERDICT:
            if _fits(text, role, width):
                return Line(text, role, ink)
    role = "heading"
    return Line(_cut(said.short or said.verdict, role, width), role, ink)


def _fits(text: str, role: fonts.Role, width: float) -> bool:
    return QFontMetrics(fonts.font(role)).horizontalAdvance(text) < width


def _cut(text: str, role: fonts.Role, width: float) -> str:
    metrics = QFontMetrics(fonts.font(role))
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(width))
