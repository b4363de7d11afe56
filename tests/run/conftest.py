from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import psutil
import pytest

import memplanner as mp
from memplanner.hardware import host_device
from memplanner.messages.device import Device
from memplanner.messages.run import RunEvent, RunResult, RunStarted
from memplanner.run import process
from tests.forked_start import FORKED, ready
from tests.truth.small_models import SMALL


class Run(NamedTuple):
    """What a run said, its result last."""

    events: tuple[RunEvent, ...]

    @property
    def result(self) -> RunResult:
        last = self.events[-1]
        assert isinstance(last, RunResult)
        return last

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of events in order, each once where it repeats."""
        kinds = [event.kind for event in self.events]
        return tuple(
            kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind
        )

    @property
    def process_id(self) -> int:
        return next(event.process_id for event in self.events if isinstance(event, RunStarted))

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.kind == kind]


@pytest.fixture
def own_signals() -> Iterator[None]:
    """A test may take this process's signals, as the worker does of its own."""
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    yield
    signal.signal(signal.SIGINT, before[0])
    sys.unraisablehook = before[1]


@pytest.fixture(scope="session")
def cpu() -> Device:
    return host_device()


@pytest.fixture(scope="session")
def plan() -> mp.Plan:
    return mp.Plan.model_validate(
        {"precision": "fp32", "training": {"batch_size": 2, "sequence_length": 32}}
    )


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return mp.load(SMALL["llama"].write(tmp_path_factory.mktemp("llama")))


@pytest.fixture(scope="session")
def really_run(plan: mp.Plan) -> Callable[..., Run]:
    """Applies a plan to a source or model on the CPU; no process may be left behind.

    The worker starts as a user's does, and imports torch anew: for how it starts and crashes.
    """

    def start(source: Any, planned: mp.Plan = plan, **options: Any) -> Run:
        model = mp.load(source) if isinstance(source, (str, Path)) else source
        events: list[RunEvent] = []
        more = options.pop("on_event", lambda event: None)

        def on_event(event: RunEvent) -> None:
            events.append(event)
            more(event)

        device = options.pop("device", "cpu")
        result = mp.apply(model, planned, device, on_event=on_event, **options)
        assert result is events[-1]
        run = Run(tuple(events))
        if run.of("started"):
            assert not psutil.pid_exists(run.process_id)
        return run

    return start


@pytest.fixture(scope="session")
def run(really_run: Callable[..., Run]) -> Callable[..., Run]:
    """The same with a worker that is forked from a process which has torch."""
    ready()

    def start(source: Any, *given: Any, **options: Any) -> Run:
        with patch.object(process, "subprocess", FORKED):
            return really_run(source, *given, **options)

    return start
