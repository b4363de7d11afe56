"""What the window remembers, and how it is kept on disk."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memplanner_ui.engine import Place
from memplanner_ui.settings import RECENT, Recent, Settings, SettingsFile
from memplanner_ui.settings_reading import SCHEMA


def test_changes_are_found_again(qapp: object, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "window.json"
    file = SettingsFile(path)
    file.update(scheme="dark", steps=7, folded={"optimizer": True})
    file.save()
    values = SettingsFile(path).values
    assert (values.scheme, values.steps, values.folded) == ("dark", 7, {"optimizer": True})


def test_a_change_is_saved_by_itself(qtbot: QtBot, tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "window.json")
    file.update(steps=9)
    qtbot.waitUntil(file.path.exists, timeout=3000)
    assert SettingsFile(file.path).values.steps == 9


def test_the_file_is_the_users_alone(qapp: object, tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "window.json")
    file.update(steps=5)
    file.save()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["window.json"]


@pytest.mark.parametrize("text", ["{", "[]", "12", "[" * 100_000])
def test_a_file_that_cannot_be_read_is_set_aside(qapp: object, tmp_path: Path, text: str) -> None:
    path = tmp_path / "window.json"
    path.write_text(text)
    file = SettingsFile(path)
    assert file.values == Settings()
    assert file.notes[0].endswith("it is kept as window.unreadable.json.")
    assert (tmp_path / "window.unreadable.json").read_text() == text


def test_a_value_that_makes_no_sense_is_left_out_alone(qapp: object, tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    path.write_text('{"scheme": "pink", "steps": 4, "recent": [{"source": 1}]}')
    file = SettingsFile(path)
    assert (file.values.scheme, file.values.steps, file.values.recent) == ("system", 4, ())
    assert file.notes == (
        f"{path} holds values that make no sense and are left out: recent, scheme.",
    )


def test_an_older_file_is_brought_up(qapp: object, tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    path.write_text('{"schema_version": 1, "interpreter": "/opt/train/bin/python", "steps": 4}')
    file = SettingsFile(path)
    assert file.values.engine_place == Place(python="/opt/train/bin/python")
    file.update(steps=5)
    file.save()
    written = json.loads(path.read_text())
    assert (written["schema_version"], written["steps"]) == (SCHEMA, 5)
    assert "interpreter" not in written


def test_a_newer_file_keeps_what_this_version_does_not_know(qapp: object, tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    newer = {"schema_version": 99, "steps": 4, "hologram": {"depth": 3}}
    path.write_text(json.dumps(newer))
    file = SettingsFile(path)
    file.update(steps=5)
    file.save()
    written = json.loads(path.read_text())
    assert {name: written[name] for name in newer} == {**newer, "steps": 5}


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_others_could_read_is_closed_to_them(qapp: object, tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    path.write_text("{}")
    path.chmod(0o644)
    SettingsFile(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_told(qtbot: QtBot, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    file = SettingsFile(blocker / "window.json")
    with qtbot.waitSignal(file.failed) as failed:
        file.update(steps=8)
        file.save()
    assert "could not be saved" in failed.args[0]


def test_recent_ones_are_newest_first_without_doubles(qapp: object, tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "window.json")
    for number in range(RECENT + 3):
        file.remember(Recent(source=f"model-{number}", title=str(number)))
    file.remember(Recent(source="model-9", title="again"))
    recent = file.values.recent
    assert len(recent) == RECENT
    assert recent[0].title == "again"
    assert len({one.source for one in recent}) == RECENT
    file.save()
