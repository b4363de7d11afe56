"""A dry run says what a run would do, refuses what a run refuses, and does nothing."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from memplanner.errors import RunError
from memplanner.hardware import find_device
from memplanner.history import default_path
from memplanner.messages.intention import RunIntention
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.run.intention import intention
from memplanner.run.process import apply
from tests.terminal import memplanner

SMALL = {"training.batch_size": 1, "training.sequence_length": 16, "precision": "fp32"}


def test_it_names_what_would_be_taken_read_and_written_and_starts_nothing(tmp_path: Path) -> None:
    model, plan = load("preset:smollm2-135m"), Plan().with_values(SMALL)
    text, history = tmp_path / "text.txt", tmp_path / "history.db"
    text.write_text("words " * 50, encoding="utf-8")
    children = psutil.Process().children()
    said = intention(model, plan, "cpu", steps=4, data=str(text), history=history)
    assert psutil.Process().children() == children
    assert not history.exists()
    assert (said.steps, said.processes) == (4, 1)
    assert said.reads == (model.source, str(text))
    assert said.writes == (str(history),)
    assert said.limit_bytes is not None
    assert said.predicted.allocated_bytes < said.limit_bytes
    words = " ".join(said.sentences)
    for part in (str(text), str(history), "4 steps", model.name, "left as they are"):
        assert part in words


def test_ranks_share_what_is_free() -> None:
    plan = Plan().with_values({**SMALL, "sharding.cards_per_node": 2})
    said = intention(load("preset:smollm2-135m"), plan, "cpu")
    assert said.processes == 3
    assert "2 ranks, each a process" in said.sentences[0]


@pytest.mark.parametrize("steps", [0, 2])
def test_what_a_run_refuses_a_dry_run_refuses_in_the_same_words(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = find_device("cpu").model_copy(update={"memory_bytes": 2**28, "used_bytes": 0})
    model, plan = load("preset:smollm2-135m"), Plan().with_values(SMALL)
    with pytest.raises(RunError) as refused:
        apply(model, plan, small, steps=steps)
    with pytest.raises(RunError) as said:
        intention(model, plan, small, steps=steps)
    assert str(said.value) == str(refused.value)
    forced = steps and intention(model, plan, small, steps=steps, force=True)
    assert not forced or forced.steps == steps


def test_the_terminal_prints_sentences_or_json(tmp_path: Path) -> None:
    command = ["apply", "preset:smollm2-135m", "--device", "cpu", "--dry-run", "--steps", "2"]
    for key, value in SMALL.items():
        command += ["--set", f"{key}={value}"]
    printed = memplanner(*command).stdout
    assert printed.splitlines()[0].startswith("Runs 2 steps of smollm2-135m on ")
    said = RunIntention.model_validate_json(memplanner(*command, "--json").stdout)
    lines = printed.splitlines()
    assert len(said.sentences) == len(lines)
    free = "is what is free now"  # which another program may have changed in between
    pairs = zip(said.sentences, lines, strict=True)
    assert all(first == second or free in first for first, second in pairs)
    assert said.writes == (str(default_path()),)
