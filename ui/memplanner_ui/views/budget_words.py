"""What the budget bar says in words and numbers."""

from __future__ import annotations

from memplanner.units import format_bytes
from memplanner_ui.views.parts import (
    PARTS,
    TITLES,
    Budget,
    distance,
    exact,
    lower,
    plain_number,
    shown,
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


def capacity_label(budget: Budget) -> str:
    """The words at the capacity line: ``card 79.6 GiB``, ``memory 15.6 GiB`` on the CPU."""
    name = "memory" if budget.on_cpu else "card"
    return f"{name} {format_bytes(budget.capacity_bytes or 0)}"


def part_tip(budget: Budget, index: int) -> str:
    """The tool tip of one part, with what overhead is made of."""
    name, size = PARTS[index], budget.parts[index]
    title = "Other processes" if name == "other" else TITLES[name]
    lines = [f"{title}: {format_bytes(size)}", exact(size)]
    if name == "overhead":
        lines += [f"{part}: {format_bytes(inside)}" for part, inside in budget.overhead]
    return "\n".join(lines)


def free_tip(budget: Budget) -> str:
    """The tool tip of what is left, to the byte."""
    return f"Free at the peak: {format_bytes(budget.free_bytes)}\n{exact(budget.free_bytes)}"


def margin_tip(budget: Budget) -> str:
    """The tool tip of the whisker: the margin, and where its width comes from."""
    if budget.margin_bytes is None:
        return ""
    low, high = budget.margin_bytes
    return f"Likely {format_bytes(low)} to {format_bytes(high)}\n{budget.margin_source}"


def description(budget: Budget) -> str:
    """The bar as words: value, limit and parts."""
    limit = budget.capacity_bytes
    head = f"Peak {format_bytes(budget.peak_bytes)}"
    head += f" of {format_bytes(limit)} on {budget.device}" if limit else f" on {budget.device}"
    if budget.margin_bytes is not None:
        low, high = budget.margin_bytes
        head += f", likely {format_bytes(low)} to {format_bytes(high)}"
    numbers = zip(PARTS, shown(budget.parts, budget.peak_bytes), budget.parts, strict=True)
    said = [
        f"{lower(TITLES[name])} {format_bytes(number)}" for name, number, size in numbers if size
    ]
    if limit and budget.free_bytes:
        said.append(f"free {distance(limit, budget.peak_bytes)}")
    return f"{head}: {', '.join(said)}"
