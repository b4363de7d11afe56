"""A step's time as it is told: with a range, its parts, and where the rates come from."""

from __future__ import annotations

from memplanner.estimate.deepspeed.on_host import HOW
from memplanner.estimate.recorder import Recorder
from memplanner.estimate.step_time import (
    NAMES,
    Evaluated,
    evaluated,
    known_rates,
    unknown_links,
    written_tokens,
)
from memplanner.estimate.step_time_measured import Timed
from memplanner.hardware.rates import rates_of, stand_in_rates
from memplanner.messages.cost import StepTime, TimePart, TimeSource
from memplanner.messages.device import Device
from memplanner.plan import Plan
from memplanner.techniques.inference import trains

_MEASURED_RANGE = 0.05
"""How far a later run of the same plan may be off one that was timed."""


def step_time(
    records: Recorder,
    plan: Plan,
    device: Device,
    timed: Timed | None = None,
    rank: int = 0,
) -> StepTime | None:
    """The time of an optimizer step; None where nothing is known of the device's speed.

    Where steps of this very plan were timed on it, what they took takes the estimate's place, and
    the parts share it out as estimated.
    """
    rates = known_rates(device, timed)
    if rates is None or records.model.parameters_only:
        return None
    made = evaluated(records, plan, device, [records.point(plan)], rates, rank)
    if made is None or records.plays_back:  # of what is played back no work is known
        return None
    return told_time(made, records, plan, device, timed)


def told_time(
    made: Evaluated, records: Recorder, plan: Plan, device: Device, timed: Timed | None = None
) -> StepTime | None:
    """The same of a step that was evaluated at its own point."""
    model = records.model
    rates = known_rates(device, timed)
    seconds = float(made.parts.sum())
    if rates is None or not seconds:
        return None
    low, high, how = seconds * rates.low, seconds * rates.high, rates.how
    stated = rates_of(device)
    if made.spread is not None:
        low, high, how = (
            low - float(made.spread[0, 0]),
            high + float(made.spread[1, 0]),
            f"{how} {HOW}",
        )
    source: TimeSource = "data_sheet" if rates == stated else "calibrated"
    scale = 1.0
    measured = None if timed is None else timed.measured_seconds(model.name, plan)
    if measured is not None:
        scale, source = measured / seconds, "measured"
        low, high = measured * (1 - _MEASURED_RANGE), measured * (1 + _MEASURED_RANGE)
        how = "Steps of this plan were timed on this device; the parts are shared out as estimated."
        seconds = measured
    how += "".join(f" {sentence}" for sentence in unknown_links(plan.sharding, device))
    cards = plan.sharding.ranks
    power = None if rates.power_watts is None else rates.power_watts * cards * seconds
    return StepTime(
        seconds=seconds,
        low_seconds=low,
        high_seconds=high,
        unit="tokens" if model.takes_sequence else "samples",
        units=units_of(plan, takes_sequence=model.takes_sequence, length=records.point(plan)[1]),
        flops=round(made.flops[0]),
        moved_bytes=round(made.moved_bytes[0]),
        parts=tuple(
            TimePart(name=name, seconds=float(part) * scale)
            for name, part in zip(NAMES, made.parts[:, 0], strict=True)
            if part > 0
        ),
        source=source,
        how=how,
        energy_joules=power,
    )


def stated_seconds(records: Recorder, plan: Plan, device: Device, rank: int = 0) -> float | None:
    """The same by the data sheet alone, of a CPU by stand-ins: to hold timed steps against."""
    rates = rates_of(device) or stand_in_rates()
    made = evaluated(records, plan, device, [records.point(plan)], rates, rank)
    return None if made is None else float(made.parts.sum())


def units_of(plan: Plan, *, takes_sequence: bool, length: int) -> int:
    """Tokens or samples of a step, over all cards: of a generation the tokens that it writes."""
    samples = plan.training.batch_size * plan.sharding.data_degree
    if not trains(plan):
        written = written_tokens(plan)
        return samples * (written or (length if takes_sequence else 1))
    samples *= plan.training.gradient_accumulation_steps
    return samples * length if takes_sequence else samples
