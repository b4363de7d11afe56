"""What an engine does while a plan runs: nothing that would take the processor from its steps."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Condition
from types import SimpleNamespace
from typing import Any

import pytest

from memplanner.messages import protocol
from memplanner.plan import Plan
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


def queue(**waits: bool) -> Any:
    def look_ahead() -> None:
        raise LooksAheadError

    def work() -> None:
        found.worked = True
        found._model.idle_work_waits = found._model.effects_wait = False

    found: Any = _Queue(Channel(io.BytesIO()))
    found._changed, found.worked = Waiting(), False
    nothing = SimpleNamespace(wait=False, waits=False)
    found._model = SimpleNamespace(
        comparison_waits=False, searches=nothing, next_step=nothing, looks_ahead=True,
        look_ahead=look_ahead, do_idle_work=work, tell_effect=work,
        interruption=SimpleNamespace(clear=lambda: None, set=lambda: None),
        **{"idle_work_waits": False, "effects_wait": False, **waits},
    )  # fmt: skip
    return found


def test_it_looks_ahead_when_nothing_goes_on() -> None:
    with pytest.raises(LooksAheadError):
        queue().run()


def test_it_does_not_while_a_plan_runs_and_is_told_of_its_end() -> None:
    engine = queue()
    engine.runs._busy = True
    with pytest.raises(SleepsError):
        engine.run()
    told: list[bool] = []
    engine._changed.notify = lambda n=1: told.append(True)
    engine.runs._end()
    assert told
    with pytest.raises(LooksAheadError):
        engine.run()


@pytest.mark.parametrize("waits", ["idle_work_waits", "effects_wait"])
@pytest.mark.parametrize(("device", "held"), [("cpu", True), ("cuda:0", False)])
def test_idle_work_waits_for_steps_of_the_processor_alone(
    waits: str, device: str, held: bool
) -> None:
    engine = queue(**{waits: True})
    engine.runs.expect(protocol.ApplyPlan(id=1, plan=Plan(), device=device))
    with pytest.raises(SleepsError):
        engine.run()
    assert engine.worked != held
    engine.runs._end()
    with pytest.raises(LooksAheadError):
        engine.run()
    assert engine.worked


def test_a_snapshot_that_is_read_holds_nothing_up(tmp_path: Path) -> None:
    engine = queue(effects_wait=True)
    engine.runs.expect(protocol.ReadSnapshot(id=1, path=str(tmp_path / "snapshot.pickle")))
    with pytest.raises(SleepsError):
        engine.run()
    assert engine.worked
