"""Time, price and quality of a plan as a terminal shows them."""

from __future__ import annotations

from collections.abc import Iterator

from memplanner.messages.cost import Quality, StepTime
from memplanner.report.explained.cost import RISKS
from memplanner.report.price import energy_of_million, price_of_million
from memplanner.units import format_count, format_duration


def time_lines(
    time: StepTime | None,
    cards: int = 1,
    price_per_hour: float | None = None,
    step: str = "optimizer step",
) -> Iterator[str]:
    """A step's time in sentences; ``price_per_hour`` is one card's, in whatever currency."""
    if time is None:
        if price_per_hour is not None:
            yield "The price of a step is not known: the device's rates are not."
        return
    measured = time.source == "measured"
    low, high = format_duration(time.low_seconds), format_duration(time.high_seconds)
    rate = (
        format_count(round(time.per_second)) if time.per_second >= 10 else f"{time.per_second:.2g}"
    )
    yield (
        f"One {step} {'' if measured else 'about '}{format_duration(time.seconds)} "
        f"({'measured' if measured else f'likely {low} to {high}'}), {rate} {time.unit}/s"
    )
    shares = sorted(time.parts, key=lambda part: -part.seconds)
    named = [
        f"{part.name.replace('_', ' ')} {100 * part.seconds / time.seconds:.0f} %"
        for part in shares
        if part.seconds / time.seconds >= 0.005
    ]
    yield f"Of it {', '.join(named)}."
    yield time.how
    energy = energy_of_million(time)
    if energy is not None:
        yield f"At the power limit {energy:.3g} kWh for a million {time.unit}."
    if price_per_hour is not None:
        price = price_of_million(time, cards, price_per_hour)
        yield f"Price for a million {time.unit}: {price:.3g}, at {price_per_hour:g} an hour a card."


def quality_lines(quality: Quality | None) -> Iterator[str]:
    """The risk in words, and its reasons."""
    if quality is None:
        return
    yield f"Quality: {RISKS[quality.risk]}."
    for reason in quality.reasons:
        yield f"  {reason.section.replace('_', ' ')}: {reason.sentence}"
    if quality.measured is not None:
        yield f"  Measured here: perplexity {quality.measured:.3f} times what it was."
