"""What plans of one model differ in: bytes by category and by module, time, settings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from memplanner.messages.estimate import CATEGORIES, Estimate, Layer
from memplanner.report import words
from memplanner.report.parts import PARTS, TITLES, budget, whole_peak_bytes
from memplanner.report.settings import Setting, differing
from memplanner.units import NOTHING, format_bytes, format_count, format_difference

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_TITLES = {**TITLES, "overhead": "Device overhead", "other": "Other processes"}
_sizes = attrgetter(*(f"{name}_bytes" for name in CATEGORIES))
_WRAPPED = ".base_layer"
"""What peft calls the layer inside an adapter (``peft/tuners/tuners_utils.py``)."""
IN_NO_MODULE = "(in no module)"


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the plans side by side: its estimate, or why there is none."""

    name: str
    estimate: Estimate | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """A size in each plan. ``part`` names its colour; ``strong`` is the sum of those above."""

    title: str
    sizes: tuple[int | None, ...]
    """Bytes; None for a plan without an estimate."""
    part: str = ""
    strong: bool = False

    def difference(self, place: int, baseline: int) -> int | None:
        """Bytes more than the baseline; None where either is not known."""
        own, other = self.sizes[place], self.sizes[baseline]
        return None if own is None or other is None else own - other

    def difference_words(self, place: int, baseline: int) -> str:
        """``+1.2 GiB``, ``−208 MiB``, ``same``; empty where not known."""
        own, other = self.sizes[place], self.sizes[baseline]
        if own is None or other is None:
            return ""
        return "same" if own == other else format_difference(own, other)


def letter(place: int) -> str:
    """What the plan at ``place`` is called: A, B, …, Z, 27, 28."""
    return chr(ord("A") + place) if place < 26 else str(place + 1)


def size_words(size_bytes: int | None) -> str:
    """A size, or a dash where there is none."""
    return NOTHING if size_bytes is None else format_bytes(size_bytes)


def by_category(plans: Sequence[Compared]) -> tuple[SizeRow, ...]:
    """The parts of each plan's peak, and their sum: what the whole device holds."""
    budgets = [None if one.estimate is None else budget(one.estimate) for one in plans]
    rows = []
    for place, part in enumerate(PARTS):
        sizes = tuple(None if one is None else one.parts[place] for one in budgets)
        if any(sizes):
            rows.append(SizeRow(_TITLES[part], sizes, part))
    sums = tuple(None if one is None else one.peak_bytes for one in budgets)
    rows.append(SizeRow("Peak", sums, strong=True))
    if any(one.estimate is not None and one.estimate.host_bytes for one in plans):
        hosts = tuple(
            None if one.estimate is None else one.estimate.host_bytes or 0 for one in plans
        )
        rows.append(SizeRow("In host memory", hosts))
    return tuple(rows)


def by_layer(plans: Sequence[Compared], baseline: int = 0) -> tuple[SizeRow, ...]:
    """The modules whose own bytes at the peak differ, the largest difference first.

    Modules of different blocks that take the same in every plan are one row, for all of them.
    """
    tables = [_by_name(one.estimate) for one in plans]
    names = list(dict.fromkeys(name for table in tables for name in table or ()))
    groups: dict[tuple[str, tuple[int | None, ...]], int] = defaultdict(int)
    for name in names:
        sizes = tuple(None if table is None else table.get(name, 0) for table in tables)
        known = [size for size in sizes if size is not None]
        if any(size != known[0] for size in known):
            groups[pattern(name), sizes] += 1
    rows = [
        SizeRow(
            f"{name}, {count} alike" if count > 1 else name or IN_NO_MODULE,
            tuple(None if size is None else size * count for size in sizes),
        )
        for (name, sizes), count in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: _largest_difference(row, baseline), reverse=True))


def pattern(name: str) -> str:
    """A module's name with a star for each number, as modules of alike blocks share it."""
    return _NUMBER.sub("*", name)


def _by_name(estimate: Estimate | None) -> dict[str, int] | None:
    """Each module's own bytes; a layer that an adapter wraps counts as the one it replaces."""
    if estimate is None:
        return None
    sizes: dict[str, int] = defaultdict(int)
    for row in estimate.layers:
        sizes[row.name.replace(_WRAPPED, "")] += layer_bytes(row)
    return sizes


