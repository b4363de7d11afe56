"""The left side of the Compare view: which plans there are, and what can be done to them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import icons
from memplanner_ui.views.compare_list import Entry, PlanList
from memplanner_ui.views.rows import SIDE, label


class ComparePanel(QWidget):
    """The list with what can be done to its plans."""

    keep_wanted = Signal()
    counted = Signal(str)
    """How many of the plans are shown, in words."""
    acted = Signal(str, str)
    """What is wanted (``use``, ``duplicate``, ``rename``, ``pin``, ``delete``) of which plan."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.plans = PlanList()
        self.keep = QPushButton(translate("Views", "Keep this plan"))
        icons.set_icon(self.keep, "plus")
        self.keep.clicked.connect(self.keep_wanted)
        self.more = QPushButton(translate("Views", "Change…"))
        self.more.setToolTip(
            translate("Views", "Use, duplicate, rename, pin or delete the selected plan")
        )
        self.more.clicked.connect(self._open_below)
        self._entries: dict[str, Entry] = {}
        row = QHBoxLayout()
        row.setContentsMargins(SIDE, 8, SIDE, 4)
        row.setSpacing(8)
        row.addWidget(self.keep)
        row.addWidget(self.more)
        row.addStretch(1)
        hint = label(
            translate(
                "Views",
                "The first three that are shown are drawn; all are in the table. The star "
                "marks edits that are not saved.",
            ),
            "secondary",
            "faint",
            wrap=True,
        )
        hint.setContentsMargins(SIDE, 2, SIDE, 12)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.plans, 1)
        column.addLayout(row)
        column.addWidget(hint)
        self.plans.use_wanted.connect(lambda key: self.acted.emit("use", key))
        self.plans.rename_wanted.connect(lambda key: self.acted.emit("rename", key))
        self.plans.delete_wanted.connect(lambda key: self.acted.emit("delete", key))
        self.plans.menu_wanted.connect(self._open_menu)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Lists plans."""
        self._entries = {entry.key: entry for entry in entries}
        self.plans.show_entries(entries)

    def _open_below(self) -> None:
        key = self.plans.current_key()
        if key is not None:
            self._open_menu(key, self.more.mapToGlobal(QPoint(0, self.more.height())))

    def _open_menu(self, key: str, at: QPoint) -> None:
        menu = self.menu_of(key)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def menu_of(self, key: str) -> QMenu:
        """What can be done to a plan."""
        menu, entry = QMenu(self), self._entries[key]
        if not key:
            menu.addAction(translate("Views", "Keep this plan")).triggered.connect(
                lambda _=False: self.keep_wanted.emit()
            )
            return menu
        pin = translate("Views", "Unpin") if entry.pinned else translate("Views", "Pin to the top")
        for what, title, needs_plan in (
            ("use", translate("Views", "Use this plan"), True),
            ("duplicate", translate("Views", "Duplicate"), True),
            ("rename", translate("Views", "Rename…"), False),
            ("pin", pin, False),
            ("delete", translate("Views", "Delete"), False),
        ):
            action = menu.addAction(title)
            action.setObjectName(what)
            action.setEnabled(not (needs_plan and entry.trouble))
            action.triggered.connect(lambda _=False, w=what: self.acted.emit(w, key))
        return menu
