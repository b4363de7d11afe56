"""The tape of one steady step: categories, what stands at its start, what it leaves."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from memplanner.messages.estimate import CATEGORIES
from memplanner.tape import tape as kinds
from memplanner.tape.tape import Tape
from memplanner.techniques.target import Target
from tests.estimate.recordings import CPU, H100, planned, recipe, record_whole, tiny

NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 16), nn.Linear(16, 4, bias=False)
        self.register_buffer("scale", torch.ones(16))

    def forward(self, x):
        return {"loss": self.second(self.first(x).relu() * self.scale).square().sum()}


def model():
    return Net()


def batch(batch_size, sequence_length):
    return {"x": torch.randn(batch_size, sequence_length, 8)}
"""
PARAMETERS = 8 * 16 + 16 + 16 * 4


def by_category(tape: Tape, event: int) -> dict[str, int]:
    """Bytes alive after an event."""
    storages = np.abs(tape.events[: event + 1]) - 1
    signed = tape.deltas_bytes[: event + 1]
    sums = np.bincount(tape.category[storages], weights=signed, minlength=len(CATEGORIES))
    return dict(zip(CATEGORIES, sums.astype(int).tolist(), strict=True))


def at_load(tape: Tape) -> dict[str, int]:
    return by_category(tape, tape.phases[0].stop - 1)


def record_net(folder: Path, target: Target = CPU, **values: Any) -> Tape:
    return record_whole(recipe(folder, NET), planned(3, 5, **values), target)


def test_every_category_is_what_it_is_for(tmp_path: Path) -> None:
    tape = record_net(tmp_path)
    load = at_load(tape)
    assert load["parameters"] == PARAMETERS * 4
    assert load["optimizer_state"] == 2 * PARAMETERS * 4 + 3 * 4  # and a step counter each
    assert load["buffers"] == 16 * 4
    assert load["inputs"] == 3 * 5 * 8 * 4
    assert load["gradients"] == load["activations"] == load["temporaries"] == 0
    end_of_backward = next(span.stop for span in tape.phases if span.phase == "backward") - 1
    assert by_category(tape, end_of_backward)["gradients"] == PARAMETERS * 4


def test_step_counters_are_not_on_the_card(tmp_path: Path) -> None:
    load = at_load(record_net(tmp_path, H100, optimizer__implementation="for_loop"))
    assert load["optimizer_state"] == 2 * PARAMETERS * 4


@pytest.mark.parametrize(
    ("optimizer", "states"),
    [("adam", 2), ("sgd", 0), ("rmsprop", 1), ("adagrad", 1)],
)
def test_the_state_is_that_of_the_second_step(optimizer: str, states: int, tmp_path: Path) -> None:
    tape = record_net(tmp_path, H100, optimizer__name=optimizer)
    assert at_load(tape)["optimizer_state"] == states * PARAMETERS * 4
    born_later = tape.events[tape.phases[0].stop :]
    born_later = born_later[born_later > 0] - 1
    assert not (tape.category[born_later] == kinds.OPTIMIZER_STATE).any()


def test_momentum_is_one_state(tmp_path: Path) -> None:
    tape = record_net(tmp_path, H100, optimizer__name="sgd", optimizer__momentum=0.9)
    assert at_load(tape)["optimizer_state"] == PARAMETERS * 4


LOOPS = list(
    product(
        ["before_forward", "before_backward", "after_step"],
        ["until_loss", "until_step_end", "until_next_output"],
        [1, 2],
    )
)


@pytest.mark.parametrize(("zero_grad", "outputs", "micro_batches"), LOOPS)
@pytest.mark.parametrize("implementation", ["for_loop", "foreach"])
def test_a_steady_step_leaves_what_it_found(
    zero_grad: str, outputs: str, micro_batches: int, implementation: str, tmp_path: Path
) -> None:
    tape = record_net(
        tmp_path, training__zero_grad=zero_grad, training__outputs=outputs,
        training__gradient_accumulation_steps=micro_batches,
        optimizer__implementation=implementation,
    )  # fmt: skip
    load, end = at_load(tape), by_category(tape, len(tape.events) - 1)
    assert end == load
    assert (load["gradients"] > 0) is (zero_grad == "before_backward")
    assert (load["activations"] > 0) is (outputs == "until_next_output")
    assert tape.curve_bytes.min() >= 0


