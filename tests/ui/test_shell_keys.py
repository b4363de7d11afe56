"""The keys of every command can be seen and changed, and no keys are ever two commands'."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QObject
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner_ui.actions import ACTIONS, Actions
from memplanner_ui.keys_dialog import KeysDialog
from memplanner_ui.settings import SettingsFile
from memplanner_ui.shortcuts import DECLARED, Shortcuts, portable, refusal

NAMES = st.sampled_from(sorted(DECLARED))
KEYS = st.sampled_from(
    ["", "Ctrl+R", "Ctrl+1", "F5", "Ctrl+Y", "Ctrl+Shift+Z", "Alt+Q", "Ctrl+Alt+9", "Meta+F12"]
)


def made(path: Path, owner: QObject) -> tuple[Actions, Shortcuts, SettingsFile]:
    actions = Actions({declared.name: lambda: None for declared in ACTIONS}, owner)
    settings = SettingsFile(path / "window.json", owner)
    return actions, Shortcuts(actions, settings, owner), settings


def keys_now(actions: Actions, name: str) -> list[str]:
    return [keys.toString() for keys in actions[name].shortcuts()]


@given(st.lists(st.tuples(NAMES, st.none() | KEYS), max_size=8))
def test_whatever_is_chosen_and_reset_no_keys_are_two_actions(
    tmp_path_factory: pytest.TempPathFactory,
    qapp: QApplication,
    changes: list[tuple[str, str | None]],
) -> None:
    owner = QObject()
    actions, shortcuts, _ = made(tmp_path_factory.getbasetemp() / "none", owner)
    for name, keys in changes:
        if keys is None:
            shortcuts.reset(name)
            assert keys_now(actions, name) == list(map(portable, DECLARED[name]))
        else:
            shortcuts.choose(name, keys)
            assert keys_now(actions, name) == ([portable(keys)] if keys else [])
        every = [keys for one in DECLARED for keys in keys_now(actions, one)]
        assert len(every) == len(set(every))
    shortcuts.reset_all()
    assert all(keys_now(actions, one) == list(map(portable, DECLARED[one])) for one in DECLARED)
    owner.deleteLater()


def test_chosen_keys_are_there_at_the_next_start(tmp_path: Path, qapp: QApplication) -> None:
    owner = QObject()
    actions, shortcuts, settings = made(tmp_path, owner)
    shortcuts.choose("apply", "Ctrl+1")
    settings.save()
    assert actions["apply"].toolTip().endswith(f"({QKeySequence('Ctrl+1').toString()})")
    again, *_ = made(tmp_path, owner)
    assert keys_now(again, "apply") == ["Ctrl+1"]
    assert keys_now(again, "view_layers") == []
    owner.deleteLater()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("A", "alone is typed into fields"),
        ("Shift+5", "alone is typed into fields"),
        ("Ctrl+C", "edits or copies"),
        ("", "Press the keys"),
        ("F7", ""),
        ("Ctrl+Shift+A", ""),
    ],
)
def test_keys_that_fields_need_are_refused(qapp: QApplication, keys: str, said: str) -> None:
    words = refusal(keys)
    assert said in words
    assert bool(said) == bool(words)


def test_every_declared_key_could_be_chosen(qapp: QApplication) -> None:
    assert not [keys for one in DECLARED.values() for keys in one if refusal(keys)]


def test_the_dialog_says_who_loses_the_keys_and_gives_them_back(
    qtbot: QtBot, tmp_path: Path
) -> None:
    owner = QObject()
    actions, shortcuts, _ = made(tmp_path, owner)
    dialog = KeysDialog(shortcuts)
    qtbot.addWidget(dialog)
    dialog.filter.setText("apply")
    dialog.choose("apply")
    dialog.field.setKeySequence(QKeySequence("Ctrl+1"))
    assert "Layers" in dialog.words.text()
    dialog.assign.click()
    assert keys_now(actions, "apply") == ["Ctrl+1"]
    assert not dialog.assign.isEnabled()
    dialog.reset_all.click()
    assert keys_now(actions, "apply") == ["Ctrl+R"]
    assert keys_now(actions, "view_layers") == ["Ctrl+1"]
    dialog.field.setKeySequence(QKeySequence("Q"))
    assert not dialog.assign.isEnabled()
    owner.deleteLater()
