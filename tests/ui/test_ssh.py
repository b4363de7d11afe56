"""An engine on another machine: over ssh, against a server on the loopback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QListWidget
from pytestqt.qtbot import QtBot

from memplanner.messages import protocol
from memplanner.messages.run import RunStarted, RunStep
from memplanner_ui.document import Document
from memplanner_ui.engine import EngineClient, EngineState, Outcome, Place
from memplanner_ui.environment.dialog import EngineDialog
from memplanner_ui.export_dialog import ExportDialog
from memplanner_ui.main_window import MainWindow
from memplanner_ui.open_dialog import OpenDialog
from memplanner_ui.path_dialog import PathDialog
from memplanner_ui.session import Session
from memplanner_ui.settings import SettingsFile
from tests.engine import PLAN, recipe
from tests.ui.conftest import FAKE_ENGINE
from tests.ui.ssh_host import NAME, SshHost
from tests.ui.training_environment import make as make_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it runs an ssh server of its own")
WAIT_MS = 120_000
"""Of another machine, and on one with other work."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    host = SshHost(tmp_path_factory.mktemp("host"))
    yield host
    host.end()


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python there that has all but memplanner."""
    return str(make_environment(tmp_path_factory.mktemp("trainer") / "venv"))


@pytest.fixture(scope="module")
def far(qapp: object, host: SshHost, trainer: str) -> Iterator[EngineClient]:
    """One engine that the window has brought there."""
    place = host.place(trainer).model_copy(update={"brought": True})
    client = EngineClient(place)
    client.start()
    yield client
    client.stop()


def ask(qtbot: QtBot, client: EngineClient, kind: type[protocol.Request], **fields: Any) -> Any:
    answers: list[Any] = []
    client.request(kind, then=answers.append, failed=answers.append, **fields)
    qtbot.waitUntil(lambda: bool(answers), timeout=WAIT_MS)
    return answers[0]


def cut(host: SshHost) -> None:
    """Ends every connection, as a cable does; the server goes on."""
    for child in psutil.Process(host.process_id).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ends with another
            if child.name().startswith("sshd"):
                child.kill()


def is_gone(process_id: int) -> bool:
    try:
        return psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end_of(qtbot: QtBot, place: Place, *arguments: str) -> Outcome:
    """How an engine ends that does not get to work."""
    client = EngineClient(place, arguments or None)
    with qtbot.waitSignal(client.ended, timeout=WAIT_MS) as ended:
        client.start()
    assert client.state is EngineState.FAILED
    outcome = ended.args[0]
    assert isinstance(outcome, Outcome)
    return outcome


def test_the_engine_is_brought_and_estimates_there_as_it_does_here(
    qtbot: QtBot, far: EngineClient, host: SshHost, trainer: str, tmp_path: Path
) -> None:
    path = recipe(tmp_path)
    assert ask(qtbot, far, protocol.OpenModel, source=str(path), trust_code=True).kind == "opened"
    there = ask(qtbot, far, protocol.MakeEstimate, plan=PLAN, device="H100 80GB").estimate
    assert far.info is not None
    assert far.info.interpreter == trainer
    assert list((host.cache / "memplanner").iterdir())

    import memplanner  # here, as the window's tests have no torch otherwise

    here = memplanner.estimate(memplanner.load(str(path)), PLAN, "H100 80GB").figures()
    assert there.peak.allocated_bytes == here.allocated_bytes
    assert there.peak.device_bytes == here.device_bytes


def test_a_plan_runs_there_until_the_connection_is_cut_which_ends_run_and_engine(
    qtbot: QtBot, far: EngineClient, host: SshHost, tmp_path: Path
) -> None:
    slow = recipe(tmp_path, forward="time.sleep(0.1 if ids.device.type == 'cpu' else 0)")
    opened = ask(qtbot, far, protocol.OpenModel, source=str(slow), trust_code=True)
    assert opened.kind == "opened"
    started: list[RunStarted] = []
    steps: list[RunStep] = []
    failed: list[protocol.Failure] = []

    def hear(reply: protocol.AnyReply) -> None:
        event = reply.event if isinstance(reply, protocol.Run) else None
        if isinstance(event, RunStarted):
            started.append(event)
        elif isinstance(event, RunStep):
            steps.append(event)

    far.request(
        protocol.ApplyPlan,
        plan=PLAN,
        device="cpu",
        steps=10_000,
        event=hear,
        failed=failed.append,
    )
    qtbot.waitUntil(lambda: len(steps) >= 2 or bool(failed), timeout=WAIT_MS)
    assert not failed, failed
    assert [one.step for one in steps[:2]] == [1, 2]
    assert far.info is not None
    processes = (far.info.process_id, started[0].process_id)
    assert not any(map(is_gone, processes))
    with qtbot.waitSignal(far.ended, timeout=WAIT_MS) as ended:
        cut(host)
    assert ended.args[0].sentence == f"The connection to {NAME} was lost."
    assert far.state is EngineState.FAILED
    assert [one.error for one in failed] == ["EngineEnded"]
    qtbot.waitUntil(lambda: all(map(is_gone, processes)), timeout=WAIT_MS)


@pytest.fixture
def far_window(qtbot: QtBot, host: SshHost, tmp_path: Path) -> Iterator[MainWindow]:
    """A window whose small engine is far away."""

    def close(window: MainWindow) -> None:
        window.session.document.history.setClean()

    client = EngineClient(host.place(sys.executable), (str(FAKE_ENGINE),))
    window = MainWindow(Session(Document(), client, SettingsFile(tmp_path / "window.json")))
    window.session.setParent(window)
    qtbot.addWidget(window, before_close_func=close)
    window.show()
    client.start()
    assert window.status.engine.text() == f"Connecting to {NAME}"
    window.session.open("preset:llama-3.1-8b")
    qtbot.waitUntil(lambda: window.session.document.estimate is not None, timeout=WAIT_MS)
    yield window
    client.stop()


def test_the_window_says_that_the_connection_is_lost_keeps_the_plan_and_connects_again(
    qtbot: QtBot, far_window: MainWindow, host: SshHost
) -> None:
    window = far_window
    assert window.status.engine.text() == f"Engine: {NAME}, torch 2.13.0"
    assert window.tools.device.accessibleName().startswith("Device: CPU on far-machine")
    window.session.edit("training.batch_size", 3)
    notice = window.workspace.notice
    cut(host)
    qtbot.waitUntil(lambda: "was lost" in notice.text, timeout=WAIT_MS)
    assert window.status.engine.text() == f"Not connected to {NAME}"
    assert window.session.document.plan.training.batch_size == 3
    assert window.session.document.model is not None
    window.session.restart_engine()
    qtbot.waitUntil(
        lambda: (
            window.session.document.estimate is not None
            and window.session.document.estimate.plan.training.batch_size == 3
            and not window.session.engine.owed()
        ),
        timeout=WAIT_MS,
    )
    assert notice.text == ""


def test_models_are_opened_by_paths_there_and_exports_are_files_here(
    qtbot: QtBot, far_window: MainWindow, tmp_path: Path
) -> None:
    window = far_window
    window.actions_["open"].trigger()
    opening = window.findChild(OpenDialog)
    assert opening is not None
    assert NAME in opening.windowTitle()
    opening.reject()
    window.workspace.live.form._choose_file()
    asked = window.findChild(PathDialog)
    assert asked is not None
    asked.path.setText("~/corpus.txt")
    asked.take.click()
    assert window.workspace.live.form.settings.data == "~/corpus.txt"
    window.actions_["export"].trigger()
    export = window.findChild(ExportDialog)
    assert export is not None
    qtbot.waitUntil(lambda: len(export._rendered) == 2, timeout=WAIT_MS)
    before = window.session.engine._last_id
    export.save_to(str(tmp_path / "plan.yaml"))
    assert "precision: bf16" in (tmp_path / "plan.yaml").read_text()
    assert window.session.engine._last_id == before, "the far engine would write it there"
    export.close()


def test_what_a_start_up_file_prints_is_no_greeting(
    qtbot: QtBot, host: SshHost, tmp_path: Path
) -> None:
    noisy = tmp_path / "python"
    noisy.write_text(f"#!/bin/sh\necho Welcome\nprintf 'no end: '\nexec {sys.executable} \"$@\"\n")
    noisy.chmod(0o755)
    client = EngineClient(host.place(str(noisy)), (str(FAKE_ENGINE),))
    lines: list[str] = []
    client.log_line.connect(lines.append)
    client.start()
    assert ask(qtbot, client, protocol.ListPresets).kind == "presets"
    assert lines == ["not a message: Welcome"]
    client.stop()


def test_an_engine_of_another_version_is_named(qtbot: QtBot, host: SshHost) -> None:
    outcome = end_of(qtbot, host.place(sys.executable), str(FAKE_ENGINE), "--stranger")
    assert "memplanner 9.1" in outcome.sentence


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (lambda host: host.place(known=False), "The host key of far-machine is not known here"),
        (lambda host: host.place(key="other_key"), "far-machine lets nobody in"),
        (lambda host: host.place(port=1), "far-machine cannot be reached"),
        (lambda host: host.place("/nowhere/python"), "no Python at “/nowhere/python”"),
    ],
    ids=["unknown host key", "refused key", "unreachable", "no Python"],
)
def test_why_there_is_no_connection_is_said(
    qtbot: QtBot, host: SshHost, place: Callable[[SshHost], Place], words: str
) -> None:
    assert words in end_of(qtbot, place(host)).sentence


def test_a_machine_is_checked_and_chosen(
    qtbot: QtBot, host: SshHost, trainer: str, tmp_path: Path
) -> None:
    dialog = EngineDialog(Place(), (), None, home=tmp_path)
    dialog.probes.cancel()
    qtbot.addWidget(dialog)
    dialog.open()
    for kind in (QAbstractButton, QLineEdit, QComboBox, QListWidget):
        for widget in dialog.findChildren(kind):
            named = widget.accessibleName() or (
                isinstance(widget, QAbstractButton) and widget.text()
            )
            assert named or isinstance(widget.parent(), QComboBox), widget
    rows = range(dialog.places.count())
    dialog.places.select(
        next(row for row in rows if dialog.places.candidate(row) is dialog.another)
    )
    place = host.place(trainer)
    dialog.form.host.setText(place.host)
    dialog.form.options.setText(" ".join(place.options))
    dialog.form.python.setCurrentText(trainer)
    assert not dialog.use.isEnabled()
    dialog.form.check.click()
    qtbot.waitUntil(dialog.use.isEnabled, timeout=WAIT_MS)
    with qtbot.waitSignal(dialog.chosen) as chosen:
        dialog.use.click()
    assert chosen.args == [place.model_copy(update={"brought": True})]
