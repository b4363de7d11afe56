"""Bits within a budget: never above it, and close to the exact optimum."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.errors import PlanError
from memplanner.messages.sensitivity import BitsChoice, LayerSensitivity, Sensitivity
from memplanner.techniques.bit_assignment import (
    Option,
    assign_bits,
    exact_choice,
    greedy_choice,
)

BITS = (16, 8, 4, 3, 2)


def total(options: list[list[Option]], places: list[int]) -> tuple[int, float]:
    taken = [row[place] for row, place in zip(options, places, strict=True)]
    return sum(each.size_bytes for each in taken), sum(each.error for each in taken)


@st.composite
def layers(draw: st.DrawFn, most: int = 5) -> list[list[Option]]:
    """Of layers of several sizes, whose errors rise as bits go, most of them at least."""
    rows = []
    for _ in range(draw(st.integers(1, most))):
        weights = draw(st.integers(1, 40)) * 8
        scale = draw(st.floats(1e-6, 1.0))
        errors = sorted(draw(st.lists(st.floats(0, 1), min_size=5, max_size=5)))
        if draw(st.booleans()):
            errors = draw(st.permutations(errors))
        rows.append(
            [
                Option(weights * bits // 8, scale * error)
                for bits, error in zip(BITS, errors, strict=True)
            ]
        )
    return rows


def bounds(options: list[list[Option]]) -> tuple[int, int]:
    return (
        sum(min(each.size_bytes for each in row) for row in options),
        sum(max(each.size_bytes for each in row) for row in options),
    )


@settings(deadline=None)  # the solver is imported in the first call
@given(layers(), st.floats(0, 1))
def test_no_budget_is_exceeded_and_nothing_beats_the_exact_choice(
    options: list[list[Option]], share: float
) -> None:
    least, most = bounds(options)
    budget = least + int(share * (most - least))
    best = min(
        total(options, list(places))[1]
        for places in product(*(range(len(row)) for row in options))
        if total(options, list(places))[0] <= budget
    )
    greedy_bytes, greedy_error = total(options, greedy_choice(options, budget))
    exact_bytes, exact_error = total(options, exact_choice(options, budget))
    assert greedy_bytes <= budget
    assert exact_bytes <= budget
    assert exact_error == pytest.approx(best, rel=1e-6, abs=1e-6)
    assert greedy_error >= best - 1e-12


def of_many_layers(seed: int, count: int = 60) -> list[list[Option]]:
    """Errors that fall by some four a bit, from a weight that differs a thousandfold."""
    import random

    drawn = random.Random(seed)  # noqa: S311  (no secret)
    rows = []
    for _ in range(count):
        weights = drawn.choice([192, 576, 1536]) * 576
        weight = 10 ** drawn.uniform(-3, 0)
        rows.append(
            [
                Option(
                    weights * bits // 8,
                    0.0 if bits == 16 else weight * drawn.uniform(3, 5) ** -bits,
                )
                for bits in BITS
            ]
        )
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_greedy_is_within_a_percent_of_the_exact_choice_of_many_layers(seed: int) -> None:
    options = of_many_layers(seed)
    least, most = bounds(options)
    for share in (0.05, 0.1, 0.2, 0.4):
        budget = least + int(share * (most - least))
        _, greedy = total(options, greedy_choice(options, budget))
        _, exact = total(options, exact_choice(options, budget))
        assert exact <= greedy * (1 + 1e-6)
        assert greedy <= 1.01 * exact


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100))
def test_the_error_falls_as_the_budget_grows(seed: int) -> None:
    """The exact one always; greedily it may rise by what is left of a budget."""
    options = of_many_layers(seed, 12)
    least, most = bounds(options)
    errors = [
        total(options, exact_choice(options, least + step * (most - least) // 6))[1]
        for step in range(7)
    ]
    assert all(after <= before + 1e-7 for before, after in pairwise(errors))
    assert errors[-1] == 0


def sensitivity(**changes: object) -> Sensitivity:
    def layer(name: str, error: float) -> LayerSensitivity:
        rows = (("16", 200, 0.0), ("8", 104, error / 100), ("4", 56, error))
        return LayerSensitivity(
            name=name,
            weights=100,
            choices=tuple(
                BitsChoice(value=value, size_bytes=size, output_error=rise, loss_rise=rise)
                for value, size, rise in rows
            ),
        )

    values: dict[str, object] = {
        "data": "a text",
        "unit": "tokens",
        "count": 10,
        "loss": 1.0,
        "other_bytes": 1000,
        "layers": tuple(layer(f"layers.{i}.up", 0.1 * (i + 1)) for i in range(4)),
        "seconds": 1.0,
    }
    return Sensitivity.model_validate(values | changes)


def test_the_budget_is_that_of_the_whole_model() -> None:
    found = assign_bits(sensitivity(), 1000 + 104 + 3 * 56)
    assert found.values["layers.3.up"] == "8"
    assert found.size_bytes == 1000 + 104 + 3 * 56
    assert found.per_layer == ("layers.*.up=4", "layers.3.up=8")
    assert found.error == pytest.approx(0.1 + 0.2 + 0.3 + 0.004)


def test_output_errors_are_summed_squared_where_there_is_no_loss() -> None:
    layers = tuple(
        layer.model_copy(
            update={
                "choices": tuple(
                    each.model_copy(update={"loss_rise": None}) for each in layer.choices
                )
            }
        )
        for layer in sensitivity().layers
    )
    found = assign_bits(sensitivity(layers=layers, loss=None), 1000 + 4 * 56)
    assert found.error == pytest.approx(0.01 + 0.04 + 0.09 + 0.16)


def test_too_small_a_budget_is_refused_with_what_is_needed() -> None:
    with pytest.raises(PlanError) as error:
        assign_bits(sensitivity(), 1200)
    assert str(error.value) == (
        "1 KiB do not hold the model: with the fewest bits its weights take 1 KiB; allow that, or "
        "choose quantization.layers=all."
    )
