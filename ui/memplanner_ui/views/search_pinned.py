"""An option that a search leaves as it is, in the list of what stays."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from memplanner.plan import Plan
from memplanner_ui.language import translate
from memplanner_ui.look import icons
from memplanner_ui.views import search_words as words
from memplanner_ui.views.rows import ElidedLabel, number


class PinnedOption(QWidget):
    """A button to unpin it, its title, and its value in the plan."""

    unpin_wanted = Signal(str)
    """The option's key."""

    def __init__(self, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        section, self._option = words.option_of(key)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        button = QToolButton()
        icons.set_icon(button, "pin", "accent")
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(24, 24)
        title = self._option.title
        whole = title if title == section.title else f"{section.title}: {title}"
        button.setAccessibleName(translate("Views", "Unpin {title}").format(title=whole))
        button.setToolTip(translate("Views", "Pinned: press to let the search change it"))
        button.clicked.connect(lambda: self.unpin_wanted.emit(key))
        name = ElidedLabel(title)
        name.setToolTip(whole)
        self._value = number("")
        line.addWidget(button)
        line.addWidget(name, 1)
        line.addWidget(self._value)

    def show_value(self, plan: Plan) -> None:
        """Shows the option's value in ``plan``."""
        self._value.setText(self._option.words(self._option.value(plan)))
