"""What the window says of where its engine runs, and of an engine that is not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Literal

from memplanner.messages.protocol import EngineInfo
from memplanner_ui.engine import EngineState, Outcome, Place
from memplanner_ui.notices import Notice
from memplanner_ui.views.notice import Fix

Way = Literal["start", "here", "choose", "log"]
PLAN_IS_KEPT = "The plan is as it was."


def no_engine(outcome: Outcome, ways: Mapping[Way, Callable[[], object]]) -> Notice:
    """The notice for an engine that has ended and is not started again, with the ways out."""
    remote = outcome.place.remote
    again = "Connect again" if remote else "Start again"
    text = f"Connect to {outcome.place.machine} again" if remote else "Start the engine again"
    fixes = [Fix(text, "", again, ways["start"])]
    if remote:
        here = "Compute in this machine, with this program’s own Python"
        fixes.append(Fix(here, "", "Compute here", ways["here"]))
    if not outcome.answered:
        where = "Choose another Python, or another machine, for the engine"
        fixes.append(Fix(where, "", "Choose…", ways["choose"]))
    fixes.append(Fix("Read what the engine wrote", "", "Show the log", ways["log"]))
    said = "" if outcome.lost and not outcome.answered else _last_line(outcome.stderr)
    kept = PLAN_IS_KEPT if outcome.answered else ""
    meaning = " ".join(part for part in (kept, said) if part)
    return Notice("trouble", outcome.sentence, meaning, tuple(fixes))


def not_answering(
    where: Place, halted: int | None, start: Callable[[], object], wait: Callable[[], object]
) -> Notice:
    """The notice for an engine that is silent; ``halted`` is its id where a signal stopped it."""
    meaning = f"It may hang; starting it again opens the model anew. {PLAN_IS_KEPT}"
    if where.remote:
        meaning = f"It, or the connection, may hang. {PLAN_IS_KEPT}"
    elif halted is not None:
        meaning = f"A signal has stopped it; “kill -CONT {halted}” lets it go on. {PLAN_IS_KEPT}"
    again = Fix("End it and start another; the model is opened again", "", "Start again", start)
    return Notice(
        "caution",
        "The engine does not answer.",
        meaning,
        (again, Fix("Go on waiting for its answer", "", "Wait", wait)),
    )


def engine_words(
    state: EngineState, place: Place, info: EngineInfo | None, *, bringing: bool
) -> str:
    """What the status bar says of the engine."""
    where = place.machine
    if info is not None:
        torch = f"torch {info.torch}" if info.torch else "no torch"
        return f"Engine: {where}, {torch}" if where else f"Engine: Python {info.python}, {torch}"
    if state is EngineState.STARTING and bringing:
        return f"Bringing the engine to {where}" if where else "Bringing the engine there"
    words = {
        EngineState.STARTING: f"Connecting to {where}" if where else "Engine is starting",
        EngineState.FAILED: f"Not connected to {where}" if where else "Engine has ended",
        EngineState.STOPPED: "Engine is stopped",
    }
    return words.get(state, "")


def engine_tip(place: Place, info: EngineInfo | None) -> str:
    """The same at length, for a tool tip."""
    if info is None:
        return "Press to choose where the engine runs"
    machine = f" on {info.machine or place.machine}" if place.remote else ""
    return (
        f"{info.interpreter}{machine}: Python {info.python}, memplanner {info.version}, "
        f"process {info.process_id}. Press to choose another"
    )


def is_path(source: str) -> bool:
    """Whether a source reads as a file's or folder's path, not as a name."""
    return source.startswith(("/", "~", ".")) or os.path.exists(source)


def looked_up(place: Place, source: str) -> str:
    """Where a path was looked up, if not in this machine; else empty."""
    if not (place.remote and is_path(source)):
        return ""
    return f"Paths are looked up on {place.machine}, where the engine runs."


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