def layer_bytes(layer: Layer) -> int:
    """All of a module's own bytes."""
    return sum(_sizes(layer))


def _largest_difference(row: SizeRow, baseline: int) -> int:
    differences = (row.difference(place, baseline) for place in range(len(row.sizes)))
    return max((abs(one) for one in differences if one is not None), default=0)


def settings(plans: Sequence[Compared]) -> tuple[Setting, ...]:
    """The keys that differ between the plans that have an estimate, one value for each plan."""
    known = [one.estimate.plan for one in plans if one.estimate is not None]
    if len(known) == len(plans):
        return differing(known)
    found = []
    for row in differing(known):
        values, same = iter(row.values), iter(row.same_as_first)
        there = [one.estimate is not None for one in plans]
        found.append(
            Setting(
                row.key,
                row.title,
                tuple(next(values) if known_one else NOTHING for known_one in there),
                tuple(next(same) if known_one else True for known_one in there),
            )
        )
    return tuple(found)


def table(plans: Sequence[Compared], baseline: int = 0, *, layers: bool = False) -> list[list[str]]:
    """The comparison as rows of text, titles first; each plan but the baseline has two columns."""
    head = ["Module" if layers else "Bytes at the peak"]
    for place, one in enumerate(plans):
        head.append(f"{letter(place)} {one.name}")
        if place != baseline:
            head.append(f"{letter(place)} against {letter(baseline)}")
    rows = [head]
    for row in by_layer(plans, baseline) if layers else by_category(plans):
        cells = [row.title]
        for place, size in enumerate(row.sizes):
            cells.append(size_words(size))
            if place != baseline:
                cells.append(row.difference_words(place, baseline))
        rows.append(cells)
    return rows if layers else [*rows, *_more(plans, baseline)]


def _more(plans: Sequence[Compared], baseline: int) -> list[list[str]]:
    """The rows below the sizes: verdict, step time, settings."""

    def row(title: str, values: Sequence[str], against: Sequence[str]) -> list[str]:
        cells = [title]
        for place, value in enumerate(values):
            cells.append(value)
            if place != baseline:
                cells.append(against[place])
        return cells

    nothing = [""] * len(plans)
    said = [one.sentence if one.estimate is None else words.verdict(one.estimate) for one in plans]
    rows = [row("Verdict", said, nothing)]
    times = step_times(plans, baseline)
    if times is not None:
        rows.append(row(times.title, times.values, times.against))
    rows += [row(one.title, one.values, nothing) for one in settings(plans)]
    return rows


@dataclass(frozen=True, slots=True)
class TimeRow:
    """A step's time in each plan, and how much longer a token takes than in the baseline."""

    title: str
    values: tuple[str, ...]
    against: tuple[str, ...]
    by: str = ""
    """Such as `` a token`` where steps take in different amounts."""


def step_times(plans: Sequence[Compared], baseline: int = 0) -> TimeRow | None:
    """The time of a step in each plan; None where it is known of none.

    Training and use are not compared: a token is not the same work in both.
    """
    times = [None if one.estimate is None else one.estimate.time for one in plans]
    if not any(times):
        return None
    units = {(one.units, one.unit) for one in times if one is not None}
    title, by = "Step", ""
    if len(units) == 1:
        ((count, unit),) = units
        title = f"Step, {format_count(count)} {unit}"
    elif len({unit for _, unit in units}) == 1:
        by = f" a {next(iter(units))[1].removesuffix('s')}"
        title = f"Step; difference is that of{by}"
    against = tuple(_slower(one.estimate, plans[baseline].estimate) for one in plans)
    values = tuple(NOTHING if one is None else words.seconds(one.seconds) for one in times)
    return TimeRow(title, values, against, by)


def _slower(own: Estimate | None, other: Estimate | None) -> str:
    if own is None or other is None or own.time is None or other.time is None:
        return ""
    if own.plan.inference.use != other.plan.inference.use:
        return ""
    return words.slower(own.time, other.time)


def peak_difference(plans: Sequence[Compared], place: int, baseline: int) -> str:
    """How much more a plan takes than the baseline, as printed; empty where not known."""
    own, other = plans[place].estimate, plans[baseline].estimate
    if own is None or other is None:
        return ""
    after, before = whole_peak_bytes(own), whole_peak_bytes(other)
    return "same" if after == before else format_difference(after, before)
