"""The window's end of the protocol, against a small engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot
from shiboken6 import delete

from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner_ui.engine import EngineClient, EngineState, Outcome, Place
from memplanner_ui.engine.lines import LineReader
from memplanner_ui.engine.outcome import HEAD_LINES, TAIL_LINES, ElidedLog

Make = Callable[..., EngineClient]


@pytest.fixture
def make(qapp: object, interpreter: str, engine_arguments: tuple[str, ...]) -> Iterator[Make]:
    clients: list[EngineClient] = []

    def build(*more: str, python: str = interpreter) -> EngineClient:
        clients.append(EngineClient(Place(python=python), (*engine_arguments, *more)))
        return clients[-1]

    yield build
    for client in clients:
        client.stop()


def ask(qtbot: QtBot, client: EngineClient, kind: type[protocol.Request], **fields: Any) -> Any:
    answers: list[Any] = []
    client.request(kind, then=answers.append, failed=answers.append, **fields)
    qtbot.waitUntil(lambda: bool(answers), timeout=30_000)
    return answers[0]


def alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_request_made_before_the_engine_is_up_is_answered(qtbot: QtBot, make: Make) -> None:
    client = make()
    client.start()
    assert client.state is EngineState.STARTING
    reply = ask(qtbot, client, protocol.ListPresets)
    assert [preset.name for preset in reply.presets] == ["llama-3.1-8b", "gpt2", "vit-b-16"]
    assert client.info is not None
    assert client.state is EngineState.READY


def test_states_follow_what_is_owed(qtbot: QtBot, make: Make) -> None:
    client = make()
    states: list[EngineState] = []
    client.state_changed.connect(states.append)
    client.start()
    ask(qtbot, client, protocol.ListDevices)
    client.stop()
    assert states == [
        EngineState.STARTING,
        EngineState.BUSY,
        EngineState.READY,
        EngineState.STOPPED,
    ]


def test_progress_comes_before_the_result(qtbot: QtBot, make: Make) -> None:
    client = make()
    client.start()
    seen: list[str] = []
    client.request(
        protocol.OpenModel,
        source="preset:gpt2",
        event=lambda reply: seen.append(reply.kind),
        then=lambda reply: seen.append(reply.kind),
    )
    qtbot.waitUntil(lambda: "opened" in seen, timeout=30_000)
    assert seen == ["progress", "opened"]


def test_estimates_never_pile_up_and_the_newest_comes_last(qtbot: QtBot, make: Make) -> None:
    client = make()
    client.start()
    ask(qtbot, client, protocol.OpenModel, source="preset:gpt2")
    answered: list[int] = []
    for batch_size in range(1, 101):
        client.request(
            protocol.MakeEstimate,
            plan=Plan().with_values({"training.batch_size": batch_size}),
            device="cpu",
            then=lambda reply: answered.append(reply.estimate.plan.training.batch_size),
        )
    assert sum(one.kind == "make_estimate" for one in client.owed()) == 1
    qtbot.waitUntil(lambda: 100 in answered, timeout=30_000)
    assert answered == [1, 100]


def test_an_estimate_told_in_two_parts_is_answered_as_a_whole_one(qtbot: QtBot, make: Make) -> None:
    client = make()
    client.start()
    whole = []
    for source in ("parts", "preset:gpt2"):
        ask(qtbot, client, protocol.OpenModel, source=source)
        first: list[Any] = []
        reply = ask(
            qtbot, client, protocol.MakeEstimate, plan=Plan(), device="cpu", event=first.append
        )
        assert reply.kind == "estimated"
        assert [one.kind for one in first] == ["first_figures"] * (source == "parts")
        assert not first or first[0].estimate.verdict is None
        whole.append(reply.estimate)
    told, plain = whole
    assert told.verdict is not None
    assert told == plain.model_copy(update={"model": told.model, "seconds": told.seconds})


def test_rubbish_on_the_channel_goes_to_the_log_and_nothing_is_lost(
    qtbot: QtBot, make: Make
) -> None:
    client = make()
    lines: list[str] = []
    client.log_line.connect(lines.append)
    client.start()
    assert ask(qtbot, client, protocol.OpenModel, source="rubbish").kind == "opened"
    qtbot.waitUntil(lambda: "user code prints" in lines)
    assert any(line.startswith("not a message: half a line") for line in lines)
    assert any(line.startswith("not a message: [1, 2") for line in lines)


def test_a_crash_fails_what_is_owed_and_the_engine_comes_back(qtbot: QtBot, make: Make) -> None:
    client = make()
    outcomes: list[Outcome] = []
    client.ended.connect(outcomes.append)
    client.start()
    with qtbot.waitSignal(client.restarted, timeout=30_000):
        failure = ask(qtbot, client, protocol.OpenModel, source="crash")
    assert failure.error == "EngineEnded"
    assert outcomes[0].signal_number == 9
    assert "SIGKILL" in outcomes[0].sentence
    assert ask(qtbot, client, protocol.OpenModel, source="preset:gpt2").kind == "opened"


def test_what_a_deleted_object_asked_is_answered_to_nobody(qtbot: QtBot, make: Make) -> None:
    class Asker(QObject):
        def hear(self, reply: object) -> None:
            answers.append(reply)

    answers: list[object] = []
    gone, there = Asker(), Asker()
    client = make()
    client.start()
    for asker in (gone, there):
        client.request(
            protocol.OpenModel, source="slow", event=asker.hear, then=asker.hear, failed=asker.hear
        )
    delete(gone)
    client.stop()
    qtbot.waitUntil(lambda: bool(answers))
    assert len(answers) == 1, "that of the other"


def test_an_engine_that_keeps_crashing_is_left_alone(qtbot: QtBot, make: Make) -> None:
    client = make()
    client.start()
    for _ in range(4):
        ask(qtbot, client, protocol.OpenModel, source="crash")
    qtbot.waitUntil(lambda: client.state is EngineState.FAILED)
    failure = ask(qtbot, client, protocol.ListDevices)
    assert failure.sentence == "The engine is not running."


def test_an_engine_that_cannot_start_fails_with_its_own_words(qtbot: QtBot, make: Make) -> None:
    client = make("--fail")
    with qtbot.waitSignal(client.ended, timeout=30_000) as ended:
        client.start()
    outcome = ended.args[0]
    assert client.state is EngineState.FAILED
    assert outcome.exit_code == 3
    assert "no engine today" in outcome.stderr


def test_a_missing_interpreter_is_named(qtbot: QtBot, make: Make) -> None:
    client = make(python="/nowhere/python")
    with qtbot.waitSignal(client.ended, timeout=30_000) as ended:
        client.start()
    assert "/nowhere/python could not be started" in ended.args[0].sentence


def test_an_interpreter_without_memplanner_is_told_to_install_it() -> None:
    outcome = Outcome(
        place=Place(python="/usr/bin/python3"),
        exit_code=1,
        stderr="/usr/bin/python3: Error while finding module specification for "
        "'memplanner.server' (ModuleNotFoundError: No module named 'memplanner')",
    )
    assert "pip install memplanner" in outcome.sentence


def test_an_engine_of_another_schema_is_refused(qtbot: QtBot, make: Make) -> None:
    client = make("--stranger")
    with qtbot.waitSignal(client.ended, timeout=30_000) as ended:
        client.start()
    assert "memplanner 9.1" in ended.args[0].sentence
    assert client.state is EngineState.FAILED


def test_stop_leaves_no_process(qtbot: QtBot, make: Make) -> None:
    client = make()
    client.start()
    ask(qtbot, client, protocol.ListDevices)
    process_id = client.process_id
    assert process_id is not None
    client.stop()
    assert client.state is EngineState.STOPPED
    assert not alive(process_id)


def test_a_deaf_engine_is_killed(qtbot: QtBot, make: Make) -> None:
    """By ``stop`` itself, which waits ``SHUTDOWN_MS``: of itself it would go on for longer."""
    client = make("--deaf")
    with qtbot.waitSignal(client.greeted, timeout=30_000):
        client.start()
    process_id = client.process_id
    assert process_id is not None
    client.stop()
    assert not alive(process_id)
    assert client.state is EngineState.STOPPED


@given(
    st.lists(st.binary(max_size=20).map(lambda part: part.replace(b"\r", b"")), max_size=20),
    st.integers(1, 7),
)
def test_lines_do_not_depend_on_how_they_arrive(parts: list[bytes], size: int) -> None:
    stream = b"\n".join(parts)
    reader = LineReader()
    for start in range(0, len(stream), size):
        reader.feed(stream[start : start + size])
    reader.feed(b"\n")
    lines = list(iter(reader.next, None))
    assert lines == [line for line in stream.split(b"\n") if line]


def test_an_overlong_line_is_dropped_and_the_next_one_read() -> None:
    reader = LineReader(longest_line_bytes=10)
    for _ in range(5):
        reader.feed(b"xxxx")
    reader.feed(b"\nnext\n")
    assert reader.next() == b"next"
    assert reader.next() is None


@given(st.integers(0, 200))
def test_a_long_log_keeps_its_head_and_tail(count: int) -> None:
    log = ElidedLog()
    for index in range(count):
        log.add(f"line {index}")
    shown = [line for line in log.text().split("\n") if line.startswith("line ")]
    assert shown == [f"line {index}" for index in range(count)][:HEAD_LINES] + [
        f"line {index}" for index in range(max(HEAD_LINES, count - TAIL_LINES), count)
    ]
