"""Bits for each layer under a budget of bytes, by what each layer loses: pure arithmetic.

Each layer takes one of a few choices; the sum of their errors is to be least while the sum of
their bytes stays within the budget: a multiple-choice knapsack (Kellerer, Pferschy and Pisinger,
Knapsack Problems, 2004, chapter 11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from memplanner.errors import PlanError
from memplanner.messages.sensitivity import BitAssignment, BitsChoice, LayerSensitivity, Sensitivity
from memplanner.plan.per_layer import compact
from memplanner.units import format_bytes


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of one layer."""

    size_bytes: int
    error: float


Options = Sequence[Sequence[Option]]
"""For each layer its choices."""


def assign_bits(
    sensitivity: Sensitivity, budget_bytes: int, *, exact: bool = False
) -> BitAssignment:
    """The choice for each layer with which the whole model's parameters and buffers fit.

    Greedy on error per byte saved, from the largest choices downwards; ``exact`` solves the
    integer program instead. Raises ``PlanError`` where the smallest choices are still too large.
    """
    options = [
        [Option(each.size_bytes, error_of(each)) for each in layer.choices]
        for layer in sensitivity.layers
    ]
    least_bytes = sensitivity.other_bytes + sum(
        min(each.size_bytes for each in row) for row in options
    )
    if least_bytes > budget_bytes:
        raise PlanError(
            f"{format_bytes(budget_bytes)} do not hold the model: with the fewest bits its weights "
            f"take {format_bytes(least_bytes)}; allow that, or choose quantization.layers=all."
        )
    solve = exact_choice if exact else greedy_choice
    places = solve(options, budget_bytes - sensitivity.other_bytes)
    chosen = {
        layer.name: layer.choices[place]
        for layer, place in zip(sensitivity.layers, places, strict=True)
    }
    return assignment(sensitivity.layers, sensitivity.other_bytes, chosen)


def assignment(
    layers: Sequence[LayerSensitivity], other_bytes: int, chosen: Mapping[str, BitsChoice]
) -> BitAssignment:
    """The message for a choice of each layer."""
    values = {layer.name: chosen[layer.name].value for layer in layers}
    return BitAssignment(
        values=values,
        per_layer=compact(values),
        size_bytes=other_bytes + sum(each.size_bytes for each in chosen.values()),
        error=sum(error_of(each) for each in chosen.values()),
    )


def error_of(choice: BitsChoice) -> float:
    """What is summed: the expected rise of the loss, else the squared output error."""
    return choice.output_error**2 if choice.loss_rise is None else choice.loss_rise


def greedy_choice(options: Options, budget_bytes: int) -> list[int]:
    """The place of each layer's choice. The smallest choices must fit in ``budget_bytes``.

    Steps down each layer's lower convex hull, always where a byte saved costs least error, until
    all fits; then steps that turned out not to be needed are taken back, and what is left of the
    budget is spent where it lessens the error most.
    """
    hulls = [_hull(row) for row in options]
    at = [0] * len(hulls)
    size_bytes = sum(row[hull[0]].size_bytes for row, hull in zip(options, hulls, strict=True))
    waiting = [
        (_price(row[hull[0]], row[hull[1]]), layer)
        for layer, (row, hull) in enumerate(zip(options, hulls, strict=True))
        if len(hull) > 1
    ]
    heapify(waiting)
    while size_bytes > budget_bytes:
        _, layer = heappop(waiting)
        row, hull = options[layer], hulls[layer]
        at[layer] += 1
        size_bytes -= row[hull[at[layer] - 1]].size_bytes - row[hull[at[layer]]].size_bytes
        if at[layer] + 1 < len(hull):
            price = _price(row[hull[at[layer]]], row[hull[at[layer] + 1]])
            heappush(waiting, (price, layer))
    places = [hull[place] for hull, place in zip(hulls, at, strict=True)]
    return _spent(options, places, budget_bytes - size_bytes)


def exact_choice(options: Options, budget_bytes: int) -> list[int]:
    """The place of each layer's choice with the least error, by HiGHS (``scipy.optimize.milp``).

    The solver stops within a millionth of the largest single error; what it leaves of the budget
    is spent.
    """
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    layers = np.concatenate([np.full(len(row), layer) for layer, row in enumerate(options)])
    flat = [option for row in options for option in row]
    errors = np.array([option.error for option in flat])
    sizes = np.array([option.size_bytes for option in flat], dtype=float)
    one_each = csr_array((np.ones(len(flat)), (layers, np.arange(len(flat)))))
    unit = errors.max() or 1.0  # the solver's tolerances are absolute
    solved = milp(
        errors / unit,
        integrality=np.ones(len(flat)),
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(sizes[None] / max(budget_bytes, 1), ub=1),
        ],
        options={"mip_rel_gap": 0.0},
    )
    if solved.x is None:
        raise PlanError(
            f"The choice of bits has no solution ({solved.message}); allow a larger budget."
        )
    taken = np.flatnonzero(solved.x > 0.5)
    starts = np.cumsum([0, *(len(row) for row in options)])
    places = [int(place - starts[layers[place]]) for place in taken]
    size_bytes = sum(row[place].size_bytes for row, place in zip(options, places, strict=True))
    if size_bytes > budget_bytes:  # by less than the solver's tolerance
        return greedy_choice(options, budget_bytes)
    return _spent(options, places, budget_bytes - size_bytes)


def _hull(row: Sequence[Option]) -> list[int]:
    """The places of the choices on the lower convex hull of (bytes, error), the largest first.

    Choices that cost more than a mix of two others are left out, so prices along it rise.
    """
    ordered = sorted(range(len(row)), key=lambda place: (row[place].error, row[place].size_bytes))
    hull: list[int] = []
    for place in ordered:
        if hull and row[place].size_bytes >= row[hull[-1]].size_bytes:
            continue
        while len(hull) > 1 and _price(row[hull[-2]], row[hull[-1]]) >= _price(
            row[hull[-1]], row[place]
        ):
            hull.pop()
        hull.append(place)
    return hull


def _price(large: Option, small: Option) -> float:
    """Error for each byte saved."""
    return (small.error - large.error) / (large.size_bytes - small.size_bytes)


def _spent(options: Options, places: list[int], spare_bytes: int) -> list[int]:
    """Steps up, the one that lessens the error most first, as long as one fits."""
    while True:
        best: tuple[float, int, int] | None = None
        for layer, (row, place) in enumerate(zip(options, places, strict=True)):
            for other, option in enumerate(row):
                gain = row[place].error - option.error
                fits = option.size_bytes - row[place].size_bytes <= spare_bytes
                if fits and gain > 0 and (best is None or gain > best[0]):
                    best = (gain, layer, other)
        if best is None:
            return places
        _, layer, other = best
        spare_bytes -= options[layer][other].size_bytes - options[layer][places[layer]].size_bytes
        places[layer] = other
