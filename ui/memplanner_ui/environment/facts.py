"""What is known of one place: its packages, its cards, whether an engine can run there."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QWidget

from memplanner.messages.environment import Environment, EnvironmentCards
from memplanner_ui.environment.fitness import ENGINE, OPTIONAL, Fitness
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import Panel, Part, label

NAMED = ("transformers", "accelerate", "peft", *OPTIONAL)
ABSENT = translatable("Environment", "not installed")


class Facts(Panel):
    """Shows one place at a time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Environment", "What is there"), parent)

    def show_nothing(self, words: str) -> None:
        """Shows a sentence alone."""
        self.clear_parts()
        part = Part()
        part.add(label(words, "body", "secondary", wrap=True))
        self.add_part(part)

    def show_trouble(self, sentence: str) -> None:
        """Shows why nothing is known."""
        self.clear_parts()
        self.add_part(_verdict("trouble", "trouble", sentence))

    def show_facts(
        self, found: Environment, judged: Fitness, cards: EnvironmentCards | None, trouble: str
    ) -> None:
        """Shows what an environment has said, and ``trouble`` where it could not say all."""
        self.clear_parts()
        icon, ink = ("check", "fits") if judged.usable else ("caution", "caution")
        head = _verdict(icon, ink, judged.sentence)
        if judged.command:
            head.add(_Command(judged.command))
        self.add_part(head)
        part = Part(translate("Environment", "What is there"))
        pairs = [
            (translate("Environment", "Machine"), found.machine),
            (translate("Environment", "Python"), found.python),
        ]
        torch = found.packages.get("torch")
        build = (
            f", {found.torch_build}"
            if found.torch_build
            else translate("Environment", ", for the CPU")
        )
        pairs.append(("torch", f"{torch}{build}" if torch else translate("Environment", ABSENT)))
        if torch:
            pairs.append(
                (translate("Environment", "Cards that torch sees"), _cards(cards, trouble))
            )
        pairs += [
            (name, found.packages.get(name) or translate("Environment", ABSENT)) for name in NAMED
        ]
        pairs.append((ENGINE, found.packages.get(ENGINE) or translate("Environment", ABSENT)))
        for name, value in pairs:
            shown = part.add_pair(name, value)
            shown.setWordWrap(True)
            if value == translate("Environment", ABSENT):
                shown.setProperty("ink", "faint")
        self.add_part(part)


def _cards(cards: EnvironmentCards | None, trouble: str) -> str:
    if cards is None:
        return trouble or translate("Environment", "importing torch…")
    if cards.trouble:
        return cards.trouble
    counted = [
        f"{cards.cards.count(name)} × {name}" if cards.cards.count(name) > 1 else name
        for name in dict.fromkeys(cards.cards)
    ]
    return ", ".join(counted) or translate("Environment", "none")


def _verdict(icon: str, ink: str, sentence: str) -> Part:
    part = Part()
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(8)
    mark = QLabel()
    mark.setPixmap(icons.icon(icon, ink).pixmap(16, 16))
    words = label(sentence, "body", wrap=True)
    words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    line.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
    line.addWidget(words, 1)
    part.add(row)
    return part


class _Command(QWidget):
    """A command to type elsewhere, with a button that copies it."""

    def __init__(self, command: str) -> None:
        super().__init__()
        text = QPlainTextEdit(command)
        text.setReadOnly(True)
        text.setFont(fonts.font("mono"))
        text.setAccessibleName(
            translate("Environment", "The command that installs what is missing")
        )
        text.setFixedHeight(fonts.scaled(74))
        text.setTabChangesFocus(True)
        copy = QPushButton(translate("Environment", "Copy"))
        copy.setProperty("small", True)
        copy.setAutoDefault(False)
        copy.setAccessibleName(translate("Environment", "Copy the command"))
        icons.set_icon(copy, "copy")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(command))
        line = QHBoxLayout(self)
        line.setContentsMargins(24, 0, 0, 0)
        line.setSpacing(8)
        line.addWidget(text, 1)
        line.addWidget(copy, 0, Qt.AlignmentFlag.AlignTop)
