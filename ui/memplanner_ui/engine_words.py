"""What the window says of where its engine runs, and of an engine that is not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Literal

from memplanner.messages.protocol import EngineInfo
from memplanner_ui.engine import EngineState, Outcome, Place
from memplanner_ui.language import translatable, translate
from memplanner_ui.notices import Notice
from memplanner_ui.views.notice import Fix

Way = Literal["start", "here", "choose", "log"]
PLAN_IS_KEPT = translatable("Window", "The plan is as it was.")


def no_engine(outcome: Outcome, ways: Mapping[Way, Callable[[], object]]) -> Notice:
    """The notice for an engine that has ended and is not started again, with the ways out."""
    remote = outcome.place.remote
    again = translate("Window", "Connect again") if remote else translate("Window", "Start again")
    text = (
        translate("Window", "Connect to {machine} again").format(machine=outcome.place.machine)
        if remote
        else translate("Window", "Start the engine again")
    )
    fixes = [Fix(text, "", again, ways["start"])]
    if remote:
        here = translate("Window", "Compute in this machine, with this program’s own Python")
        fixes.append(Fix(here, "", translate("Window", "Compute here"), ways["here"]))
    if not outcome.answered:
        where = translate("Window", "Choose another Python, or another machine, for the engine")
        fixes.append(Fix(where, "", translate("Window", "Choose…"), ways["choose"]))
    fixes.append(
        Fix(
            translate("Window", "Read what the engine wrote"),
            "",
            translate("Window", "Show the log"),
            ways["log"],
        )
    )
    said = "" if outcome.lost and not outcome.answered else _last_line(outcome.stderr)
    kept = translate("Window", PLAN_IS_KEPT) if outcome.answered else ""
    meaning = " ".join(part for part in (kept, said) if part)
    return Notice("trouble", outcome.sentence, meaning, tuple(fixes))


def not_answering(
    where: Place, halted: int | None, start: Callable[[], object], wait: Callable[[], object]
) -> Notice:
    """The notice for an engine that is silent; ``halted`` is its id where a signal stopped it."""
    meaning = translate(
        "Window", "It may hang; starting it again opens the model anew. {kept}"
    ).format(kept=translate("Window", PLAN_IS_KEPT))
    if where.remote:
        meaning = translate("Window", "It, or the connection, may hang. {kept}").format(
            kept=translate("Window", PLAN_IS_KEPT)
        )
    elif halted is not None:
        meaning = translate(
            "Window", "A signal has stopped it; “kill -CONT {halted}” lets it go on. {kept}"
        ).format(halted=halted, kept=translate("Window", PLAN_IS_KEPT))
    again = Fix(
        translate("Window", "End it and start another; the model is opened again"),
        "",
        translate("Window", "Start again"),
        start,
    )
    return Notice(
        "caution",
        translate("Window", "The engine does not answer."),
        meaning,
        (
            again,
            Fix(
                translate("Window", "Go on waiting for its answer"),
                "",
                translate("Window", "Wait"),
                wait,
            ),
        ),
    )


def engine_words(
    state: EngineState, place: Place, info: EngineInfo | None, *, bringing: bool
) -> str:
    """What the status bar says of the engine."""
    where = place.machine
    if info is not None:
        torch = f"torch {info.torch}" if info.torch else translate("Window", "no torch")
        return (
            translate("Window", "Engine: {where}, {torch}").format(where=where, torch=torch)
            if where
            else translate("Window", "Engine: Python {python}, {torch}").format(
                python=info.python, torch=torch
            )
        )
    if state is EngineState.STARTING and bringing:
        return (
            translate("Window", "Bringing the engine to {where}").format(where=where)
            if where
            else translate("Window", "Bringing the engine there")
        )
    words = {
        EngineState.STARTING: translate("Window", "Connecting to {where}").format(where=where)
        if where
        else translate("Window", "Engine is starting"),
        EngineState.FAILED: translate("Window", "Not connected to {where}").format(where=where)
        if where
        else translate("Window", "Engine has ended"),
        EngineState.STOPPED: translate("Window", "Engine is stopped"),
    }
    return words.get(state, "")


def engine_tip(place: Place, info: EngineInfo | None) -> str:
    """The same at length, for a tool tip."""
    if info is None:
        return translate("Window", "Press to choose where the engine runs")
    where = info.interpreter
    if place.remote:
        where = translate("Window", "{interpreter} on {machine}").format(
            interpreter=info.interpreter, machine=info.machine or place.machine
        )
    return translate(
        "Window",
        "{where}: Python {python}, memplanner {version}, process {process_id}. "
        "Press to choose another",
    ).format(where=where, python=info.python, version=info.version, process_id=info.process_id)


def is_path(source: str) -> bool:
    """Whether a source reads as a file's or folder's path, not as a name."""
    return source.startswith(("/", "~", ".")) or os.path.exists(source)


def looked_up(place: Place, source: str) -> str:
    """Where a path was looked up, if not in this machine; else empty."""
    if not (place.remote and is_path(source)):
        return ""
    return translate("Window", "Paths are looked up on {machine}, where the engine runs.").format(
        machine=place.machine
    )


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
