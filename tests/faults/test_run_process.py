"""What may befall the process of a run: each ends in a result or a word, and leaves nothing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

import memplanner as mp
from memplanner.messages.device import Device
from memplanner.messages.run import RunEvent, RunProgress, RunResult, RunStarted, RunStep
from memplanner.run import StopSignal
from memplanner.run import process as run_process
from memplanner.run.failure import failure_sentence
from memplanner.run.lines import Silence, bounded_lines, cut_lines
from memplanner.run.lost_device import is_lost
from memplanner.run.request import RunRequest
from memplanner.run.stuck import TITLE, silent
from tests.run.recipes import write_recipe

_WORKER = """
import os, signal, sys
sys.stdin.readline()
def started():
    os.write(1, {started!r} % os.getpid())
def say(line):
    os.write(1, line + b"\\n")
def done():
    say({done!r})
{body}
"""
"""A worker that imports nothing, so that it is there at once: what it does is a test's."""


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> RunRequest:
    source = write_recipe(tmp_path_factory.mktemp("recipe"))
    plan = mp.Plan.model_validate({"training": {"batch_size": 2, "sequence_length": 32}})
    prediction = mp.estimate(mp.load(source), plan, "cpu")
    return RunRequest(
        source=str(source), inputs=(), trust_code=False, model=prediction.model, plan=plan,
        device=prediction.device, steps=2, data=None, predicted=prediction.figures(),
    )  # fmt: skip


Follow = Callable[..., RunResult]


def line_of(event: RunEvent) -> bytes:
    return event.model_dump_json(by_alias=True).encode()


@pytest.fixture
def follow(
    request_: RunRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Follow]:
    """Follows a worker that does what a test says, by the code that follows real ones."""
    before = set(psutil.Process().children(recursive=True))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    popen = subprocess.Popen
    begun = RunStarted(
        model=request_.model, device=request_.device, plan=request_.plan, steps=2,
        process_id=987654321, data="made up", predicted=request_.predicted,
    )  # fmt: skip
    started = line_of(begun).replace(b"%", b"%%").replace(b"987654321", b"%d") + b"\n"
    done = run_process.Followed(request_).stopped().model_copy(update={"outcome": "finished"})

    def follow(
        body: str,
        on_event: Callable[[RunEvent], None] | None = None,
        stop: StopSignal | None = None,
    ) -> RunResult:
        script = tmp_path / "worker.py"
        script.write_text(_WORKER.format(started=started, done=line_of(done), body=body))

        def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
            return popen([sys.executable, "-S", str(script)], **options)

        monkeypatch.setattr(run_process.subprocess, "Popen", start)
        return run_process._Worker(request_, on_event).result(stop)

    yield follow
    assert set(psutil.Process().children(recursive=True)) <= before, "a process is left"
    assert not list(temporary.iterdir()), "a temporary file is left"


def test_a_worker_that_is_stopped_is_told_of_goes_on_and_finishes(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_process, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr(run_process, "_LOOK_SECONDS", 0.1)
    worker: list[int] = []
    said: list[RunProgress] = []

    def on_event(event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            worker.append(event.process_id)
        elif isinstance(event, RunProgress):
            said.append(event)
            if event.title == TITLE:
                os.kill(worker[0], signal.SIGCONT)

    result = follow("started()\nos.kill(os.getpid(), signal.SIGSTOP)\ndone()", on_event)
    assert result.outcome == "finished"
    assert [one.title for one in said] == [TITLE, "The run answers again"]
    assert "stopped by a signal" in said[0].detail
    assert f"kill -CONT {worker[0]}" in said[0].detail


def test_a_worker_that_is_stopped_can_be_ended(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_process, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(run_process, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(run_process, "GRACE_SECONDS", 0.3)
    stop = StopSignal()
    steps = RunStep(seconds=0, step=1, loss=1.5, step_seconds=0.1, peak_bytes=9)

    def on_event(event: RunEvent) -> None:
        if isinstance(event, RunProgress):
            stop.request(now=True)

    body = f"started()\nsay({line_of(steps)!r})\n"
    result = follow(body + "os.kill(os.getpid(), signal.SIGSTOP)", on_event, stop)
    assert result.outcome == "stopped"
    assert (result.steps, result.losses) == (1, (1.5,)), "what was measured is kept"


def test_a_worker_that_is_killed_in_the_middle_of_a_line_is_a_failure(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memplanner.run.ending.kernel_kills", lambda: 4)
    half = 'started()\nos.write(1, b\'{"kind": "sam\')\n'
    result = follow(half + "os.kill(os.getpid(), signal.SIGKILL)")
    assert result.outcome == "failed"
    assert "ended from outside with SIGKILL" in result.sentence


def test_a_flood_on_both_channels_costs_no_memory_and_hides_nothing(follow: Follow) -> None:
    flood = (
        "started()\n"
        "for _ in range(20):\n"
        "    os.write(2, b'x' * 2**20)\n"
        "    os.write(1, b'rubbish\\n' * 5000)\n"
        "for _ in range(70):\n"
        "    os.write(1, b'y' * 2**20)\n"
        "say(b'')\n"
        "done()"
    )
    seen: list[RunEvent] = []
    before = psutil.Process().memory_info().rss
    assert follow(flood, seen.append).outcome == "finished"
    assert [event.kind for event in seen] == ["started"]
    assert psutil.Process().memory_info().rss - before < 256 * 2**20


@pytest.mark.parametrize("ending", ["", "\n"])
def test_lines_are_bounded(ending: str) -> None:
    text = "ab\n" + "x" * 11 + "\nabcd\nlast" + ending
    assert list(bounded_lines(io.StringIO(text), 10)) == ["ab\n", "abcd\n", "last" + ending]
    assert list(cut_lines(io.StringIO(text), 10)) == [
        "ab\n", "x" * 10, "abcd\n", "last" + ending,
    ]  # fmt: skip


def test_a_clock_that_jumps_makes_no_silence_and_no_time(
    request_: RunRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed, silence = run_process.Followed(request_), Silence(5.0)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert silence.seconds_to_tell() is None
    assert 0 <= followed.stopped().seconds < 5


def test_a_card_that_is_lost_is_not_the_models_fault(request_: RunRequest) -> None:
    error = RuntimeError("CUDA error: uncorrectable ECC error encountered\nCUDA kernel errors …")
    assert is_lost(error)
    assert not is_lost(RuntimeError("CUDA error: device-side assert triggered"))
    card = Device(name="NVIDIA H100", kind="cuda", memory_bytes=2**36, index=0, local=True)
    asked = request_.model_copy(update={"device": card})
    said = failure_sentence(asked, "forward, blocks.1", error)
    assert said.startswith(
        "NVIDIA H100 was lost in forward, blocks.1 (RuntimeError: CUDA error: uncorrectable ECC "
    )
    assert said.endswith("then run again or choose another device.")


def test_a_process_that_is_gone_is_no_trouble_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    assert silent(gone.pid, 20.0, 30.0).detail == "for 20 s; wait, or stop the run"
    busy = SimpleNamespace(status=lambda: psutil.STATUS_DISK_SLEEP)
    monkeypatch.setattr(psutil, "Process", lambda _: busy)
    assert "waits for a disk" in silent(1, 20.0, 30.0).detail
