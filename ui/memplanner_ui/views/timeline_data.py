"""One step as arrays for the timeline: parts along its events, phases, limit, what was measured.

The x axis counts allocations and frees from the start of the step: how long each takes is not
known before a run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from memplanner.messages.estimate import Estimate, Phase, Span, Timeline
from memplanner.messages.run import RunFigures
from memplanner_ui.language import translate
from memplanner_ui.views.parts import (
    IN_OVERHEAD,
    NAMED,
    PARTS,
    around_the_plan,
    part_bytes,
    phase_title,
)
from memplanner_ui.views.verdict import where

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

STACKED = PARTS[:-1]
"""The parts of allocated memory, from the bottom up."""
_MICRO = ("forward", "backward")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A phase, or all of a micro-batch, from event ``left`` to ``right`` of the step."""

    title: str
    short: str
    """What is said where the title has no room."""
    left: int
    right: int
    phase: Phase = "forward"
    micro_batch: int = 0
    decodes: tuple[int, int] = (0, 0)
    """Of a generation's decodes, counted from 0: the first it stands for, and the one after it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is allocated at one point. Sizes are bytes."""

    title: str
    event: int
    parts: tuple[int, ...]
    """By ``STACKED``; they add up to the total."""
    total_bytes: int
    reserved_bytes: int | None
    is_peak: bool


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A step to draw. All sizes are bytes."""

    events: int
    at: Ints
    """The event of each point; its value holds until the next."""
    parts: Ints
    """Each of ``STACKED`` by point."""
    layers: tuple[str, ...]
    """The parts as they lie over each other: first what is always there of each, then the rest.

    Else what varies would lift what does not, and with the axis cut the wrong part would grow.
    """
    tops: Ints
    """The upper edge of each layer by point."""
    total: Ints
    reserved: Ints | None
    phases: tuple[Stretch, ...]
    micro_batches: tuple[Stretch, ...]
    """Empty where there is one."""
    peak: int
    """The point of the peak."""
    peak_moment: Moment
    capacity_bytes: int | None
    beside_bytes: tuple[int, int]
    """What has no place in the step but takes of the capacity: overhead, and other programs."""
    fixed: tuple[int, ...]
    """By ``STACKED``: what is there at every moment."""
    device: str
    on_cpu: bool

    def moment(self, point: int) -> Moment:
        """What is there at a point."""
        if point == self.peak:
            return self.peak_moment
        return Moment(
            self.title_at(int(self.at[point])),
            int(self.at[point]),
            tuple(self.parts[:, point].tolist()),
            int(self.total[point]),
            None if self.reserved is None else int(self.reserved[point]),
            is_peak=False,
        )

    def stretch_at(self, event: int) -> Stretch:
        """The phase that an event belongs to."""
        return next((one for one in self.phases if event < one.right), self.phases[-1])

    def title_at(self, event: int) -> str:
        """Phase and micro-batch of an event, in words."""
        stretch = self.stretch_at(event)
        for one in self.micro_batches:
            if one.left <= event < one.right:
                return f"{stretch.title}, {one.title.lower()}"
        return stretch.title

    def point_at(self, event: float) -> int:
        """The point whose value holds at an event."""
        # whole numbers: to compare it with a fraction, a long curve would be copied each time
        place = int(np.searchsorted(self.at, floor(event), "right")) - 1
        return max(0, min(len(self.at) - 1, place))

    def highest_point(self, stretch: Stretch) -> int | None:
        """The highest point of a stretch; None where the curve has none there."""
        start, stop = np.searchsorted(self.at, (stretch.left, stretch.right))
        if start >= stop:
            return None
        return int(start) + int(self.total[start:stop].argmax())


def step_of(estimate: Estimate) -> Step | None:
    """The step of an estimate; None where there is nothing after loading the model."""
    timeline, peak = estimate.timeline, estimate.peak
    start = next((span.stop for span in timeline.phases if span.phase == "load"), 0)
    at = np.array(timeline.event, np.int64) - start
    inside = at >= 0
    if not inside.any():
        return None
    at = at[inside]
    at[0] = 0  # a point may stand for events before its own
    total = np.array(timeline.allocated_bytes, np.int64)[inside]
    parts = _parts(timeline, inside)
    layers, tops = _layers(parts)
    reserved = np.array(timeline.reserved_bytes, np.int64)
    point = int(np.searchsorted(at, timeline.peak_event - start))
    if point >= len(at) or at[point] != timeline.peak_event - start:
        point = int(total.argmax())
    accumulated = estimate.plan.training.gradient_accumulation_steps
    around, other = around_the_plan(estimate)
    slack = 0 if peak.reserved_bytes is None else peak.reserved_bytes - peak.allocated_bytes
    known = estimate.spare_bytes is not None
    return Step(
        events=timeline.events - start,
        at=at,
        parts=parts,
        layers=layers,
        tops=tops,
        total=total,
        reserved=reserved[inside] if len(reserved) == len(inside) else None,
        phases=_phases(timeline, start),
        micro_batches=_micro_batches(timeline, start, accumulated),
        peak=point,
        peak_moment=Moment(
            where(estimate),
            int(at[point]),
            part_bytes(peak.by_category)[: len(STACKED)],
            peak.allocated_bytes,
            peak.reserved_bytes,
            is_peak=True,
        ),
        capacity_bytes=estimate.device.memory_bytes,
        beside_bytes=(max(0, around - slack), other) if known else (0, estimate.device.used_bytes),
        fixed=tuple(parts.min(axis=1).tolist()),
        device=estimate.device.name,
        on_cpu=estimate.device.kind == "cpu",
    )


def _parts(timeline: Timeline, inside: npt.NDArray[np.bool_]) -> Ints:
    def along(name: str) -> Ints:
        values = np.array(timeline.by_category.get(name, ()), np.int64)
        return values[inside] if len(values) == len(inside) else np.zeros(inside.sum(), np.int64)

    overhead = sum(map(along, IN_OVERHEAD[1:]), along(IN_OVERHEAD[0]))
    return np.stack([*map(along, NAMED), overhead])


def _layers(parts: Ints) -> tuple[tuple[str, ...], Ints]:
    """What is always there of each part, then what comes and goes; layers of nothing left out."""
    fixed = np.broadcast_to(parts.min(axis=1)[:, None], parts.shape)
    sizes = np.concatenate([fixed, parts - fixed])
    there = np.flatnonzero(sizes.any(axis=1))
    names = tuple(STACKED[place % len(STACKED)] for place in there)
    return names, np.cumsum(sizes[there], axis=0)


def _phases(timeline: Timeline, start: int) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(
            *_titles(timeline.phases, place),
            span.start - start,
            span.stop - start,
            span.phase,
            span.micro_batch,
            _decodes(timeline.phases, place),
        )
        for place, span in enumerate(timeline.phases)
        if span.stop > max(start, span.start)
    )


def _titles(spans: tuple[Span, ...], place: int) -> tuple[str, str]:
    """A phase's title, and what is said where that has no room.

    A generation's tokens are counted from 1, which the prefill writes; between two that were
    recorded, a stretch stands for all others.
    """
    span = spans[place]
    title = phase_title(span.phase)
    if span.phase == "between_steps" and any(one.phase == "prefill" for one in spans):
        return translate("Views", "End"), translate("Views", "End")
    if span.phase != "decode":
        if span.phase == "optimizer_step":
            return title, translate("Views", "Optimizer")
        return title, title
    start, stop = _decodes(spans, place)
    first, last = start + 2, stop + 1
    if first == last:
        return translate("Views", "Decode, token {last}").format(last=last), str(last)
    return translate("Views", "Decode, tokens {first} to {last}").format(
        first=first, last=last
    ), translate("Views", "{first} to {last}").format(first=first, last=last)


def _decodes(spans: tuple[Span, ...], place: int) -> tuple[int, int]:
    span = spans[place]
    if span.phase != "decode":
        return 0, 0
    before = [one.micro_batch for one in spans[:place] if one.phase == "decode"]
    after = [one.micro_batch for one in spans[place + 1 :] if one.phase == "decode"]
    first = span.micro_batch
    if before and after and after[0] == span.micro_batch + 1:  # between two that were recorded
        first = min(first, before[-1] + 1)
    return first, span.micro_batch + 1


def _micro_batches(timeline: Timeline, start: int, accumulated: int) -> tuple[Stretch, ...]:
    """Where each micro-batch lies; the last one recorded stands for all after it."""
    places: dict[int, list[int]] = defaultdict(list)
    for span in timeline.phases:
        if span.phase in _MICRO and span.stop > span.start:
            places[span.micro_batch] += [span.start - start, span.stop - start]
    if len(places) < 2:
        return ()
    last = max(places)
    result = []
    for number, edges in sorted(places.items()):
        short, title = (
            f"{number + 1}",
            translate("Views", "Micro-batch {number}").format(number=number + 1),
        )
        if number == last and last + 1 < accumulated:
            short = translate("Views", "{first} to {last}").format(
                first=number + 1, last=accumulated
            )
            title = translate("Views", "Micro-batches {numbers}").format(numbers=short)
        result.append(Stretch(title, short, min(edges), max(edges), micro_batch=number))
    return tuple(result)


def columns(step: Step, left: float, right: float, pixels: int) -> tuple[Floats, Ints]:
    """At most one point a pixel from ``left`` to ``right``: the highest of each.

    The first are the edges, on whole pixels, so that no point is too narrow to be seen: each
    point's from its own to the next one's, and the last.
    """
    first = step.point_at(left)
    last = max(first + 1, int(np.searchsorted(step.at, ceil(right))))
    at, total = step.at[first:last], step.total[first:last]
    starts = left + (right - left) / pixels * np.arange(pixels)  # of the columns
    begins = np.searchsorted(at, np.ceil(starts[1:]).astype(np.int64))
    begins = np.concatenate([[0], begins[(begins > 0) & (begins < len(at))]])
    begins = begins[np.flatnonzero(np.diff(begins, prepend=-1))]  # they rise: each once
    # compared with the same numbers again: a quotient may be rounded into another column
    column = np.maximum(np.searchsorted(starts, at[begins], "right") - 1, 0)
    return np.append(starts[column], right), first + _highest(total, begins)


def _highest(total: Ints, begins: Ints) -> Ints:
    """The first place of the largest of each stretch; the stretches lie side by side."""
    largest = np.maximum.reduceat(total, begins)
    counts = np.diff(begins, append=len(total))
    hits = np.flatnonzero(total == np.repeat(largest, counts))
    found: Ints = hits[np.searchsorted(hits, begins)]
    return found


def measured_curves(step: Step, figures: RunFigures) -> list[tuple[Floats, Floats]]:
    """A run's curve laid along the step, a piece a phase, each as wide as it was predicted."""
    pieces: dict[str, list[tuple[int, int]]] = defaultdict(list)
    start = 0
    for phase, group in groupby(figures.curve_phases):
        stop = start + sum(1 for _ in group)
        pieces[phase].append((start, stop))
        start = stop
    if start != len(figures.curve_bytes):
        return []
    curve = np.array(figures.curve_bytes, np.float64)
    last = max((one.micro_batch for one in step.micro_batches), default=0)
    decodes = max((one.decodes[1] for one in step.phases), default=0)
    result: list[tuple[Floats, Floats]] = []
    for stretch in step.phases:
        own = pieces.get(stretch.phase, [])
        if not own:
            continue
        # What stands for several micro-batches is held against the last of them.
        is_last = stretch.phase not in _MICRO or stretch.micro_batch == last
        first, stop = own[-1] if is_last else own[min(stretch.micro_batch, len(own) - 1)]
        if stretch.phase == "decode":  # measured are all of them, one after the other
            count = stop - first
            first, stop = (first + count * one // decodes for one in stretch.decodes)
            if first == stop:
                continue
        x = np.linspace(stretch.left, stretch.right, stop - first, endpoint=False)
        result.append((x, curve[first:stop]))
    return result


def bounds(step: Step, highest_measured: float, *, cut: bool) -> tuple[float, float]:
    """The lowest and highest bytes of the axis; with ``cut`` it starts above the fixed part.

    It starts at zero all the same where that part is small.
    """
    highest = max(float(step.total.max()), float(step.peak_moment.total_bytes), highest_measured)
    if step.reserved is not None:
        highest = max(highest, float(step.reserved.max()))
    capacity = step.capacity_bytes or 0
    top = max(highest, 1.0)
    if highest > 0.3 * capacity:
        top = max(top, float(capacity))
    top *= 1.05
    fixed = float(sum(step.fixed))
    bottom = fixed - 0.3 * (top - fixed)
    return (bottom if cut and bottom > 0.25 * top else 0.0), top


def measured_at(curves: list[tuple[Floats, Floats]], event: float) -> int | None:
    """The measured bytes at an event; None where nothing was measured."""
    for x, y in reversed(curves):
        if x[0] <= event:
            return int(y[int(np.searchsorted(x, event, "right")) - 1])
    return None