@pytest.mark.parametrize(("zero_grad", "outputs", "micro_batches"), LOOPS)
def test_phases_follow_each_other(
    zero_grad: str, outputs: str, micro_batches: int, tmp_path: Path
) -> None:
    tape = record_net(
        tmp_path, training__zero_grad=zero_grad, training__outputs=outputs,
        training__gradient_accumulation_steps=micro_batches,
    )  # fmt: skip
    expected = [("load", 0)]
    for number in range(micro_batches):
        expected += [("forward", number), ("backward", number)]
    expected += [("optimizer_step", 0), ("between_steps", 0)]
    assert [(span.phase, span.micro_batch) for span in tape.phases] == expected
    assert tape.phases[0].start == 0
    assert tape.phases[-1].stop == len(tape.events)
    for before, after in zip(tape.phases, tape.phases[1:], strict=False):
        assert before.stop == after.start
    for span in tape.phases:
        if span.stop > span.start:
            assert tape.phase_at(span.start) == tape.phase_at(span.stop - 1) == span.phase


def test_gradients_live_where_the_loop_keeps_them(tmp_path: Path) -> None:
    def in_forward(zero_grad: str) -> int:
        tape = record_net(tmp_path, training__zero_grad=zero_grad)
        forward = next(span for span in tape.phases if span.phase == "forward")
        return by_category(tape, forward.start)["gradients"]

    assert in_forward("before_backward") == PARAMETERS * 4
    assert in_forward("after_step") == in_forward("before_forward") == 0


def test_accumulated_gradients_are_the_same_storages(tmp_path: Path) -> None:
    one = record_net(tmp_path)
    two = record_net(tmp_path, training__gradient_accumulation_steps=2)
    for tape in (one, two):
        assert int(tape.size_bytes[tape.category == kinds.GRADIENTS].sum()) >= PARAMETERS * 4
        end = [span.stop for span in tape.phases if span.phase == "backward"][-1] - 1
        assert by_category(tape, end)["gradients"] == PARAMETERS * 4


def test_activations_outlive_their_forward_and_temporaries_do_not(tmp_path: Path) -> None:
    tape = record_net(tmp_path)
    forward = next(span for span in tape.phases if span.phase == "forward")
    inside = tape.events[forward.start : forward.stop]
    born = set((inside[inside > 0] - 1).tolist())
    died = set((-inside[inside < 0] - 1).tolist())
    for storage in born:
        kept = tape.category[storage] == kinds.ACTIVATIONS
        assert kept is np.bool_(storage not in died)


def test_recomputed_tensors_are_activations() -> None:
    plan = planned(2, 6, activation_checkpointing__policy="full")
    tape = record_whole(tiny("llama", num_hidden_layers=2), plan, H100)
    backward = next(span for span in tape.phases if span.phase == "backward")
    born = tape.events[backward.start : backward.stop]
    categories = tape.category[born[born > 0] - 1]
    assert (categories == kinds.ACTIVATIONS).any()
    assert (categories == kinds.TEMPORARIES).any()


def test_tied_weights_count_once() -> None:
    tied = record_whole(tiny("gpt2", n_layer=1), planned(2, 6), H100)
    module = tiny("gpt2", n_layer=1).build(torch.device("meta"))
    own = sum(parameter.numel() for parameter in module.parameters())
    assert int(tied.numel.sum()) == own
    assert at_load(tied)["parameters"] == own * 4


def test_frozen_parameters_are_not_trained() -> None:
    plan = planned(2, 6, adapters__method="lora", adapters__rank=2)
    tape = record_whole(tiny("llama", num_hidden_layers=1), plan, H100)
    parameters = tape.category == kinds.PARAMETERS
    trained = int(tape.numel[tape.trainable].sum())
    assert 0 < trained < int(tape.numel.sum())
    assert (tape.trainable <= parameters).all()
    load = at_load(tape)
    assert load["optimizer_state"] == 2 * trained * 4


def test_storages_are_numbered_by_their_births(tmp_path: Path) -> None:
    tape = record_net(tmp_path)
    births = tape.events[tape.events > 0]
    assert births.tolist() == list(range(1, len(tape.size_bytes) + 1))
    assert tape.source.tolist() == list(range(len(tape.storages)))
    named = {tape.storages[index].operation for index in range(5)}
    assert named == {"first.weight", "first.bias", "second.weight", "buffer", "input"}
