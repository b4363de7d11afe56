"""The device chooser: what it lists, how it filters, and that the keys reach it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from memplanner.messages.device import Device
from memplanner.units import GIB
from memplanner_ui.device_chooser import HEIGHT, WIDTH, DeviceChooser
from memplanner_ui.device_list import HERE, OTHERS, USED, DeviceRows, rows_of
from memplanner_ui.look import type as fonts
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.main_window import MainWindow
from memplanner_ui.settings import RECENT_DEVICES


def card(name: str, gib: float | None = 80, *, index: int | None = None) -> Device:
    return Device(
        name=name,
        kind="cuda",
        memory_bytes=None if gib is None else int(gib * GIB),
        index=index,
        local=index is not None,
    )


CPU = Device(name="CPU", kind="cpu", memory_bytes=16 * GIB, local=True)
OWN = card("RTX 4090", 24, index=0)
DEVICES = (
    CPU, OWN, card("A100 40GB", 39.5), card("A100 80GB MIG 3g.40gb", 39.2), card("A100 80GB"),
    card("RTX 4090", 23.5), card("RTX 4080", 16), card("H100 80GB", 79.6), card("Arc B580", None),
)  # fmt: skip


def names(words: str = "", used: tuple[str, ...] = (), chosen: str | None = None) -> list[str]:
    return [row.text for row in rows_of(DEVICES, used, chosen, words)]


def test_devices_stand_in_their_groups_once_each() -> None:
    listed = names(used=("H100 80GB", "cuda:0", "A100 80GB", "gone"))
    assert listed[:3] == [HERE, "CPU", "RTX 4090"]
    assert listed[3:6] == [USED, "H100 80GB", "A100 80GB"]
    assert listed[6] == OTHERS
    assert "H100 80GB" not in listed[7:]
    assert len(listed) == len(DEVICES) + 3


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("a100 40", ["A100 40GB", "A100 80GB MIG 3g.40gb"]),
        ("40GB  A100", ["A100 40GB", "A100 80GB MIG 3g.40gb"]),
        ("RTX 4090", ["RTX 4090", "RTX 4090"]),
        ("79.6", ["H100 80GB"]),
        ("not known", ["Arc B580"]),
        ("a100 h100", []),
    ],
)
def test_every_word_has_to_match_in_any_case(words: str, found: list[str]) -> None:
    headings = {HERE, USED, OTHERS}
    assert [name for name in names(words) if name not in headings] == found


@given(st.text(max_size=12), st.integers(-1, 12), st.integers(-12, 12))
def test_steps_end_on_a_device_never_on_a_heading(words: str, place: int, steps: int) -> None:
    rows = DeviceRows()
    rows.show(rows_of(DEVICES, ("H100 80GB",), None, words))
    reached = rows.next_device(place, steps)
    assert (rows.device(reached) is not None) == bool(rows.rows)


@pytest.fixture
def button(qtbot: QtBot, qapp: QApplication) -> QPushButton:
    apply_theme(qapp, "light")
    made = QPushButton("Device")
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def chooser(button: QPushButton) -> DeviceChooser:
    made = DeviceChooser(button)
    made.open_below(button, DEVICES, ("H100 80GB",), DEVICES[2])
    return made


def current(chooser: DeviceChooser) -> str:
    return str(chooser.list.currentIndex().data())


def press(chooser: DeviceChooser, key: Qt.Key) -> None:
    QTest.keyClick(chooser.field, key)


def test_it_opens_below_its_button_on_the_chosen_one_with_the_cursor_in_the_field(
    chooser: DeviceChooser, button: QPushButton
) -> None:
    assert chooser.isVisible()
    assert chooser.width() == fonts.scaled(WIDTH)
    assert chooser.height() <= fonts.scaled(HEIGHT)
    assert chooser.focusWidget() is chooser.field
    assert current(chooser) == "A100 40GB"
    index = chooser.list.currentIndex()
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "A100 40GB, 39.5 GiB, chosen"


def test_the_keys_work_from_the_field(qtbot: QtBot, chooser: DeviceChooser) -> None:
    QTest.keyClicks(chooser.field, "a100")
    assert current(chooser) == "A100 40GB"
    press(chooser, Qt.Key.Key_Down)
    press(chooser, Qt.Key.Key_Down)
    press(chooser, Qt.Key.Key_Up)
    taken = current(chooser)
    with qtbot.waitSignal(chooser.chosen) as caught:
        press(chooser, Qt.Key.Key_Return)
    assert caught.args is not None
    assert caught.args[0].name == taken != "A100 40GB"
    assert not chooser.isVisible()


def test_escape_chooses_nothing(qtbot: QtBot, chooser: DeviceChooser) -> None:
    with qtbot.assertNotEmitted(chooser.chosen):
        press(chooser, Qt.Key.Key_Escape)
    assert not chooser.isVisible()


def test_nothing_found_is_said_in_a_sentence_and_return_does_nothing(
    qtbot: QtBot, chooser: DeviceChooser
) -> None:
    QTest.keyClicks(chooser.field, "tpu  v9")
    assert chooser.none.text() == "No device has “tpu v9” in its name."
    assert chooser.none.isVisible()
    assert not chooser.list.isVisible()
    with qtbot.assertNotEmitted(chooser.chosen):
        press(chooser, Qt.Key.Key_Return)
        press(chooser, Qt.Key.Key_Down)
    chooser.field.clear()
    assert chooser.list.isVisible()
    assert current(chooser) == "A100 40GB"


def test_a_heading_cannot_be_chosen(qtbot: QtBot, chooser: DeviceChooser) -> None:
    heading = chooser.rows.index(0)
    assert heading.flags() == Qt.ItemFlag.NoItemFlags
    with qtbot.assertNotEmitted(chooser.chosen):
        chooser.list.clicked.emit(heading)
    assert chooser.isVisible()


def test_newer_devices_keep_words_and_row(chooser: DeviceChooser) -> None:
    QTest.keyClicks(chooser.field, "80gb")
    press(chooser, Qt.Key.Key_Down)
    before = current(chooser)
    busier = CPU.model_copy(update={"used_bytes": GIB})
    chooser.show_devices((busier, *DEVICES[1:]))
    assert chooser.field.text() == "80gb"
    assert current(chooser) == before


def test_a_thousand_devices_are_listed_and_filtered(button: QPushButton) -> None:
    many = tuple(card(f"Card {number} {number % 97}GB") for number in range(1000))
    chooser = DeviceChooser(button)
    for words in ("", "7 card", "50"):
        chooser.open_below(button, many, ("Card 3 3GB",), many[500])
        chooser.field.setText(words)
        model = chooser.list.model()
        listed = [str(model.index(row, 0).data()) for row in range(model.rowCount())]
        names = [one.name for one in many]
        wanted = [name for name in names if all(word in name.lower() for word in words.split())]
        assert sorted(set(listed) & set(names)) == sorted(wanted)
        chooser.close()


def test_choosing_is_remembered_and_followed(qtbot: QtBot, opened: MainWindow) -> None:
    session = opened.session
    opened.actions_["choose_device"].trigger()
    chooser = opened.tools.device.chooser
    assert chooser.isVisible()
    QTest.keyClicks(chooser.field, "h100")
    press(chooser, Qt.Key.Key_Return)
    assert session.document.device is not None
    assert session.document.device.name == "H100 80GB"
    assert session.settings.values.device == "H100 80GB"
    assert session.settings.values.devices == ("H100 80GB",)
    qtbot.waitUntil(lambda: session.document.estimate_is_current, timeout=30_000)
    opened.actions_["choose_device"].trigger()
    rows = [row.text for row in chooser.rows.rows]
    assert rows[rows.index(USED) + 1] == "H100 80GB"
    assert current(chooser) == "H100 80GB"
    chooser.close()
    for number in range(RECENT_DEVICES + 2):
        session.settings.remember_device(f"card {number}")
    assert len(session.settings.values.devices) == RECENT_DEVICES
    assert session.settings.values.devices[0] == f"card {RECENT_DEVICES + 1}"


def test_the_palette_finds_devices_too(opened: MainWindow) -> None:
    titles = [entry.text for entry in opened.commands.entries() if entry.kind == "device"]
    assert "Plan for H100 80GB" in titles


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_large_text_grows_it_with_the_text(
    qapp: QApplication, button: QPushButton, scheme: str
) -> None:
    apply_theme(qapp, "dark" if scheme == "dark" else "light")
    font = qapp.font()
    large = qapp.font()
    large.setPointSizeF(font.pointSizeF() * 1.5)
    qapp.setFont(large)
    try:
        chooser = DeviceChooser(button)
        chooser.open_below(button, DEVICES, (), None)
        assert chooser.width() > WIDTH
        assert not chooser.grab().isNull()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        chooser.close()
    finally:
        qapp.setFont(font)
