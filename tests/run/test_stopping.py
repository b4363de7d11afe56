"""Stopping a run: after its step, at once, before it starts, and by the parent's end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import psutil
import pytest

import memplanner as mp
from memplanner.messages.run import RunEvent
from memplanner.run import StopSignal
from tests.run.conftest import Run
from tests.run.recipes import write_recipe

Start = Callable[..., Run]


def _stop_at(stop: StopSignal, kind: str, *, now: bool) -> Callable[[RunEvent], None]:
    def on_event(event: RunEvent) -> None:
        if event.kind == kind:
            stop.request(now=now)

    return on_event


def test_stop_after_the_step(run: Start, tmp_path: Path) -> None:
    stop = StopSignal()
    on_event = _stop_at(stop, "step", now=False)
    done = run(write_recipe(tmp_path, "time.sleep(0.3)"), steps=50, stop=stop, on_event=on_event)
    result = done.result
    assert result.outcome == "stopped"
    assert 1 <= result.steps == len(result.losses) < 50
    assert result.sentence == f"Stopped after {result.steps} step{'s'[: result.steps > 1]}."


@pytest.mark.timeout(240)  # the step sleeps for longer
def test_stop_at_once_ends_a_step_that_sleeps(run: Start, tmp_path: Path) -> None:
    source = write_recipe(tmp_path, "if step == 2: time.sleep(600)")
    stop = StopSignal()

    def on_event(event: RunEvent) -> None:
        if event.kind == "sample" and event.step == 3 and not stop.requested:
            stop.request(now=True)

    done = run(source, steps=5, stop=stop, on_event=on_event)
    assert done.result.outcome == "stopped"
    assert done.result.sentence == "Stopped after 2 steps."
    assert done.result.measured is not None
    assert "scratch" in done.result.notes[-1]


@pytest.mark.slow
def test_user_code_that_will_not_stop_is_ended(run: Start, tmp_path: Path) -> None:
    forward = """
while True:
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        pass
"""
    stop = StopSignal()
    on_event = _stop_at(stop, "sample", now=True)
    done = run(write_recipe(tmp_path, forward), stop=stop, on_event=on_event)
    assert done.result.outcome == "stopped"
    assert done.result.sentence == "Stopped before a step was done."


def test_a_stop_before_the_start_starts_nothing(run: Start, tmp_path: Path) -> None:
    stop = StopSignal()
    stop.request()
    done = run(write_recipe(tmp_path), stop=stop)
    assert done.kinds == ("result",)
    assert done.result.outcome == "stopped"
    assert done.result.steps == 0


def test_a_stop_while_the_worker_starts_does_not_wait_for_it(
    really_run: Start, tmp_path: Path
) -> None:
    model = mp.load(write_recipe(tmp_path))
    mp.estimate(model)
    children = set(psutil.Process().children())
    stop = StopSignal()

    def request_once_it_is_there() -> None:
        while set(psutil.Process().children()) <= children:
            sleep(0.01)
        stop.request(now=True)

    thread = Thread(target=request_once_it_is_there)
    thread.start()
    done = really_run(model, stop=stop)
    thread.join()
    assert done.kinds == ("result",)
    assert done.result.outcome == "stopped"
    assert done.result.seconds < 2
    assert set(psutil.Process().children()) <= children


def test_a_listener_that_raises_ends_the_worker(run: Start, tmp_path: Path) -> None:
    process_ids: list[int] = []

    def on_event(event: RunEvent) -> None:
        if event.kind == "started":
            process_ids.append(event.process_id)
            raise LookupError

    with pytest.raises(LookupError):
        run(write_recipe(tmp_path, "time.sleep(600)"), on_event=on_event)
    assert not psutil.pid_exists(process_ids[0])


PARENT = """
import os, sys
import memplanner as mp
def on_event(event):
    if event.kind == "sample":
        print(started[0], flush=True)
        os._exit(0)
    if event.kind == "started":
        started.append(event.process_id)
started = []
mp.apply(mp.load(sys.argv[1]), device="cpu", on_event=on_event)
"""


@pytest.mark.slow
def test_a_parent_that_dies_takes_the_worker_with_it(tmp_path: Path) -> None:
    source = write_recipe(tmp_path, "time.sleep(600)")
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, source], capture_output=True, text=True, check=True
    )
    worker = int(parent.stdout)
    until = monotonic() + 60
    while psutil.pid_exists(worker) and psutil.Process(worker).status() != "zombie":
        assert monotonic() < until
        sleep(0.1)
