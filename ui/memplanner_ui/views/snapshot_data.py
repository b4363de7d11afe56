"""A card's recorded history as a step to draw, beside what was predicted."""

from __future__ import annotations

import numpy as np

from memplanner.messages.estimate import Estimate
from memplanner.messages.snapshot import SnapshotCurve, SnapshotStack, unpacked
from memplanner.units import format_bytes, format_count
from memplanner_ui.language import translatable, translate
from memplanner_ui.views.comparison import percent
from memplanner_ui.views.timeline_data import STACKED, Floats, Ints, Moment, Step, Stretch

_WHOLE = translatable("Views", "Recorded")


def numbers(curve: str) -> Ints:
    """The numbers of a curve."""
    return np.frombuffer(unpacked(curve), dtype="<i8").astype(np.int64, copy=False)


def step_of_history(curve: SnapshotCurve, estimate: Estimate | None) -> Step:
    """The history as a step of one phase; the limit is that of the planned device.

    What an allocation is for a history does not say, so there are no parts.
    """
    total, reserved = numbers(curve.allocated_bytes), numbers(curve.reserved_bytes)
    points = len(total)
    nothing = np.broadcast_to(np.zeros((len(STACKED), 1), dtype=np.int64), (len(STACKED), points))
    return Step(
        events=curve.events,
        at=np.arange(points, dtype=np.int64) * curve.events // points,
        parts=nothing,
        layers=(),
        tops=nothing[:0],
        total=total,
        reserved=reserved,
        phases=(Stretch(translate("Views", _WHOLE), translate("Views", _WHOLE), 0, curve.events),),
        micro_batches=(),
        peak=curve.peak_point,
        peak_moment=Moment(
            _peak_words(curve),
            int(curve.peak_point * curve.events // points),
            (0,) * len(STACKED),
            curve.peak_bytes,
            curve.reserved_peak_bytes,
            is_peak=True,
        ),
        capacity_bytes=None if estimate is None else estimate.device.memory_bytes,
        beside_bytes=(0, 0),
        fixed=(0,) * len(STACKED),
        device=f"cuda:{curve.device}",
        on_cpu=False,
    )


def line_of(step: Step) -> tuple[Floats, Floats]:
    """The history as a measured curve."""
    return step.at.astype(np.float64), step.total.astype(np.float64)


def caption(curve: SnapshotCurve, estimate: Estimate | None) -> str:
    """What the plot shows, and how it stands to the prediction."""
    span = int(numbers(curve.time_us)[-1])
    head = translate("Views", "{events} allocations and frees.")
    if span > 0:
        head = translate("Views", "{events} allocations and frees in {time}.")
    words = [head.format(events=format_count(curve.events), time=f"{span / 1e6:.3g} s")]
    if curve.points < curve.events:
        words.append(translate("Views", "A point is the highest of its stretch."))
    if curve.before_bytes:
        words.append(
            translate("Views", "{size} stood before the history began.").format(
                size=format_bytes(curve.before_bytes)
            )
        )
    if estimate is not None:
        predicted = estimate.peak.allocated_bytes
        error = (predicted - curve.peak_bytes) / max(curve.peak_bytes, 1)
        words.append(
            translate(
                "Views", "This plan’s predicted peak is {size}, {error} against the recorded one."
            ).format(size=format_bytes(predicted), error=percent(error))
        )
    return " ".join(words)


def where_words(stack: SnapshotStack) -> str:
    """The lines of code that asked, the innermost first."""
    return " ← ".join(stack.frames) if stack.frames else translate("Views", "not recorded")


def _peak_words(curve: SnapshotCurve) -> str:
    if not curve.stacks or not curve.stacks[0].frames:
        return f"cuda:{curve.device}"
    return translate("Views", "{device}, most by {code}").format(
        device=f"cuda:{curve.device}", code=curve.stacks[0].frames[0]
    )
