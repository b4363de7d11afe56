"""Pictures of an estimate as SVG. Every mark has its light colour; a page's style may override it.

Classes are the names of ``resources/style``: ``fill-parameters``, ``ink-text``, ``line-trouble``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from memplanner.messages.estimate import Estimate
from memplanner.report.alignment import Aligned, Curve
from memplanner.report.differences import letter
from memplanner.report.parts import (
    IN_OVERHEAD,
    NAMED,
    PARTS,
    PHASES,
    TITLES,
    budget,
    plain_number,
    shown,
)
from memplanner.units import GIB, KIB, MIB, format_bytes

WIDTH = 960
_BAR_HEIGHT = 30
_TIMELINE_HEIGHT, _OVERLAY_HEIGHT = 300, 240
_LEFT, _RIGHT, _TOP, _FOOT = 56, 16, 26, 10
_COLUMNS = 480
_LETTER = 6.6
"""About the width of a character at 12 px."""
DASHES = ("", "7 4", "2 4")
"""Of the first plans' curves; the others have none."""
INKS = ("text", "accent", "caution")
Colors = Mapping[str, str]


def bar(estimate: Estimate, colors: Colors) -> str:
    """The peak by parts against the device's memory, whose line is the limit."""
    made = budget(estimate)
    full = max(made.capacity_bytes or 0, made.peak_bytes, 1)
    numbers = shown(made.parts, made.peak_bytes)
    body, passed = [], 0
    for place, size in enumerate(made.parts):
        left, width = passed / full * WIDTH, size / full * WIDTH
        passed += size
        if width <= 0:
            continue
        name = PARTS[place]
        title = f"{TITLES[name]} {format_bytes(size)}"
        body.append(
            f'<rect class="fill-{name}" fill="{colors[name]}" x="{_n(left)}" y="4" '
            f'width="{_n(max(0.5, width - 1))}" height="{_BAR_HEIGHT}">'
            f"<title>{escape(title)}</title></rect>"
        )
        text = plain_number(numbers[place], made.peak_bytes)
        wide = f"{TITLES[name]} {text}"
        words = wide if width > len(wide) * _LETTER + 12 else text
        if width > len(words) * _LETTER + 8:
            ink = colors[f"on_{name}"]
            body.append(_text(words, left + width / 2, 24, f"ink-on_{name}", ink, "middle"))
    if made.capacity_bytes:
        limit = made.capacity_bytes / full * WIDTH
        if made.capacity_bytes > made.peak_bytes:
            left = made.peak_bytes / full * WIDTH
            body.append(
                f'<rect class="fill-free line-border" fill="{colors["free"]}" '
                f'stroke="{colors["border"]}" x="{_n(left + 0.5)}" y="4.5" '
                f'width="{_n(max(0.5, limit - left - 1))}" height="{_BAR_HEIGHT - 1}">'
                f"<title>Free {format_bytes(made.free_bytes)}</title></rect>"
            )
        body.append(_line(limit, 0, limit, _BAR_HEIGHT + 8, "trouble", colors, width=2))
        words = f"{estimate.device.name}, {format_bytes(made.capacity_bytes)}"
        anchor = "end" if limit > WIDTH / 2 else "start"
        body.append(_text(words, limit, _BAR_HEIGHT + 22, "ink-trouble", colors["trouble"], anchor))
    label = f"Peak {format_bytes(made.peak_bytes)} by parts"
    return _svg(body, _BAR_HEIGHT + 28, label)


def timeline(estimate: Estimate, colors: Colors) -> str:
    """One step as stacked areas along its allocations and frees, from zero; empty without one."""
    line = estimate.timeline
    start = next((one.stop for one in line.phases if one.phase == "load"), 0)
    events = line.events - start
    points = _columns(line.event, line.allocated_bytes, start, events)
    if not points:
        return ""
    capacity = estimate.device.memory_bytes or 0
    reserved = line.reserved_bytes if len(line.reserved_bytes) == len(line.event) else ()
    highest = max(estimate.peak.allocated_bytes, *(reserved[at] for _, at in points)) if (
        reserved) else estimate.peak.allocated_bytes  # fmt: skip
    top = max(highest, capacity if highest > 0.3 * capacity else 0, 1) * 1.05
    plot = _Plot(top, _TIMELINE_HEIGHT)
    body = plot.grid(colors)
    body += _areas(estimate, points, plot, colors)
    if reserved:
        stairs = plot.stairs([(x, reserved[at]) for x, at in points])
        body.append(_path(stairs, "text2", colors, dash="5 3"))
    if capacity and capacity <= top:
        y = plot.y(capacity)
        body.append(_line(plot.x(0), y, plot.x(1), y, "trouble", colors, width=1.5))
    bands = [
        (PHASES[one.phase], (max(one.start, start) - start) / events, (one.stop - start) / events)
        for one in line.phases
        if one.stop > max(one.start, start)
    ]
    body += plot.bands(bands, colors)
    peak_x = (line.peak_event - start) / events
    body.append(plot.dot(peak_x, estimate.peak.allocated_bytes, "text", colors))
    label = f"Memory of one step; peak {format_bytes(estimate.peak.allocated_bytes)} allocated"
    return _svg(body, _TIMELINE_HEIGHT, label)


