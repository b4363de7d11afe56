"""What passes between the parent and its worker, and how each hears of the other."""

from __future__ import annotations

import io
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

import memplanner as mp
from memplanner.messages.device import Device
from memplanner.messages.run import RunProgress, RunStep
from memplanner.run import StopSignal
from memplanner.run.channel import Channel
from memplanner.run.ending import Followed
from memplanner.run.interruption import Interruption
from memplanner.run.request import RunRequest, read_event
from tests.run.recipes import write_recipe

DUMP = (
    "Fatal Python error: Segmentation fault\n",
    "Thread 0x00007f (most recent call first):\n",
    '  File "/x/threading.py", line 331 in wait\n',
    "Current thread 0x00007e (most recent call first):\n",
    '  File "/x/a.py", line 7 in forward\n',
    '  File "/x/module.py", line 9 in call\n',
)


@pytest.fixture
def request_(plan: mp.Plan, cpu: Device, tmp_path: Path) -> RunRequest:
    source = write_recipe(tmp_path)
    prediction = mp.estimate(mp.load(source), plan, cpu)
    return RunRequest(
        source=str(source), inputs=("x=Bx64",), trust_code=True, model=prediction.model, plan=plan,
        device=cpu, steps=2, data="naïve.txt", predicted=prediction.figures(),
    )  # fmt: skip


def test_a_request_is_one_line_and_comes_back_equal(request_: RunRequest) -> None:
    line = request_.model_dump_json(by_alias=True)
    assert "\n" not in line
    assert RunRequest.model_validate_json(line) == request_


def test_an_event_survives_what_was_printed_before_it() -> None:
    stream = io.BytesIO()
    stream.write(b"printed, and no line's end")
    event = RunProgress(seconds=1.0, title="Größe")
    Channel(stream).send(event)
    rubbish, line = stream.getvalue().splitlines()
    assert read_event.validate_json(line) == event
    with pytest.raises(ValidationError):
        read_event.validate_json(rubbish)


def test_a_signal_is_heard_before_and_during_but_not_after() -> None:
    stop = StopSignal()
    heard: list[bool] = []
    assert not stop.requested
    stop.request()
    with stop.heard_by(heard.append):
        assert heard == [False]
        stop.request(now=True)
    stop.request(now=True)
    assert heard == [False, True]
    assert stop.requested


def test_a_request_to_stop_at_once_stays_one() -> None:
    stop = StopSignal()
    stop.request(now=True)
    stop.request()
    heard: list[bool] = []
    with stop.heard_by(heard.append):
        assert heard == [True]


@pytest.fixture
def interruption(own_signals: None) -> Interruption:
    interruption = Interruption()
    interruption.install()
    return interruption


def test_an_interruption_is_raised_once(interruption: Interruption) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    interruption.close()


def test_nothing_is_raised_after_the_end(interruption: Interruption) -> None:
    interruption.close()
    signal.raise_signal(signal.SIGINT)
    interruption.on_low_memory()
    assert interruption.low_memory


def test_what_a_finalizer_swallowed_is_raised_again(interruption: Interruption) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    finalized = Finalized()
    del finalized
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_other_unraisable_errors_are_printed(
    interruption: Interruption, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[object] = []
    monkeypatch.setattr(sys, "__unraisablehook__", printed.append)
    problem = SimpleNamespace(exc_type=ValueError)
    sys.unraisablehook(problem)  # type: ignore[arg-type]  # of the same shape
    assert printed == [problem]


@pytest.mark.parametrize(
    ("code", "errors", "outcome", "said"),
    [
        (-9, (), "out_of_memory", "The system killed the run of tiny"),
        (-11, DUMP, "failed", "crashed with SIGSEGV at line 7 of a.py"),
        (-50, (), "failed", "crashed with signal 50"),
        (1, ("Traceback …\n", "ImportError: no x\n", "\n"), "failed", "(ImportError: no x)"),
        (0, (), "failed", "exit code 0;"),
    ],
)
def test_a_death_is_told(
    request_: RunRequest,
    code: int,
    errors: tuple[str, ...],
    outcome: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = iter((4, 5))  # the kernel ends a process in between
    monkeypatch.setattr("memplanner.run.ending.kernel_kills", lambda: next(counts))
    followed = Followed(request_)
    followed.note(RunStep(seconds=1, step=0, loss=2.0, step_seconds=0.5, peak_bytes=9))
    result = followed.died(code, errors)
    assert result.outcome == outcome
    assert said in result.sentence
    assert result.sentence.endswith(".")
    assert "Traceback" not in result.sentence
    assert (result.steps, result.losses, result.step_seconds) == (1, (2.0,), (0.5,))
    assert result.model == request_.model
