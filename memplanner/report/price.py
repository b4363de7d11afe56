"""What a step costs beside time: energy at the power limit, and a price where a rate is given."""

from __future__ import annotations

from memplanner.messages.cost import StepTime

_JOULES = 3.6e6
"""In a kilowatt-hour."""
MILLION = 1_000_000


def price_of_million(time: StepTime, cards: int, per_hour: float) -> float:
    """The price of a million tokens or samples, at ``per_hour`` for one of ``cards`` cards."""
    return per_hour * cards * time.seconds / 3600 / time.units * MILLION


def energy_of_million(time: StepTime) -> float | None:
    """Kilowatt-hours of a million tokens or samples; None where no power limit is known."""
    if time.energy_joules is None:
        return None
    return time.energy_joules / _JOULES / time.units * MILLION


def price_words(time: StepTime, cards: int, per_hour: float | None) -> str:
    """Such as ``A million tokens: price 0.42, 1.2 kWh``; empty where neither is known."""
    energy = energy_of_million(time)
    parts = [] if per_hour is None else [f"price {price_of_million(time, cards, per_hour):.3g}"]
    parts += [] if energy is None else [f"{energy:.3g} kWh"]
    return f"A million {time.unit}: {', '.join(parts)}" if parts else ""
