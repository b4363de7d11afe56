"""What the budget bar says in words and numbers."""

from __future__ import annotations

from memplanner.units import format_bytes
from memplanner_ui.language import of_plan, translate
from memplanner_ui.views.parts import (
    PARTS,
    Budget,
    distance,
    exact,
    lower,
    plain_number,
    shown,
    title_of,
)


def legend(budget: Budget) -> list[tuple[str, str]]:
    """Names of the parts with their numbers as printed; parts of nothing are left out."""
    numbers = shown(budget.parts, budget.peak_bytes)
    entries = [
        (name, plain_number(number, budget.peak_bytes))
        for name, number, size in zip(PARTS, numbers, budget.parts, strict=True)
        if size
    ]
    if budget.free_bytes and budget.capacity_bytes:
        free = distance(budget.capacity_bytes, budget.peak_bytes)
        unit = format_bytes(budget.peak_bytes).split(" ")[-1]
        entries.append(("free", free.removesuffix(f" {unit}")))
    return entries


def capacity_words(size_bytes: float, *, on_cpu: bool) -> str:
    """The words at any line that stands for all memory there is."""
    size = format_bytes(round(size_bytes))
    if on_cpu:
        return translate("Views", "memory {size}").format(size=size)
    return translate("Views", "card {size}").format(size=size)


def capacity_label(budget: Budget) -> str:
    """The words at the capacity line: ``card 79.6 GiB``, ``memory 15.6 GiB`` on the CPU."""
    return capacity_words(budget.capacity_bytes or 0, on_cpu=budget.on_cpu)


def part_tip(budget: Budget, index: int) -> str:
    """The tool tip of one part, with what overhead is made of."""
    name, size = PARTS[index], budget.parts[index]
    title = translate("Views", "Other processes") if name == "other" else title_of(name)
    lines = [f"{title}: {format_bytes(size)}", exact(size)]
    if name == "overhead":
        lines += [f"{of_plan(part)}: {format_bytes(inside)}" for part, inside in budget.overhead]
    return "\n".join(lines)


def free_tip(budget: Budget) -> str:
    """The tool tip of what is left, to the byte."""
    free = translate("Views", "Free at the peak: {free}").format(
        free=format_bytes(budget.free_bytes)
    )
    return f"{free}\n{exact(budget.free_bytes)}"


def margin_tip(budget: Budget) -> str:
    """The tool tip of the whisker: the margin, and where its width comes from."""
    if budget.margin_bytes is None:
        return ""
    low, high = budget.margin_bytes
    likely = translate("Views", "Likely {low} to {high}").format(
        low=format_bytes(low), high=format_bytes(high)
    )
    return f"{likely}\n{budget.margin_source}"


def description(budget: Budget) -> str:
    """The bar as words: value, limit and parts."""
    limit = budget.capacity_bytes
    head = translate("Views", "Peak {peak} on {device}")
    if limit:
        head = translate("Views", "Peak {peak} of {limit} on {device}")
    head = head.format(
        peak=format_bytes(budget.peak_bytes), limit=format_bytes(limit or 0), device=budget.device
    )
    if budget.margin_bytes is not None:
        low, high = budget.margin_bytes
        head += translate("Views", ", likely {low} to {high}").format(
            low=format_bytes(low), high=format_bytes(high)
        )
    numbers = zip(PARTS, shown(budget.parts, budget.peak_bytes), budget.parts, strict=True)
    said = [
        f"{lower(title_of(name))} {format_bytes(number)}" for name, number, size in numbers if size
    ]
    if limit and budget.free_bytes:
        said.append(
            translate("Views", "free {size}").format(size=distance(limit, budget.peak_bytes))
        )
    return f"{head}: {', '.join(said)}"
