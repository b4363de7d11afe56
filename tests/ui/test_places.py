"""Where an engine may run: how it is started there, and what is said when it is not."""

from __future__ import annotations

import os
import shlex
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from memplanner import __version__
from memplanner.messages.environment import Environment, EnvironmentCards
from memplanner_ui.engine import HERE, EngineState, Outcome, Place
from memplanner_ui.engine.place import wrong_host
from memplanner_ui.engine_words import engine_words, looked_up
from memplanner_ui.environment import candidates as found
from memplanner_ui.environment.fitness import Requirement, asked_for, fitness, requirements
from memplanner_ui.environment.probe import Probe, Probes
from memplanner_ui.settings import Settings, SettingsFile

FAR = Place(host="user@gpu-box", python="/opt/venv/bin/python")
NEEDED = (Requirement("torch", "2.10"), Requirement("peft", "0.18"))
WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


def script(folder: Path, text: str) -> str:
    """An executable that stands in for a Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def environment(python: str = "3.11.7", **packages: str | None) -> Environment:
    return Environment(
        python=python, executable="", machine="box", packages=packages, torch_build="",
        others=(), more=False,
    )  # fmt: skip


@given(WORDS)
def test_what_a_far_shell_is_given_are_the_words_themselves(words: list[str]) -> None:
    assert HERE.command(*words) == [sys.executable, *words]
    *_, dashes, host, far = FAR.command(*words)
    assert (dashes, host) == ("--", FAR.host)
    shell = shlex.split(far)
    assert shell[:2] == ["sh", "-c"]
    assert shell[4:] == [FAR.python, *words]


def test_nothing_is_asked_and_no_host_is_an_option() -> None:
    command = FAR.model_copy(update={"options": ("-i", "~/key")}).command()
    assert "BatchMode=yes" in command
    assert os.path.expanduser("~/key") in command
    assert wrong_host("-oProxyCommand=sh")
    assert wrong_host("two words")
    assert not wrong_host("ssh://user@gpu-box:2222")
    home = FAR.model_copy(update={"python": "~/venv/bin/python"}).command("-P")
    assert shlex.split(home[-1])[4:] == ["./venv/bin/python", "-P"]


@pytest.mark.parametrize(
    ("code", "stderr", "words"),
    [
        (255, "ssh: Could not resolve hostname gpu-box: Name or service not known", "check its"),
        (255, "ssh: connect to host gpu-box port 22: No route to host", "cannot be reached"),
        (255, "Host key verification failed.", "“ssh user@gpu-box” once in a terminal"),
        (255, "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
         "ssh-keygen -R gpu-box"),
        (255, "user@gpu-box: Permission denied (publickey).", "ssh-copy-id"),
        (255, "command-line: line 0: Bad configuration option: foo", "options"),
        (255, "something new", "something new"),
        (127, "sh: 1: /opt/venv/bin/python: not found", "no Python at “/opt/venv/bin/python”"),
        (1, "No module named memplanner", "-m pip install memplanner"),
        (1, "ModuleNotFoundError: No module named 'pydantic'", "-m pip install pydantic"),
        (2, "Unknown option: -P", "older than Python 3.11"),
        (137, "Killed", "SIGKILL"),
    ],
)  # fmt: skip
def test_why_there_is_no_engine_far_away_is_one_sentence(
    code: int, stderr: str, words: str
) -> None:
    sentence = Outcome(place=FAR, exit_code=code, stderr=stderr).sentence
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_lost_connection_is_no_crash_of_the_engine() -> None:
    lost = Outcome(place=FAR, exit_code=255, answered=True)
    assert lost.sentence == "The connection to gpu-box was lost."
    assert not Outcome(place=FAR, exit_code=137, answered=True).lost
    assert not Outcome(exit_code=255, answered=True).lost


def test_the_status_bar_says_where_the_engine_is_or_what_it_waits_for() -> None:
    words = partial(engine_words, info=None, bringing=False)
    assert words(EngineState.STARTING, FAR) == "Connecting to gpu-box"
    assert words(EngineState.FAILED, FAR) == "Not connected to gpu-box"
    assert words(EngineState.STARTING, HERE) == "Engine is starting"
    bringing = engine_words(EngineState.STARTING, FAR, None, bringing=True)
    assert bringing == "Bringing the engine to gpu-box"
    assert looked_up(FAR, "/data/model.json").startswith("Paths are looked up on gpu-box")
    assert looked_up(FAR, "preset:gpt2") == looked_up(HERE, "/data/model.json") == ""


def test_an_environment_is_fit_or_says_what_to_install() -> None:
    whole = {"torch": "2.13.0+cpu", "peft": "0.18.1"}
    own = fitness(HERE, environment(memplanner=__version__, **whole), NEEDED)
    assert (own.usable, own.brought) == (True, False)
    for other in (None, "0.0.9"):
        brought = fitness(HERE, environment(memplanner=other, **whole), NEEDED)
        assert (brought.usable, brought.brought) == (True, True)
    old = fitness(HERE, environment("3.10.4", **whole), NEEDED)
    assert (old.usable, old.command) == (False, "")
    lacking = fitness(FAR, environment(torch="2.9.1", peft=None), NEEDED)
    assert not lacking.usable
    assert lacking.sentence == "peft is missing; torch 2.9.1 is older than 2.10."
    assert shlex.split(shlex.split(lacking.command)[2]) == [
        FAR.python, "-m", "pip", "install", "peft>=0.18", "torch>=2.10",
    ]  # fmt: skip


def test_what_an_engine_needs_has_neither_qt_nor_a_terminal() -> None:
    names = {one.name for one in requirements()}
    assert {"torch", "transformers", "pydantic"} <= names
    assert not names & {"PySide6-Essentials", "pyqtgraph", "typer", "rich"}


def test_places_are_found_where_users_have_them(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    pythons = (home / ".pyenv/versions/3.12.1", home / "miniconda3/envs/trainer", project / ".venv")
    for folder in pythons:
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)
    (project / ".venv" / "pyvenv.cfg").touch()
    (project / "models").mkdir()
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text(
        "Host gpu-box other\n  Port 22\nhost = *.lab\nHost=last\n"
    )
    environ = {"CONDA_PREFIX": str(pythons[1]), "PWD": str(home)}
    every = found.candidates(project / "models", (FAR, Place(host="gpu-box")), HERE, environ, home)
    told = [(one.group, one.title) for one in every]
    assert told == [
        (found.OWN, "memplanner’s Python"),
        (found.ACTIVE, "trainer"),
        (found.NEAR, "project/.venv"),
        (found.MACHINES, "gpu-box"),
        (found.MACHINES, "gpu-box"),
        (found.MACHINES, "other"),
        (found.MACHINES, "last"),
        (found.INSTALLED, "pyenv 3.12.1"),
    ]


def test_a_choice_of_an_older_version_is_still_the_choice(tmp_path: Path) -> None:
    file = tmp_path / "window.json"
    file.write_text('{"interpreter": "/opt/venv/bin/python"}', encoding="utf-8")
    old = SettingsFile(file).values
    assert old.engine_place == Place(python="/opt/venv/bin/python")
    assert Settings().engine_place == HERE


def test_a_python_says_what_it_has_and_why_its_torch_is_of_no_use(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libcudart is missing')\n")
    (tmp_path / "torch" / "version.py").write_text("cuda: str | None = '12.6'\nhip = None\n")
    (tmp_path / "torch-2.13.0.dist-info").mkdir()
    (tmp_path / "torch-2.13.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2.13.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    probe = Probe(HERE, ("torch", "no-such-package"))
    told: list[object] = []
    probe.told.connect(told.append)
    with qtbot.waitSignal(probe.ended, timeout=30_000) as ended:
        probe.start()
    assert ended.args == [""]
    facts, cards = told
    assert isinstance(facts, Environment)
    assert facts.packages == {"torch": "2.13.0", "no-such-package": None}
    assert facts.torch_build == "CUDA 12.6"
    assert cards == EnvironmentCards(cards=(), trouble="OSError: libcudart is missing")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo Python 3.6 is too old >&2; exit 1", "3.6 is too old: the engine needs 3.11"),
        ("echo rubbish; echo it broke >&2; exit 3", "could not say what it has (it broke)"),
    ],
)
def test_a_python_that_cannot_say_is_a_sentence(
    qtbot: QtBot, tmp_path: Path, text: str, words: str
) -> None:
    probe = Probe(Place(python=script(tmp_path, text)), ())
    with qtbot.waitSignal(probe.ended, timeout=30_000) as ended:
        probe.start()
    assert words in ended.args[0]


def test_asking_is_given_up_without_a_trace(qtbot: QtBot, tmp_path: Path) -> None:
    mark = tmp_path / "process"
    probes = Probes(asked_for())
    place = Place(python=script(tmp_path, f"echo $$ > {mark}; exec sleep 60"))
    probes.ask(place)
    qtbot.waitUntil(lambda: mark.exists() and bool(mark.read_text()), timeout=30_000)
    probes.cancel()
    assert not probes.asks(place)
    for _ in range(100):
        if not Path(f"/proc/{mark.read_text().strip()}").exists():
            return
        time.sleep(0.02)
    raise AssertionError("it still sleeps")