def overlay(made: Aligned, colors: Colors, capacity_bytes: int | None) -> str:
    """The curves of the first plans over each other, told apart by dash and letter."""
    curves = [one for one in made.curves[: len(DASHES)] if one is not None]
    if not curves:
        return ""
    highest = max(max(one.peak[1], *one.whole_bytes) for one in curves)
    capacity = capacity_bytes or 0
    top = max(highest, capacity if highest > 0.3 * capacity else 0) * 1.05
    plot = _Plot(top, _OVERLAY_HEIGHT, right=120)
    body = plot.grid(colors)
    body += plot.bands([(one.title, one.left, one.right) for one in made.bands], colors)
    if capacity and capacity <= top:
        y = plot.y(capacity)
        body.append(_line(plot.x(0), y, plot.x(1), y, "trouble", colors, width=1.5))
    drawn = [
        (place, one) for place, one in enumerate(made.curves[: len(DASHES)]) if one is not None
    ]
    labels = spread([plot.y(one.peak[1]) for _, one in drawn], 15, _TOP)
    for (place, curve), y in zip(drawn, labels, strict=True):
        body += _overlaid(place, curve, y, plot, colors)
    return _svg(body, _OVERLAY_HEIGHT, "Memory of one step in each plan")


def spread(places: Sequence[float], least: float, top: float) -> list[float]:
    """``places`` moved down where two are closer than ``least``, in the order they came in."""
    result = list(places)
    before = top - least
    for place in sorted(range(len(places)), key=places.__getitem__):
        result[place] = before = max(places[place], before + least)
    return result


def _overlaid(place: int, curve: Curve, label_y: float, plot: _Plot, colors: Colors) -> list[str]:
    points = list(zip(curve.x, curve.whole_bytes, strict=True))
    stairs = "".join(plot.stairs(points[first:stop], end) for first, stop, end in curve.pieces)
    words, ink = f"{letter(place)} {format_bytes(curve.peak[1])}", INKS[place]
    return [
        _path(stairs, ink, colors, dash=DASHES[place], width=1.5),
        plot.dot(*curve.peak, ink, colors),
        _text(words, plot.x(1) + 8, label_y + 4, f"ink-{ink}", colors[ink], "start"),
    ]


def _areas(
    estimate: Estimate, points: Sequence[tuple[float, int]], plot: _Plot, colors: Colors
) -> list[str]:
    """What is always there of each part, then what comes and goes, from the bottom up."""
    known = estimate.timeline.by_category
    parts: list[tuple[str, list[int]]] = []
    for name in (*NAMED, "overhead"):
        sources = IN_OVERHEAD if name == "overhead" else (name,)
        rows = [known[one] for one in sources if len(known.get(one, ())) == len(
            estimate.timeline.event)]  # fmt: skip
        parts.append((name, [sum(row[at] for row in rows) for _, at in points]))
    layers = [(name, [min(row)] * len(row)) for name, row in parts]
    layers += [(name, [size - min(row) for size in row]) for name, row in parts]
    below = [0] * len(points)
    body = []
    for name, sizes in layers:
        if not any(sizes):
            continue
        above = [low + size for low, size in zip(below, sizes, strict=True)]
        xs = [x for x, _ in points]
        upper = plot.stairs(list(zip(xs, above, strict=True)))
        lower = plot.stairs_back(list(zip(xs, below, strict=True)))
        body.append(f'<path class="fill-{name}" fill="{colors[name]}" d="{upper}{lower}Z"/>')
        below = above
    if not body:  # the categories along the step are not told
        sizes = [estimate.timeline.allocated_bytes[at] for _, at in points]
        stairs = plot.stairs([(x, size) for (x, _), size in zip(points, sizes, strict=True)])
        body.append(_path(stairs, "text", colors, width=1.5))
    return body


