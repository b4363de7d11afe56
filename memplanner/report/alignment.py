"""Timelines of several plans laid over each other, phase by phase or along the whole step."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from memplanner.messages.estimate import Estimate, Phase, Span, Timeline
from memplanner.report.parts import PHASES, whole_peak_bytes

By = Literal["phase", "time"]
ORDER: tuple[Phase, ...] = (
    "prefill", "decode", "forward", "backward", "optimizer_step", "between_steps",
)  # fmt: skip
_MICRO = ("forward", "backward")
_LEAST_SHARE = 0.09
"""Of the width, for a phase of few events: its name must be read."""
COLUMNS = 480
"""Points of a curve; each is the highest of its stretch."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A plan's step from left (0) to right (1); a value holds until the next one's ``x``."""

    x: tuple[float, ...]
    whole_bytes: tuple[int, ...]
    """What is allocated, with what the device holds beside it at the peak."""
    peak: tuple[float, int]
    """Where the peak is, and its bytes."""
    pieces: tuple[tuple[int, int, float], ...]
    """First point, the one after the last, and where it ends, of each stretch without a gap: a plan
    may have none of a phase that another has."""

    @property
    def end(self) -> float:
        """Where the last piece ends."""
        return self.pieces[-1][2]


@dataclass(frozen=True, slots=True)
class Band:
    """A phase, from ``left`` to ``right`` of the width."""

    title: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Aligned:
    """Curves with one axis; None for a plan that has no step."""

    bands: tuple[Band, ...]
    curves: tuple[Curve | None, ...]
    caption: str


def aligned(estimates: Sequence[Estimate | None], by: By = "phase") -> Aligned:
    """The estimates' steps over each other. Without known times, ``time`` counts allocations."""
    if by == "phase":
        return _by_phase(estimates)
    return _along(estimates)


def times_known(estimates: Sequence[Estimate | None]) -> bool:
    """Whether the time of a step is known of every estimate that there is."""
    return all(one is None or one.time is not None for one in estimates)


def _by_phase(estimates: Sequence[Estimate | None]) -> Aligned:
    chosen = [{} if one is None else _spans(one) for one in estimates]
    there = [
        phase
        for phase in ORDER
        if any(phase in spans and spans[phase].stop > spans[phase].start for spans in chosen)
    ]
    shares = []
    for phase in there:
        lengths = [
            (spans[phase].stop - spans[phase].start)
            / sum(span.stop - span.start for span in spans.values())
            for spans in chosen
            if phase in spans
        ]
        shares.append(max(_LEAST_SHARE, sum(lengths) / len(lengths)))
    edges = [0.0]
    for share in shares:
        edges.append(edges[-1] + share / sum(shares))
    bands = tuple(
        Band(_title(phase), edges[place], edges[place + 1]) for place, phase in enumerate(there)
    )
    curves = tuple(
        None
        if estimate is None or not spans
        else _curve(
            estimate,
            [
                (spans[phase], edges[place], edges[place + 1])
                for place, phase in enumerate(there)
                if phase in spans
            ],
        )
        for estimate, spans in zip(estimates, chosen, strict=True)
    )
    return Aligned(bands, curves, _phase_caption(estimates))


def _title(phase: Phase) -> str:
    """``Optimizer``, ``Between``: a phase's title where there is little room."""
    return PHASES[phase].removesuffix(" step").removesuffix(" steps")


def _phase_caption(estimates: Sequence[Estimate | None]) -> str:
    several = any(
        one is not None and one.plan.training.gradient_accumulation_steps > 1 for one in estimates
    )
    words = "each phase has the same width in every plan, and what the device holds beside is added"
    return f"the micro-batch of the peak, or the last; {words}" if several else words


