"""How a step’s time, its energy and the risk to quality were made."""

from __future__ import annotations

from memplanner.messages.cost import Quality, StepTime
from memplanner.messages.effects import OptionEffect
from memplanner.plan import Plan
from memplanner.report.explained.explanation import MADE, SEARCHED, Explanation, Row, sentence
from memplanner.units import format_bytes, format_count, format_difference, format_duration

PARTS = {
    "products": "Matrix products",
    "attention": "Attention",
    "other_kernels": "Other kernels, which wait for memory",
    "recomputation": "Recomputed in backward",
    "optimizer": "Optimizer",
    "host_transfers": "Between device and host",
    "communication": "Waiting for other cards",
    "launches": "Starting kernels",
}
RISKS = {
    "same_result": "the same result",
    "small_change": "a small change",
    "check_quality": "to be judged on your task",
}
_TERA = 10**12
_LEAST_SECONDS = 5e-5
"""A part that would be printed as nothing is left out."""
_TIMED = f"{MADE}#9-how-long-a-step-takes"


def _figures(value: float) -> str:
    """Whole from a hundred on, else in three figures."""
    return format_count(round(value)) if value >= 100 else f"{value:.3g}"


def of_step(time: StepTime, step: str = "optimizer step") -> Explanation:
    """The time of a step, part by part; the rows add up to it."""
    rows = tuple(
        Row(
            PARTS[part.name],
            format_duration(part.seconds),
            f"{100 * part.seconds / time.seconds:.0f} %",
        )
        for part in sorted(time.parts, key=lambda part: -part.seconds)
        if part.seconds >= _LEAST_SECONDS
    )
    if time.source == "measured":
        how = "The median of the steps that ran here with this very plan, the first one left out."
        margin = (
            f"{format_duration(time.low_seconds)} to {format_duration(time.high_seconds)}: "
            "how far a later run of the same plan may be off."
        )
    else:
        how = (
            "Each kernel of the recorded step takes the longer of its arithmetic and its memory "
            "traffic, at the part of the device’s rates that training reaches: "
            f"{_figures(time.flops / _TERA)} trillion floating-point operations and "
            f"{format_bytes(time.moved_bytes)} read and written in the step."
        )
        margin = (
            f"{format_duration(time.low_seconds)} low, {format_duration(time.seconds)} expected, "
            f"{format_duration(time.high_seconds)} high: how far published or earlier steps lay "
            "from their estimates."
        )
    rate = f"{_figures(time.per_second)} a second"
    rows = (*rows, Row("Taken in", f"{format_count(time.units)} {time.unit}", rate))
    if time.energy_joules is not None:
        rows = (*rows, Row("Energy at the power limit", f"{_figures(time.energy_joules)} J"))
    return Explanation(
        f"One {step}", format_duration(time.seconds), how, rows, margin, (time.how,), _TIMED
    )


def of_intake(plan: Plan, unit: str, count: int) -> Explanation:
    """What a step takes in, where its time is not known."""
    training, cards = plan.training, plan.sharding.data_degree
    use = plan.inference.use
    rows = [Row("Batch size", str(training.batch_size))]
    if use == "generation":
        rows.append(Row("New tokens", str(plan.inference.new_tokens)))
    elif unit == "tokens":
        rows.append(Row("Sequence length", str(training.sequence_length)))
    if use == "training":
        rows.append(Row("Micro-batches", str(training.gradient_accumulation_steps)))
        rows.append(Row("Data-parallel cards", str(cards)))
    how = (
        "The product of what the plan says. The time of the step is not known: nothing is known "
        "of this device’s rates, or of some of the model’s work."
    )
    return Explanation(
        "One step takes in", f"{format_count(count)} {unit}", how, tuple(rows),
        "none: it is what the plan says.", page=_TIMED,
    )  # fmt: skip


def of_quality(quality: Quality) -> Explanation:
    """The risk to what is learned: the greatest of what each section of the plan takes."""
    rows = tuple(
        Row(reason.section.replace("_", " "), RISKS[reason.risk]) for reason in quality.reasons
    )
    how = (
        "The greatest risk of what the plan does. It is a class with its papers, not a measurement "
        "of this model."
    )
    margin = "not measured on this model; a run of the plan that compresses real weights judges it."
    if quality.measured is not None:
        margin = f"measured here: perplexity {quality.measured:.3f} times what it was."
    sources = tuple(
        f"{reason.section.replace('_', ' ')}: {sentence(reason.sentence)}"
        for reason in quality.reasons
    )
    return Explanation(
        "Quality", RISKS[quality.risk], how, rows, margin, sources, "techniques.md#quality"
    )


def of_effect(effect: OptionEffect, title: str) -> Explanation:
    """What one option would change: the plan with it, beside the plan as it is."""
    whole = effect.device_bytes is not None and effect.device_difference_bytes is not None
    after = effect.device_bytes if whole else effect.allocated_bytes
    difference = effect.device_difference_bytes if whole else effect.allocated_difference_bytes
    rows = []
    figure = "not possible" if effect.kind == "refused" else ""
    if after is not None:
        of = "the device" if whole else "tensors"
        if difference is not None:
            before = after - difference
            rows.append(Row(f"The plan as it is, on {of}", format_bytes(before)))
            figure = format_difference(after, before)
        rows.append(Row(f"With the option, on {of}", format_bytes(after)))
        figure = figure or f"peak {format_bytes(after)}"
    if effect.time_change is not None:
        change = f"{100 * effect.time_change:+.1f} %".replace("-", "\N{MINUS SIGN}")
        rows.append(Row("Time for a token or sample", change, "of two estimated steps"))
    how = (
        "The plan with this one value changed was recorded and estimated like the plan as it is; "
        "the figure is the difference of the two expected peaks."
    )
    if effect.refused:
        how = sentence(effect.refused)
        if effect.needs:
            how += f" The figures are of the plan with {effect.needs} as well."
    return Explanation(
        title, figure, how, tuple(rows), "that of both peaks; what is the same in both cancels.",
        page=SEARCHED,
    )  # fmt: skip
