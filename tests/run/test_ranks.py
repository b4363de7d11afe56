"""Sharded plans that really run, on CPU ranks: each test starts two processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import pytest
import torch

import memplanner as mp
from memplanner.history import History
from memplanner.messages.run import RunEvent, RunStarted
from memplanner.run import StopSignal
from tests.run.conftest import Run
from tests.run.recipes import write_recipe

pytestmark = pytest.mark.slow
Start = Callable[..., Run]


def _two(plan: mp.Plan, **changes: object) -> mp.Plan:
    return plan.with_values({"sharding.cards_per_node": 2, **changes})


@pytest.fixture(autouse=True)
def nothing_is_left(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No process, no port and no temporary file outlives a run."""
    folder, me = tmp_path_factory.mktemp("temporary"), psutil.Process()
    monkeypatch.setenv("TMPDIR", str(folder))
    # torch keeps what it compiled from one process to the next, and makes its folder on import
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
    processes = set(me.children(recursive=True))
    yield
    assert set(me.children(recursive=True)) <= processes
    assert not [link for link in me.net_connections() if link.status == psutil.CONN_LISTEN]
    assert list(folder.iterdir()) == []


def _process_ids(run: Run) -> list[int]:
    started = next(event for event in run.events if isinstance(event, RunStarted))
    found = [rank.process_id for rank in started.ranks]
    assert all(found)
    return [number for number in found if number is not None]


def test_replicas_take_what_was_predicted(
    run: Start, llama: Any, plan: mp.Plan, tmp_path: Path
) -> None:
    history = tmp_path / "history.db"
    done = run(llama, _two(plan), history=history)
    result = done.result
    assert result.outcome == "finished", result.sentence
    assert [rank.rank for rank in result.ranks] == [0, 1]
    for rank in result.ranks:
        assert rank.measured is not None
        tensors = [
            figures.allocated_bytes - figures.by_category.workspaces
            for figures in (rank.predicted, rank.measured)
        ]
        assert tensors[0] == tensors[1]
        assert abs(rank.error or 0) < 0.02
    assert result.measured in [rank.measured for rank in result.ranks]
    assert {sample.rank for sample in done.of("sample")} == {0, 1}
    assert [step.step for step in done.of("step")] == [1, 2, 3]
    assert all(len(step.rank_peaks_bytes) == 2 for step in done.of("step"))
    assert not any(psutil.pid_exists(number) for number in _process_ids(done))
    with History(history) as kept:
        (record,) = kept.runs()
    assert record.plan.sharding.ranks == 2
    assert record.measured == result.measured


PACKED = {"quantization.method": "nf4", "adapters.method": "lora", "precision": "bf16_mixed"}


@pytest.mark.parametrize("more", [{}, PACKED], ids=["whole", "adapters on packed weights"])
def test_shares_that_are_gathered_take_at_most_a_unit_more(
    run: Start, llama: Any, plan: mp.Plan, tmp_path: Path, more: dict[str, str]
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("".join(f"line {number}\n" for number in range(900)))
    changes = {"sharding.data": "zero_3", "training.gradient_accumulation_steps": 2, **more}
    result = run(llama, _two(plan, **changes), data=str(text)).result
    assert result.outcome == "finished", result.sentence
    unit_bytes = max(
        sum(part.nbytes for part in block.parameters())
        for block in llama.build(torch.device("meta")).model.layers
    )
    for rank in result.ranks:
        assert rank.measured is not None
        tensors = [
            figures.allocated_bytes - figures.by_category.workspaces
            for figures in (rank.predicted, rank.measured)
        ]
        assert 0 <= tensors[1] - tensors[0] <= unit_bytes
    assert any("gloo" in note for note in result.notes)


KILL = """
if os.environ["RANK"] == "1" and step == 2:
    print("the licence has run out", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_rank_ends_the_run_with_its_name(run: Start, tmp_path: Path) -> None:
    done = run(write_recipe(tmp_path, KILL), _two(mp.Plan()), steps=4)
    result = done.result
    assert result.outcome in {"failed", "out_of_memory"}  # as the machine's own count says
    assert result.sentence.startswith("Rank 1 of 2 ended the run: ")
    assert "killed" in result.sentence or "SIGKILL" in result.sentence
    assert result.measured is None
    assert not any(psutil.pid_exists(number) for number in _process_ids(done))


def test_an_exit_of_a_rank_comes_with_its_last_words(run: Start, tmp_path: Path) -> None:
    forward = """
if os.environ["RANK"] == "1" and step == 1:
    print("the licence has run out", flush=True)
    os._exit(3)
"""
    result = run(write_recipe(tmp_path, forward), _two(mp.Plan())).result
    assert result.outcome == "failed"
    assert result.sentence.startswith("Rank 1 of 2 ended the run: ")
    assert "exit code 3" in result.sentence
    assert "the licence has run out" in result.sentence


def test_an_error_of_a_rank_is_its_own(run: Start, tmp_path: Path) -> None:
    forward = 'if os.environ["RANK"] == "1" and step == 1: raise ValueError("no such token")'
    result = run(write_recipe(tmp_path, forward), _two(mp.Plan())).result
    assert result.outcome == "failed"
    assert result.sentence.startswith("Rank 1 of 2 ended the run: tiny failed in forward, blocks.1")
    assert "ValueError: no such token" in result.sentence


def test_all_ranks_stop_after_the_same_step(run: Start, tmp_path: Path) -> None:
    stop = StopSignal()

    def on_event(event: RunEvent) -> None:
        if event.kind == "step":
            stop.request()

    source = write_recipe(tmp_path, "time.sleep(0.1)")
    result = run(source, _two(mp.Plan()), steps=500, stop=stop, on_event=on_event).result
    assert result.outcome == "stopped"
    assert 1 <= result.steps == len(result.losses) < 500
    assert result.sentence == f"Stopped after {result.steps} step{'s'[: result.steps > 1]}."
    assert all(rank.measured is not None for rank in result.ranks) or result.steps == 1


@pytest.mark.timeout(240)  # a rank sleeps for longer
def test_a_stop_at_once_ends_ranks_that_wait_for_each_other(run: Start, tmp_path: Path) -> None:
    forward = 'if os.environ["RANK"] == "1" and step == 1: time.sleep(600)'
    stop = StopSignal()

    def on_event(event: RunEvent) -> None:
        if event.kind == "sample" and event.step == 2 and not stop.requested:
            stop.request(now=True)

    result = run(
        write_recipe(tmp_path, forward), _two(mp.Plan()), stop=stop, on_event=on_event
    ).result
    assert result.outcome == "stopped"
    assert result.sentence == "Stopped after 1 step."


PARENT = """
import os, signal, sys
import memplanner as mp
def on_event(event):
    if event.kind == "sample":
        print(*numbers, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if event.kind == "started":
        numbers.extend([event.process_id, *(rank.process_id for rank in event.ranks)])
numbers = []
plan = mp.Plan.model_validate({"sharding": {"cards_per_node": 2}})
mp.apply(mp.load(sys.argv[1]), plan, "cpu", on_event=on_event)
"""


def test_a_parent_that_is_killed_takes_all_ranks_with_it(tmp_path: Path) -> None:
    source = write_recipe(tmp_path, "time.sleep(600)")
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, source], capture_output=True, text=True, check=False
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    numbers = [int(word) for word in parent.stdout.split()]
    assert len(numbers) == 3
    until = monotonic() + 60
    while any(psutil.pid_exists(number) for number in numbers) and monotonic() < until:
        sleep(0.05)
    assert not any(psutil.pid_exists(number) for number in numbers)
