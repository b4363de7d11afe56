"""Actions and the palette that finds them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QObject, QRect, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenuBar, QWidget
from pytestqt.qtbot import QtBot

from memplanner_ui.actions import ACTIONS, MENUS, Actions
from memplanner_ui.palette import Entry, Palette, ranked


def entry(text: str, detail: str = "") -> Entry:
    return Entry("command", text, detail, lambda: None)


def test_no_two_actions_share_a_name_or_a_key() -> None:
    names = Counter(declared.name for declared in ACTIONS)
    keys = Counter(QKeySequence(key).toString() for declared in ACTIONS for key in declared.keys)
    assert [name for name, count in names.items() if count > 1] == []
    assert [key for key, count in keys.items() if count > 1] == []
    assert {declared.menu for declared in ACTIONS} <= set(MENUS)


def test_the_keys_are_those_that_are_promised() -> None:
    promised = {
        "open": "Ctrl+O",
        "save_plan": "Ctrl+S",
        "save_plan_as": "Ctrl+Shift+S",
        "undo": "Ctrl+Z",
        "redo": "Ctrl+Shift+Z",
        "palette": "Ctrl+K",
        "find": "Ctrl+F",
        "apply": "Ctrl+R",
        "stop": "Ctrl+.",
        "export": "Ctrl+E",
        "view_layers": "Ctrl+1",
        "view_timeline": "Ctrl+2",
        "view_live": "Ctrl+3",
        "timeline_table": "Alt+T",
        "left_dock": "F4",
        "right_dock": "F9",
        "next_pane": "F6",
        "last_pane": "Shift+F6",
    }
    declared = {one.name: one.keys[0] for one in ACTIONS if one.keys}
    assert {name: declared[name] for name in promised} == promised


def test_an_action_without_a_handler_is_refused(qapp: object) -> None:
    with pytest.raises(KeyError):
        Actions({"open": lambda: None}, QObject())


def test_actions_reach_their_handlers_and_fill_the_menus(qtbot: QtBot) -> None:
    done: list[str] = []
    handlers = {declared.name: lambda name=declared.name: done.append(name) for declared in ACTIONS}
    bar = QMenuBar()
    qtbot.addWidget(bar)
    actions = Actions(handlers, bar)
    menus = actions.fill(bar)
    assert tuple(menus) == MENUS
    for declared in ACTIONS:
        actions[declared.name].trigger()
        assert done[-1] == declared.name
        assert actions[declared.name] in menus[declared.menu].actions()


def test_what_needs_a_model_is_off_without_one(qtbot: QtBot) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    actions = Actions({declared.name: lambda: None for declared in ACTIONS}, owner)
    actions.enable(model=False, run=False)
    assert not actions["apply"].isEnabled()
    assert actions["open"].isEnabled()
    actions.enable(model=True, run=True)
    assert not actions["apply"].isEnabled()
    assert actions["stop"].isEnabled()


def test_the_closest_text_comes_first() -> None:
    entries = [entry("Hide the export"), entry("Export…"), entry("model.export.layer")]
    assert [one.text for one in ranked(entries, "exp")] == [
        "Export…",
        "Hide the export",
        "model.export.layer",
    ]


@given(st.lists(st.text("abc .", max_size=8), max_size=12), st.text("abc ", max_size=5))
def test_every_word_is_in_what_is_found_and_nothing_is_missed(texts: list[str], words: str) -> None:
    entries = [entry(text) for text in texts]
    found = ranked(entries, words)
    whole = {id(one): f"{one.text} {one.detail} {one.kind}" for one in entries}
    expected = [one for one in entries if all(word in whole[id(one)] for word in words.split())]
    assert Counter(map(id, found)) == Counter(map(id, expected))


def test_the_keyboard_chooses_from_the_palette(qtbot: QtBot) -> None:
    chosen: list[str] = []
    window = QWidget()
    qtbot.addWidget(window)
    palette = Palette(window)
    entries = [
        Entry("command", text, "", lambda text=text: chosen.append(text))
        for text in ("Open…", "Open folder…", "Quit")
    ]
    window.show()
    palette.open_over(QRect(0, 0, 400, 300), entries)
    qtbot.keyClicks(palette.field, "open")
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert chosen == ["Open folder…"]
    assert palette.isHidden()
