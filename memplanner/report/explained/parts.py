"""How the figures of one module, one moment or one rank were made."""

from __future__ import annotations

from collections.abc import Sequence

from memplanner.messages.estimate import CATEGORIES, Estimate, RankFigures
from memplanner.report.explained.explanation import MADE, SHARDED, Explanation, Row
from memplanner.report.explained.memory import COUNTED, recorded
from memplanner.report.parts import PHASES, TITLES, exact
from memplanner.units import format_bytes, format_count

Sizes = Sequence[tuple[str, int]]
"""Names of parts with their bytes; they add up to the figure."""


def of_module(
    estimate: Estimate, title: str, part: str, size_bytes: int, inside: Sizes, moment: str
) -> Explanation:
    """A cell of the layers, or a tile: ``part`` is its category in words, empty for all of them.

    ``inside`` is what it is made of: the modules below it and its own, or its categories.
    """
    of = f"{part} of {title}" if part else f"All of {title}"
    how = (
        f"The storages that belong to the module and to what is below it, {moment}: a gradient or "
        "a state belongs to its parameter’s module, an activation to the module that was at work. "
        f"{recorded(estimate)}"
    )
    rows = tuple(Row(name, format_bytes(size), exact(size)) for name, size in inside if size)
    return Explanation(of, format_bytes(size_bytes), how, rows, COUNTED, (), f"{MADE}#4-categories")


def of_around(estimate: Estimate, title: str, size_bytes: int, source: str) -> Explanation:
    """A row of what lies around the model on its device."""
    ends = next(
        (
            f"{format_bytes(row.low_bytes)} low, {format_bytes(row.expected_bytes)} expected, "
            f"{format_bytes(row.high_bytes)} high."
            for row in estimate.overhead
            if row.name == title
        ),
        "",
    )
    how = f"It is in no module; it stands beside the model on {estimate.device.name}."
    return Explanation(
        title, format_bytes(size_bytes), how, (Row(title, exact(size_bytes)),), ends,
        (source,) if source else (), f"{MADE}#8-what-a-card-shows",
    )  # fmt: skip


def of_moment(
    estimate: Estimate, title: str, event: int, inside: Sizes, *, is_peak: bool
) -> Explanation:
    """A moment of the timeline: what is allocated after an event of the step."""
    total = sum(size for _, size in inside)
    events = format_count(estimate.timeline.events)
    how = (
        f"The running sum of all allocations and frees of the step up to event "
        f"{format_count(event)} of {events}. {recorded(estimate)}"
    )
    if len(estimate.timeline.event) < estimate.timeline.events:
        how += " Each point that is drawn is the highest of the events it stands for."
    rows = tuple(Row(name, format_bytes(size), exact(size)) for name, size in inside if size)
    head = "Allocated at the peak" if is_peak else "Allocated"
    return Explanation(
        f"{head}, {title}", format_bytes(total), how, rows, COUNTED, (), f"{MADE}#7-the-peak"
    )


def of_rank(estimate: Estimate, ranks: RankFigures, whole_bytes: int) -> Explanation:
    """What the ranks of a pipeline stage hold, each at its own peak."""
    held = ranks.by_category
    rows = [
        Row(TITLES[name], format_bytes(getattr(held, name)), exact(getattr(held, name)))
        for name in CATEGORIES
        if getattr(held, name)
    ]
    rest = whole_bytes - ranks.allocated_bytes
    if rest:
        rows.append(Row("around tensors", format_bytes(rest), "allocator, context, other programs"))
    count = f"{format_count(ranks.count)} ranks" if ranks.count > 1 else "one rank"
    how = (
        f"Rank {ranks.first} was recorded for {count} of stage {ranks.stage}: none of them holds "
        f"more. It runs the step with its own share of parameters, states and batch, and what is "
        "sent is allocated as torch’s collectives do. Its peak is in its "
        f"{PHASES[ranks.phase].lower()}."
    )
    margin = COUNTED
    if ranks.device_high_bytes is not None and ranks.device_bytes is not None:
        margin = (
            f"{format_bytes(ranks.device_bytes)} expected on the device, "
            f"{format_bytes(ranks.device_high_bytes)} high."
        )
    return Explanation(
        f"Rank {ranks.first}, stage {ranks.stage}, on {estimate.device.name}",
        format_bytes(whole_bytes),
        how,
        tuple(rows),
        margin,
        ("held against CPU ranks that really ran, to the byte; on cards it is predicted",),
        f"{SHARDED}#how-a-rank-is-predicted",
    )
