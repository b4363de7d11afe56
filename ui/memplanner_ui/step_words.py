"""A step's time in the words of the header, its tooltip and the badges of options."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from memplanner.messages.cost import StepTime
from memplanner.report.explained.cost import PARTS
from memplanner.units import MINUS, format_count, format_duration
from memplanner_ui.language import of_plan, translatable, translate

_LEAST = 0.005
"""A part below half a per cent is not told."""
_LONG = ((86400, translatable("Window", "days")), (3600, "h"), (60, "min"))
"""Units that a whole range is told in, and their seconds."""


def same() -> str:
    """What is said of a change that takes no time and gives none."""
    return translate("Window", "same time")


def rate(time: StepTime) -> str:
    """Such as ``6 159 tokens/s``."""
    value = time.per_second
    return f"{format_count(round(value)) if value >= 10 else f'{value:.2g}'} {time.unit}/s"


def likely(time: StepTime) -> str:
    """Such as ``likely 4.7 to 6.0 s``; ``measured here`` where it is."""
    if time.source == "measured":
        return translate("Window", "measured here")
    for least, unit in _LONG:
        if time.low_seconds >= least:  # minutes and seconds of both have no room
            ends = (time.low_seconds / least, time.high_seconds / least)
            low, high = (f"{end:.0f}" if end >= 10 else f"{end:.1f}" for end in ends)
            return translate("Window", "likely {low} to {high} {unit}").format(
                low=low, high=high, unit=translate("Window", unit)
            )
    low, high = format_duration(time.low_seconds), format_duration(time.high_seconds)
    figure, _, unit = low.rpartition(" ")
    if high.count(" ") == 1 and high.endswith(f" {unit}"):
        low = figure
    return translate("Window", "likely {low} to {high}").format(low=low, high=high)


def explained(time: StepTime) -> str:
    """The parts from the largest, and where the rates come from."""
    lines = []
    for part in sorted(time.parts, key=lambda part: -part.seconds):
        share = part.seconds / time.seconds
        if share >= _LEAST:
            length = format_duration(part.seconds)
            lines.append(f"{of_plan(PARTS[part.name])}: {length}, {100 * share:.0f} %")
    return "\n".join([*lines, time.how])


def beside_measured(time: StepTime | None, step_seconds: Sequence[float]) -> str:
    """What a run's steps took, the first one apart, beside the estimate."""
    later = step_seconds[1:] or step_seconds
    if not later:
        return ""
    words = translate("Window", "{time} a step").format(time=format_duration(median(later)))
    if time is None or time.source == "measured":
        return words
    return translate("Window", "{words}, estimated {time}").format(
        words=words, time=format_duration(time.seconds)
    )


def change(share: float | None) -> str:
    """Of a change of time per token: ``+7 % time``, ``same time``; empty where it is not known."""
    if share is None:
        return ""
    per_cent = round(100 * share)
    if not per_cent:
        return same()
    sign = MINUS if per_cent < 0 else "+"
    return translate("Window", "{share} % time").format(share=f"{sign}{abs(per_cent)}")