def _spans(estimate: Estimate) -> dict[Phase, Span]:
    """One span of each phase: that of the peak, and for the others that of its micro-batch.

    A phase in which nothing is allocated or freed has a span without events: its level holds.
    """
    timeline = estimate.timeline
    spans = [one for one in timeline.phases if one.phase != "load"]
    at_peak = next((one for one in spans if one.start <= timeline.peak_event < one.stop), None)
    last = max((one.micro_batch for one in spans if one.phase in _MICRO), default=0)
    wanted = at_peak.micro_batch if at_peak is not None and at_peak.phase in _MICRO else last
    found: dict[Phase, Span] = {}
    for one in spans:
        if one.phase not in _MICRO or one.micro_batch == wanted:
            found[one.phase] = one
    if at_peak is not None:
        found[at_peak.phase] = at_peak
    return found if any(one.stop > one.start for one in found.values()) else {}


def _along(estimates: Sequence[Estimate | None]) -> Aligned:
    timed = times_known(estimates)
    lengths = [0.0 if one is None else _length(one, timed=timed) for one in estimates]
    longest = max(lengths, default=0.0) or 1.0
    curves = tuple(
        None if one is None or not length else _whole(one, length / longest)
        for one, length in zip(estimates, lengths, strict=True)
    )
    caption = "allocations and frees from the start of a step, counted: its time is not known"
    if timed:
        caption = "the estimated time of a step, its allocations and frees spread evenly over it"
    return Aligned((), curves, caption)


def _start(estimate: Estimate) -> int:
    spans = estimate.timeline.phases
    return next((one.stop for one in spans if one.phase == "load"), 0)


def _length(estimate: Estimate, *, timed: bool) -> float:
    if timed and estimate.time is not None:
        return estimate.time.seconds
    return float(estimate.timeline.events - _start(estimate))


def _whole(estimate: Estimate, width: float) -> Curve | None:
    start, stop = _start(estimate), estimate.timeline.events
    if stop <= start:
        return None
    return _curve(estimate, [(Span("forward", 0, start, stop), 0.0, width)])


def _curve(estimate: Estimate, pieces: Sequence[tuple[Span, float, float]]) -> Curve:
    timeline, whole = estimate.timeline, whole_peak_bytes(estimate)
    beside = whole - estimate.peak.allocated_bytes
    highest: dict[int, int] = {}
    peak_x = 0.0
    for span, left, right in pieces:
        if span.stop == span.start:
            highest[int(left * COLUMNS) + 1] = _level(timeline, span.start) + beside
            continue
        scale = (right - left) / (span.stop - span.start)
        first = max(0, bisect_right(timeline.event, span.start) - 1)
        for place in range(first, len(timeline.event)):
            event = max(timeline.event[place], span.start)
            if event >= span.stop:
                break
            column = int((left + (event - span.start) * scale) * COLUMNS)
            size = timeline.allocated_bytes[place] + beside
            highest[column] = max(highest.get(column, 0), size)
        if span.start <= timeline.peak_event < span.stop:
            peak_x = left + (timeline.peak_event - span.start) * scale
    columns = sorted(highest)
    return Curve(
        tuple(column / COLUMNS for column in columns),
        tuple(highest[column] for column in columns),
        (peak_x, whole),
        _pieces(columns, [(left, right) for _, left, right in pieces]),
    )


def _level(timeline: Timeline, event: int) -> int:
    """What is allocated where nothing is, or is freed: as an 8-bit optimizer works, in place."""
    at = bisect_left(timeline.event, event)
    return min(timeline.allocated_bytes[max(0, at - 1) : at + 1])  # each point is a highest one


def _pieces(
    columns: Sequence[int], stretches: Sequence[tuple[float, float]]
) -> tuple[tuple[int, int, float], ...]:
    """The points of each stretch, those that follow each other joined."""
    joined: list[tuple[float, float]] = []
    for left, right in stretches:
        if joined and left == joined[-1][1]:
            left = joined.pop()[0]
        joined.append((left, right))
    found = []
    for left, right in joined:
        first = bisect_left(columns, int(left * COLUMNS))
        stop = bisect_left(columns, right * COLUMNS)
        if first < stop:
            found.append((first, stop, right))
    return tuple(found)