def _columns(
    event: Sequence[int], total: Sequence[int], start: int, events: int
) -> list[tuple[float, int]]:
    """The highest point of each column: its place from 0 to 1, and its index."""
    best: dict[int, int] = {}
    for at, when in enumerate(event):
        if when >= start and events > 0:
            column = (when - start) * _COLUMNS // events
            if column not in best or total[at] > total[best[column]]:
                best[column] = at
    return [(column / _COLUMNS, at) for column, at in sorted(best.items())]


class _Plot:
    """From shares of the width and bytes to a picture's coordinates."""

    def __init__(self, top: float, height: int, right: int = _RIGHT) -> None:
        self._top, self._height, self._right = top, height, right

    def x(self, share: float) -> float:
        return _LEFT + share * (WIDTH - _LEFT - self._right)

    def y(self, size_bytes: float) -> float:
        floor = self._height - _FOOT
        return floor - size_bytes / self._top * (floor - _TOP)

    def stairs(self, points: Sequence[tuple[float, int]], end: float = 1.0) -> str:
        x, size = points[0]
        steps = [f"M{_n(self.x(x))} {_n(self.y(size))}"]
        for x, size in points[1:]:
            steps.append(f"H{_n(self.x(x))}V{_n(self.y(size))}")
        return "".join((*steps, f"H{_n(self.x(end))}"))

    def stairs_back(self, points: Sequence[tuple[float, int]]) -> str:
        steps = [f"V{_n(self.y(points[-1][1]))}"]
        for (x, _), (_, size) in zip(points[:0:-1], points[-2::-1], strict=True):
            steps.append(f"H{_n(self.x(x))}V{_n(self.y(size))}")
        return "".join((*steps, f"H{_n(self.x(points[0][0]))}"))

    def dot(self, share: float, size_bytes: int, ink: str, colors: Colors) -> str:
        return (
            f'<circle class="fill-{ink}" fill="{colors[ink]}" cx="{_n(self.x(share))}" '
            f'cy="{_n(self.y(size_bytes))}" r="3.5"/>'
        )

    def grid(self, colors: Colors) -> list[str]:
        body = []
        unit = next((u for u in (GIB, MIB, KIB) if self._top >= 4 * u), 1)
        step = _nice(self._top / unit / 5) * unit
        for count in range(int(self._top / step) + 1):
            size = round(count * step)
            y = self.y(size)
            body.append(_line(self.x(0), y, self.x(1), y, "hairline", colors))
            words = format_bytes(size) if size else "0"
            body.append(_text(words, _LEFT - 6, y + 4, "ink-text3", colors["text3"], "end", 11))
        return body

    def bands(self, bands: Sequence[tuple[str, float, float]], colors: Colors) -> list[str]:
        body = []
        for title, left, right in bands:
            x, width = self.x(left), self.x(right) - self.x(left)
            body.append(
                f'<rect class="fill-hover" fill="{colors["hover"]}" x="{_n(x)}" y="2" '
                f'width="{_n(max(0.5, width - 1))}" height="17"><title>{escape(title)}</title>'
                "</rect>"
            )
            if width > len(title) * _LETTER + 6:
                body.append(
                    _text(title, x + width / 2, 15, "ink-text2", colors["text2"], "middle", 11)
                )
        return body


def _nice(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, …"""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * 0.999)


def _svg(body: Sequence[str], height: int, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(body)}</svg>'
    )


def _text(
    words: str, x: float, y: float, kind: str, color: str, anchor: str, size: int = 12
) -> str:
    return (
        f'<text class="{kind}" fill="{color}" x="{_n(x)}" y="{_n(y)}" font-size="{size}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, ink: str, colors: Colors, width: float = 1
) -> str:
    return (
        f'<line class="line-{ink}" stroke="{colors[ink]}" stroke-width="{_n(width)}" '
        f'x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'
    )


def _path(d: str, ink: str, colors: Colors, dash: str = "", width: float = 1) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path class="line-{ink}" fill="none" stroke="{colors[ink]}" '
        f'stroke-width="{_n(width)}"{dashed} d="{d}"/>'
    )


def _n(value: float) -> str:
    """A coordinate with at most one decimal."""
    return f"{value:.1f}".removesuffix(".0")
