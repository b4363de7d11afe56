"""Samples on the start page: one click opens model, device and plan, as a copy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from memplanner.messages.protocol import ListDevices
from memplanner.plan.samples import samples
from memplanner_ui.main_window import MainWindow
from tests.ui.acting import LONG

HERE = next(one for one in samples() if one.device == "cpu")
FIRST = samples()[0]


def test_a_click_opens_a_sample_as_a_plan_that_no_file_has(
    qtbot: QtBot, window: MainWindow
) -> None:
    document, cards = window.session.document, window.start.samples
    chosen = window.session.settings.values.device
    window.session.document.set_device(next(d for d in window.session.devices if not d.local))
    place = next(row for row, one in enumerate(samples()) if one is HERE)
    cards.scrollTo(cards.cards.index(place))
    area = cards.visualRect(cards.cards.index(place))
    qtbot.mouseClick(cards.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
    qtbot.waitUntil(lambda: document.estimate_is_current, timeout=LONG)
    assert document.source == HERE.source
    assert document.plan == HERE.plan
    assert document.device is not None
    assert document.device.selector == "cpu"
    assert window.session.settings.values.device == chosen  # not the user's own choice
    assert document.dirty
    assert document.path is None
    window.actions_["undo"].trigger()
    assert document.plan == document.first_plan
    entries = {entry.text: entry for entry in window.commands.entries()}
    entries[f"Sample: {FIRST.title}"].choose()
    qtbot.waitUntil(lambda: document.source == FIRST.source, timeout=LONG)
    assert document.plan == FIRST.plan


def test_a_sample_that_was_not_opened_leaves_nothing_for_the_next_model(
    qtbot: QtBot, window: MainWindow
) -> None:
    broken = HERE.model_copy(update={"source": "broken"})
    window.samples.open(broken)
    qtbot.waitUntil(lambda: bool(window.start.notice.text), timeout=LONG)
    window.session.open("preset:gpt2")
    qtbot.waitUntil(lambda: window.session.document.model is not None, timeout=LONG)
    assert not window.session.document.dirty


def test_a_sample_that_is_opened_before_the_devices_are_known_has_its_own(
    qtbot: QtBot, window: MainWindow
) -> None:
    session = window.session
    known = session.devices
    session.document.set_device(next(one for one in known if not one.local))
    session.devices = ()
    session.engine.request(ListDevices, then=session._on_devices)  # as when an engine begins
    window.samples.open(HERE)
    qtbot.waitUntil(lambda: session.document.plan == HERE.plan, timeout=LONG)
    assert [one.name for one in session.devices] == [one.name for one in known]
    assert session.document.device is not None
    assert session.document.device.selector == HERE.device
