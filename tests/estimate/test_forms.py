"""Sizes computed from forms are the sizes that a recording at that batch and sequence has."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.estimate.forms import FORMS, Forms, fit, other_point
from memplanner.estimate.recorder import Recorder
from memplanner.tape.tape import Tape
from memplanner.techniques.target import Target
from tests.estimate.recordings import (
    CPU,
    H100,
    differences,
    planned,
    recipe,
    record_whole,
    tiny,
)

SHALLOW = {"num_hidden_layers": 2}
FORMED: dict[str, tuple[Any, dict[str, Any], Target]] = {
    "llama in mixed precision": (tiny("llama", **SHALLOW), {"precision": "bf16_mixed"}, H100),
    "gpt2 eager": (
        tiny("gpt2", n_layer=2, n_positions=4096), {"attention__kernel": "eager"}, CPU
    ),
    "bert": (tiny("bert", **SHALLOW), {"training__gradient_accumulation_steps": 2}, H100),
    "t5": (
        tiny("t5", num_layers=3, num_decoder_layers=3),
        {"activation_checkpointing__policy": "full"},
        H100,
    ),
    "vit": (tiny("vit", **SHALLOW), {}, H100),
    "mixtral": (tiny("mixtral", **SHALLOW), {}, H100),
    "gemma2": (tiny("gemma2", **SHALLOW), {}, H100),
}  # fmt: skip
_recorders = {name: Recorder(model) for name, (model, _, _) in FORMED.items()}


def check(name: str, batch_size: int, sequence_length: int) -> None:
    model, values, target = FORMED[name]
    plan = planned(batch_size, sequence_length, **values)
    tape, _ = _recorders[name].tape(plan, target)
    assert differences(tape, record_whole(model, plan, target)) == []


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(sorted(FORMED)),
    st.integers(1, 9),
    st.one_of(st.integers(1, 40), st.sampled_from([16, 17, 64, 100, 128, 257])),
)
def test_a_tape_at_any_point_is_the_one_recorded_there(
    name: str, batch_size: int, sequence_length: int
) -> None:
    check(name, batch_size, sequence_length)


@pytest.mark.parametrize("name", sorted(FORMED))
def test_one_and_several_samples(name: str) -> None:
    """With one sample some code takes other ways; what held for two says nothing about it."""
    for batch_size in (2, 1, 3):
        check(name, batch_size, 24)


@pytest.mark.parametrize("name", ["mistral", "gemma2"])
@pytest.mark.parametrize("first", [12, 20])
def test_both_sides_of_a_sliding_window(name: str, first: int) -> None:
    records = Recorder(tiny(name, **SHALLOW))
    for length in (first, 15, 16, 17, 18, 40):
        plan = planned(2, length, precision="bf16")
        tape, _ = records.tape(plan, H100)
        assert differences(tape, record_whole(tiny(name, **SHALLOW), plan, H100)) == []


def test_lengths_without_a_second_length_to_compare() -> None:
    """Twelve positions leave no room for a recording far from the first one."""
    model = tiny("gpt2", n_layer=1, n_positions=12)
    records = Recorder(model)
    for batch_size, length in ((2, 6), (2, 10), (3, 12), (1, 6), (1, 10)):
        plan = planned(batch_size, length)
        tape, _ = records.tape(plan, H100)
        assert differences(tape, record_whole(model, plan, H100)) == []


def test_models_that_pad_the_sequence() -> None:
    model = tiny("mamba2")
    records = Recorder(model)
    for batch_size, length in ((2, 17), (2, 20), (2, 40), (3, 33)):
        plan = planned(batch_size, length)
        tape, _ = records.tape(plan, H100)
        assert differences(tape, record_whole(model, plan, H100)) == []


TRIANGLE = """
import torch
from torch import nn


class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(4, 8)

    def forward(self, x):
        x = self.embed(x)
        {forward}
        return x.square().sum()


def model():
    return Pairs()


def batch(batch_size, sequence_length):
    return {{"x": torch.randn(batch_size, sequence_length, 4)}}
"""


@pytest.mark.parametrize(
    "forward",
    [
        "i, j = torch.tril_indices(x.shape[1], x.shape[1], device=x.device)\n"
        "        x = (x @ x.mT)[:, i, j]",
        "x = x[:, : x.shape[1] // 2] * 2.0",
        "x = x[:, :10] * 2.0",
        "x = torch.cat([x, x], 1) if x.shape[1] > 30 else x",
        "x = x * 3.0 if x.shape[0] > 4 else x",
    ],
    ids=["pairs", "half", "at most ten", "more when long", "more when many"],
)
def test_a_users_own_code_may_follow_no_form(forward: str, tmp_path: Path) -> None:
    model = recipe(tmp_path, TRIANGLE.format(forward=forward))
    records = Recorder(model)
    for batch_size, length in ((2, 12), (2, 13), (3, 16), (2, 8), (6, 12), (2, 31), (2, 40)):
        plan = planned(batch_size, length)
        tape, _ = records.tape(plan, CPU)
        assert differences(tape, record_whole(model, plan)) == []


def test_pairs_are_formless_and_lines_are_not(tmp_path: Path) -> None:
    whole = record_whole(tiny("llama", **SHALLOW), planned(2, 12), H100)
    longer = record_whole(tiny("llama", **SHALLOW), planned(3, 25), H100)
    assert fit(whole, (2, 12), longer, (3, 25)) is not None

    i_and_j = "i, j = torch.tril_indices(x.shape[1], x.shape[1], device=x.device)\n"
    model = recipe(tmp_path, TRIANGLE.format(forward=i_and_j + "        x = (x @ x.mT)[:, i, j]"))
    pairs = record_whole(model, planned(2, 12))
    more_pairs = record_whole(model, planned(3, 25))
    assert fit(pairs, (2, 12), more_pairs, (3, 25)) is None


points = st.tuples(st.integers(1, 64), st.integers(1, 4096))


@given(points)
def test_the_second_point_tells_all_forms_apart(point: tuple[int, int]) -> None:
    other = other_point(*point, lambda batch, length: True)
    ratios = [
        Fraction(form.value(*other), form.value(*point))
        for form in FORMS
        if form.value(*point) and form.tells(point[1], other[1])
    ]
    assert len(set(ratios)) == len(ratios)


@given(points, points)
def test_forms_give_back_both_tapes_they_were_made_of(
    point: tuple[int, int], asked: tuple[int, int]
) -> None:
    constants = np.arange(1, len(FORMS) + 1) * 4
    made_up = Forms(np.arange(len(FORMS)), constants)
    sizes = made_up.sizes_bytes(*asked)
    assert sizes.tolist() == [
        form.value(*asked) * constant for form, constant in zip(FORMS, constants, strict=True)
    ]
    assert made_up.sizes_bytes(*point).min() >= 0


def test_what_was_recorded_at_one_point_is_not_asked_again() -> None:
    records = Recorder(tiny("llama", **SHALLOW))
    plan = planned(3, 20)
    first: Tape = records.tape(plan, H100)[0]
    assert records.tape(plan, H100)[0] is first
    assert records.exact(plan, H100) is first
    shapes = records.exact(planned(4, 33), H100).module_shapes
    assert any((4, 33, 16) in inputs for inputs, _ in shapes.values())
