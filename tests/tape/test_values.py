"""Answers for models that ask a weightless tensor for its value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from memplanner.tape.record import MetaWatch
from memplanner.tape.tape import Tape
from tests.estimate.recordings import CPU, H100, planned, recipe, record_whole

META = torch.device("meta")
Step = Callable[[torch.Tensor], torch.Tensor]

STEPS: dict[str, Step] = {
    "plus 3": lambda x: x + 3,
    "times 2": lambda x: x * 2,
    "less 7": lambda x: x - 7,
    "modulo 4": lambda x: x % 4,
    "cumulative": lambda x: x.cumsum(0),
    "flipped": lambda x: x.flip(0),
    "clamped": lambda x: x.clamp(1, 6),
    "as a row": lambda x: x[None, :].expand(2, -1).reshape(-1),
    "larger": lambda x: (x > x.flip(0)).long(),
    "even": lambda x: torch.where(x % 2 == 0, x, torch.zeros_like(x)),
    "as int": lambda x: x.int(),
    "pairs": lambda x: (x[:, None] >= x[None, :]).long().sum(1),
    "last": lambda x: x[-3:],
}


def watch() -> MetaWatch:
    return MetaWatch(nn.Linear(1, 1), CPU)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.lists(st.sampled_from(sorted(STEPS)), max_size=5))
def test_what_follows_from_constants_is_computed(length: int, steps: list[str]) -> None:
    def run(device: torch.device) -> list[Any]:
        x = torch.arange(length, device=device)
        for step in steps:
            x = STEPS[step](x)
        return [x.sum().item(), x.max().item(), bool((x > 2).any()), bool((x == x[0]).all())]

    with watch() as seen:
        answers = run(META)
    assert answers == run(torch.device("cpu"))
    assert not seen.values.guessed


def test_nothing_is_computed_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import memplanner.tape.values as values

    computed: list[Any] = []
    real = values._Value.compute

    def counted(value: Any) -> torch.Tensor:
        computed.append(value)
        return real(value)

    monkeypatch.setattr(values._Value, "compute", counted)
    with watch():
        x = torch.arange(10, device=META) + 1
        assert computed == []
        assert x.sum().item() == 55
    assert computed


def test_values_keep_no_storage_alive() -> None:
    with watch() as seen:
        x = torch.arange(1000, device=META)
        y = x + 1
        del x
        assert seen.live_bytes == 8000
        assert y.max().item() == 1000
        assert seen.live_bytes == 8000


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: (torch.rand(4, device=META) > 0.5).any(), False),
        (lambda: (torch.rand(4, device=META) > 0.5).all(), True),
        (lambda: torch.rand(4, device=META).sum(), 1.0),
        (lambda: torch.randint(4, 5, (4,), device=META).max(), 4),
        (lambda: torch.rand(4, device=META).topk(1)[1].max() // 4, 0),
        (lambda: (torch.rand(8, device=META) < 2).sum(), 8),
        (lambda: torch.rand(4, device=META).isnan().sum(), 0),
    ],
    ids=["any", "all", "a float", "an integer", "a choice", "a count", "a check"],
)
def test_what_depends_on_data_is_guessed_and_said(make: Step, expected: Any) -> None:
    with watch() as seen:
        answer = make().item()  # type: ignore[call-arg]  # nothing is handed to it
    assert answer == expected
    assert type(answer) is type(expected)
    assert seen.values.guessed


def test_a_change_in_place_is_followed() -> None:
    with watch() as seen:
        x = torch.arange(4, device=META)
        before = x + 0
        assert x.add_(10).sum().item() == 46
        assert x.mul_(2).max().item() == 26
        assert x.max().item() == 26
        assert before.max().item() == 3
    assert not seen.values.guessed


def test_a_change_through_a_view_makes_the_whole_unknown() -> None:
    with watch() as seen:
        x = torch.zeros(3, dtype=torch.int64, device=META)
        view = x[1:]
        x[1] = 5
        for part in (x, view, x[:2]):
            seen.values.guessed.clear()
            part.max().item()
            assert seen.values.guessed


BRANCHING = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x, mask):
        x = self.layer(x)
        {forward}
        return x.sum()


def model():
    return Net()


def batch(batch_size, sequence_length):
    return {{
        "x": torch.randn(batch_size, sequence_length, 8),
        "mask": torch.ones(batch_size, sequence_length, dtype=torch.int64),
    }}
"""


def shapes(tape: Tape) -> set[tuple[int, ...]]:
    return {info.shape for info in tape.storages}


def record_branching(folder: Path, forward: str, **values: Any) -> Tape:
    model = recipe(folder, BRANCHING.format(forward=forward))
    return record_whole(model, planned(2, 9, **values), H100)


def test_a_length_that_follows_from_positions_is_the_real_one(tmp_path: Path) -> None:
    tape = record_branching(
        tmp_path,
        "positions = torch.arange(x.shape[1], device=x.device)\n"
        "        x = x[:, : int((positions < 5).sum())] * 2.0",
    )
    assert (2, 5, 8) in shapes(tape)
    assert tape.notes == ()


def test_a_branch_on_data_takes_the_usual_way_and_says_so(tmp_path: Path) -> None:
    tape = record_branching(tmp_path, "x = x if x.isfinite().all() else x.repeat(3, 1, 1)")
    assert (6, 9, 8) not in shapes(tape)
    assert tape.notes == ("The model branches on its data; the usual branch was taken.",)
