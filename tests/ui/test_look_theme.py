from __future__ import annotations

from importlib.resources import files

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFont, QPalette
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.style_sheet import style_sheet
from memplanner_ui.look.theme import apply_theme, system_colors
from memplanner_ui.look.tokens import read_tokens

ICONS = sorted(
    entry.name.removesuffix(".svg")
    for entry in (files("memplanner.resources") / "icons").iterdir()
    if entry.name.endswith(".svg") and entry.name != "app.svg"  # has colours of its own
)


def test_a_scheme_sets_palette_style_sheet_and_colours(qtbot: QtBot, qapp: QApplication) -> None:
    light = apply_theme(qapp, "light")
    assert qapp.palette().color(QPalette.ColorRole.Window).name() == "#f1f2f4"
    assert light.color("accent").name() == "#4b50c8"
    with qtbot.waitSignal(light.changed):
        dark = apply_theme(qapp, "dark")
    assert dark is light is theme.current()
    assert qapp.palette().color(QPalette.ColorRole.Base).name() == "#16181b"
    assert "#9297f7" in qapp.styleSheet()
    assert "#4b50c8" not in qapp.styleSheet()


def test_every_token_is_a_colour_by_name(qtbot: QtBot, qapp: QApplication) -> None:
    current = apply_theme(qapp, "light")
    for name, value in read_tokens("light").colors.items():
        assert current.color(name).name() == value.lower()
    with pytest.raises(KeyError):
        current.color("mauve")


def test_taking_the_same_scheme_again_changes_nothing(qtbot: QtBot, qapp: QApplication) -> None:
    current = apply_theme(qapp, "dark")
    with qtbot.assertNotEmitted(current.changed):
        apply_theme(qapp, "dark")


def test_a_style_sheet_leaves_no_name_open(qapp: QApplication) -> None:
    current = apply_theme(qapp, "light")
    colors = {name: current.color(name) for name in read_tokens("light").colors}
    assert "$" not in style_sheet(colors, "marks", fonts.scaled)


def test_high_contrast_takes_surfaces_and_text_from_the_system() -> None:
    system = QPalette()
    system.setColor(QPalette.ColorRole.Window, Qt.GlobalColor.black)
    system.setColor(QPalette.ColorRole.WindowText, Qt.GlobalColor.yellow)
    taken = system_colors(system)
    assert taken["window"].name() == taken["panel"].name() == "#000000"
    assert taken["text"].name() == taken["text3"].name() == "#ffff00"
    assert "parameters" not in taken


def test_sizes_follow_the_application_font(qapp: QApplication) -> None:
    apply_theme(qapp, "light")
    before = QFont(qapp.font())
    sizes = {role: fonts.font(role).pointSizeF() for role in ("verdict", "body", "axis")}
    assert sizes["verdict"] > sizes["body"] > sizes["axis"]
    height = fonts.scaled(23)
    larger = QFont(before)
    larger.setPointSizeF(before.pointSizeF() * 2)
    qapp.setFont(larger)
    try:
        assert fonts.font("axis").pointSizeF() == pytest.approx(2 * sizes["axis"])
        assert fonts.scaled(23) > 1.8 * height
    finally:
        qapp.setFont(before)


def test_figures_are_tabular(qapp: QApplication) -> None:
    apply_theme(qapp, "light")
    for role in ("verdict", "body", "axis"):
        assert fonts.font(role).featureValue(QFont.Tag("tnum")) == 1


@pytest.mark.parametrize("name", ICONS)
def test_an_icon_is_drawn_in_the_ink_of_the_theme(qapp: QApplication, name: str) -> None:
    apply_theme(qapp, "light")
    assert "#" not in icons.source(name)  # no colour of its own
    image = icons.icon(name, "trouble").pixmap(64).toImage()
    inked = [
        image.pixelColor(x, y)
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    ]
    assert len(inked) > 20
    ink = theme.current().color("trouble")
    for color in inked:
        channels = zip(color.getRgb()[:3], ink.getRgb()[:3], strict=True)
        assert all(abs(a - b) <= 2 for a, b in channels), color.name()


def test_an_icon_follows_the_theme(qtbot: QtBot, qapp: QApplication) -> None:
    apply_theme(qapp, "light")
    button = QPushButton()
    qtbot.addWidget(button)
    icons.set_icon(button, "stop")
    before = button.icon().cacheKey()
    apply_theme(qapp, "dark")
    assert button.icon().cacheKey() != before


def test_the_focus_ring_goes_with_the_focus(qtbot: QtBot, qapp: QApplication) -> None:
    apply_theme(qapp, "light")
    window = QWidget()
    qtbot.addWidget(window)
    layout = QVBoxLayout(window)
    first, second = QLineEdit(), QPushButton("b")
    layout.addWidget(first)
    layout.addWidget(second)
    window.show()
    window.activateWindow()

    def ring() -> QRect | None:
        found = window.findChildren(QWidget, "focusRing")
        shown = [one for one in found if one.isVisible()]
        return shown[0].geometry() if shown else None

    for widget in (first, second):
        widget.setFocus()
        qtbot.waitUntil(lambda widget=widget: widget.hasFocus())
        area = ring()
        assert area is not None
        assert area.contains(widget.geometry())
        assert area.width() == widget.width() + 6
    second.move(second.x(), second.y() + 9)
    moved = ring()
    assert moved is not None
    assert moved.top() == second.y() - 3
