"""What may befall the window's engine and files: the user is told, and nothing saved is lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner.plan.file import read_plan, write_plan
from memplanner_ui.engine import EngineClient, EngineState, Place, pulse
from memplanner_ui.main_window import MainWindow
from tests.ui.acting import press

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


@pytest.fixture
def client(
    qapp: object, monkeypatch: pytest.MonkeyPatch, engine_arguments: tuple[str, ...]
) -> Iterator[EngineClient]:
    monkeypatch.setattr(pulse, "LOOK_MS", 20)
    monkeypatch.setattr(pulse, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 0.6)
    client = EngineClient(Place(python=sys.executable), engine_arguments)
    yield client
    client.stop()


def ready(qtbot: QtBot, client: EngineClient) -> int:
    if client.process_id is None:
        client.start()
    qtbot.waitUntil(lambda: client.state is EngineState.READY, timeout=60_000)
    assert client.process_id is not None
    return client.process_id


@posix
def test_an_engine_that_is_stopped_is_told_of_and_answers_when_it_goes_on(
    qtbot: QtBot, client: EngineClient
) -> None:
    engine = ready(qtbot, client)
    os.kill(engine, signal.SIGSTOP)
    answers: list[object] = []
    with qtbot.waitSignal(client.silent, timeout=10_000):
        client.request(protocol.ListPresets, then=answers.append)
    assert client.halted == engine
    with qtbot.waitSignal(client.answering, timeout=10_000):
        os.kill(engine, signal.SIGCONT)
    qtbot.waitUntil(lambda: bool(answers), timeout=10_000)
    assert client.halted is None


@posix
def test_an_engine_that_is_stopped_is_replaced(qtbot: QtBot, client: EngineClient) -> None:
    engine = ready(qtbot, client)
    os.kill(engine, signal.SIGSTOP)
    failures: list[protocol.Failure] = []
    client.request(protocol.ListPresets, failed=failures.append)
    client.restart()
    assert not Path(f"/proc/{engine}").exists(), "it is killed where it does not end"
    assert ready(qtbot, client) != engine
    assert [one.sentence for one in failures] == ["The engine was stopped."]


def test_an_engine_that_computes_for_long_or_owes_nothing_is_not_silent(
    qtbot: QtBot, client: EngineClient
) -> None:
    ready(qtbot, client)
    told: list[float] = []
    client.silent.connect(told.append)
    answers: list[object] = []
    client.request(protocol.OpenModel, source="slow", then=answers.append)  # 1.5 s
    qtbot.waitUntil(lambda: bool(answers), timeout=30_000)
    qtbot.wait(700)
    assert told == []


@posix
def test_the_window_offers_to_wait_or_to_start_another(
    qtbot: QtBot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 0.3)
    session = opened.session
    engine = session.engine.process_id
    assert engine is not None
    os.kill(engine, signal.SIGSTOP)
    session.document.set_value("training.batch_size", 3)
    notice = opened.workspace.notice
    qtbot.waitUntil(notice.isVisible, timeout=10_000)
    assert f"kill -CONT {engine}" in notice.text
    assert session.document.plan.training.batch_size == 3
    press(notice, "Start again")
    qtbot.waitUntil(
        lambda: session.document.estimate_is_current and not notice.isVisible(), timeout=30_000
    )
    assert session.document.estimate is not None
    assert session.document.estimate.plan.training.batch_size == 3


# Two windows on one plan


@pytest.fixture
def planned(opened: MainWindow, tmp_path: Path) -> Callable[[int], Path]:
    """Saves the window's plan; then another window saves one with another batch size."""
    path = tmp_path / "shared.plan.yaml"
    assert opened.session.save_plan(path)

    def change(batch_size: int) -> Path:
        write_plan(Plan().with_values({"training.batch_size": batch_size}), path)
        return path

    return change


def batch_size(path: Path) -> int:
    return read_plan(path).training.batch_size


def test_a_plan_that_another_window_changed_is_not_saved_over(
    opened: MainWindow, planned: Callable[[int], Path]
) -> None:
    session, notice = opened.session, opened.workspace.notice
    path = planned(13)
    session.document.set_value("training.batch_size", 3)
    assert not session.save_plan(path)
    assert batch_size(path) == 13
    assert session.document.dirty
    assert "shared.plan.yaml was changed by another program" in notice.text
    press(notice, "Replace it")
    assert batch_size(path) == 3
    assert not notice.isVisible()
    assert session.save_plan(path), "it is this window's by now"


def test_a_plan_changed_under_an_open_window_is_told_and_can_be_read(
    opened: MainWindow, planned: Callable[[int], Path]
) -> None:
    session, notice = opened.session, opened.workspace.notice
    session.look_at_plan_file()
    assert not notice.isVisible()
    path = planned(13)
    session.look_at_plan_file()
    assert notice.isVisible()
    press(notice, "Read it")
    assert session.document.plan.training.batch_size == 13
    assert not session.document.dirty
    path.unlink()
    session.look_at_plan_file()
    assert not notice.isVisible(), "one that is gone is no change"
    assert session.save_plan(path)


@posix
def test_a_plan_is_kept_when_its_place_takes_nothing(opened: MainWindow, tmp_path: Path) -> None:
    session = opened.session
    session.document.set_value("training.batch_size", 3)
    assert not session.save_plan(Path("/dev/full"))
    assert "could not be written: no space left on device" in opened.workspace.notice.text
    assert session.document.dirty
    assert session.document.plan.training.batch_size == 3
