"""What an engine does while a plan runs: nothing that would take the processor from its steps."""

from __future__ import annotations

import io
from threading import Condition
from types import SimpleNamespace
from typing import Any

import pytest

from memplanner.server.channel import Channel
from memplanner.server.loop import _Queue


class SleepsError(Exception):
    """The engine waits for a request, or for a run's end."""


class LooksAheadError(Exception):
    """The engine looks ahead."""


class Waiting(Condition):
    """Nobody comes."""

    def wait(self, timeout: float | None = None) -> bool:
        """At once what would be after the time; ``SleepsError`` where there is none."""
        if timeout is None:
            raise SleepsError
        return False


def queue() -> _Queue:
    def look_ahead() -> None:
        raise LooksAheadError

    found: Any = _Queue(Channel(io.StringIO()))
    found._changed = Waiting()
    nothing = SimpleNamespace(wait=False, waits=False)
    found._model = SimpleNamespace(
        comparison_waits=False, searches=nothing, next_step=nothing, idle_work_waits=False,
        effects_wait=False, looks_ahead=True, look_ahead=look_ahead,
        interruption=SimpleNamespace(clear=lambda: None, set=lambda: None),
    )  # fmt: skip
    return found  # type: ignore[no-any-return]  # Any, so that its parts can be others


def test_it_looks_ahead_when_nothing_goes_on() -> None:
    with pytest.raises(LooksAheadError):
        queue().run()


def test_it_does_not_while_a_plan_runs_and_is_told_of_its_end() -> None:
    engine = queue()
    engine.runs._busy = True
    with pytest.raises(SleepsError):
        engine.run()
    told: list[bool] = []
    engine._changed.notify = lambda n=1: told.append(True)  # type: ignore[method-assign]  # to count
    engine.runs._end()
    assert told
    with pytest.raises(LooksAheadError):
        engine.run()
