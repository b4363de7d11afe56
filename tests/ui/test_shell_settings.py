"""What the window remembers, and how it is kept on disk."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memplanner_ui.settings import RECENT, Recent, Settings, SettingsFile


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


@pytest.mark.parametrize("text", ["{", "[]", '{"steps": "many"}', '{"scheme": "pink"}'])
def test_a_file_that_cannot_be_read_is_set_aside(qapp: object, tmp_path: Path, text: str) -> None:
    path = tmp_path / "window.json"
    path.write_text(text)
    assert SettingsFile(path).values == Settings()
    assert (tmp_path / "window.unreadable.json").read_text() == text


def test_keys_of_a_newer_version_are_left_out(qapp: object, tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    path.write_text('{"schema_version": 1, "steps": 4, "hologram": true}')
    assert SettingsFile(path).values.steps == 4


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
