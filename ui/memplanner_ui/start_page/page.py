"""The start page: what to drop, the presets, and at the side what this machine is."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSplitter, QVBoxLayout, QWidget

from memplanner.plan.samples import samples
from memplanner.units import format_bytes
from memplanner_ui.actions import Actions
from memplanner_ui.language import of_plan, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.session import Session
from memplanner_ui.start_page.cards import CARDS_END
from memplanner_ui.start_page.drop_zone import DropZone
from memplanner_ui.start_page.presets import PresetList, matching
from memplanner_ui.start_page.samples import SampleList
from memplanner_ui.start_page.side import StartSide
from memplanner_ui.views.notice import NoticeBar
from memplanner_ui.views.rows import label
from memplanner_ui.views.segments import Segments

SIDE_WIDTH = 360
_TWO_ROWS, _ROW = 740, 560
"""Of samples: the page's height from which there are two rows, or one."""


class StartPage(QWidget):
    """Opens things; knows nothing of a model."""

    def __init__(self, session: Session, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._family = ""
        self.notice = NoticeBar()
        self.drop_zone = DropZone(actions)
        self.samples = SampleList(samples())
        self.presets = PresetList()
        self.presets.chosen.connect(session.open)
        self.side = StartSide(session, actions)
        self.filter = QLineEdit()
        self.filter.setAccessibleName(translate("Start page", "Filter presets"))
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(fonts.scaled(190))
        self.filter.textChanged.connect(lambda _: self._filter())
        search = QAction(self.filter)
        icons.set_icon(search, "search", "text3")
        self.filter.addAction(search, QLineEdit.ActionPosition.LeadingPosition)
        self._about = label("", "body", "secondary")
        self._none = label(translate("Start page", "No preset has these words."), "body", "faint")
        self._families = QHBoxLayout()
        self._families.setContentsMargins(0, 0, 0, 0)
        heading = QHBoxLayout()
        heading.addWidget(label(translate("Start page", "Presets"), "notice"))
        heading.addSpacing(4)
        heading.addWidget(self._about, 1)
        heading.addWidget(self.filter)

        main = QWidget()
        main.setProperty("surface", "base")
        main.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(main)
        column.setContentsMargins(34, 26, 0, 10)
        column.setSpacing(10)
        above, between = QVBoxLayout(), QVBoxLayout()
        for part in (above, between):  # scroll bars of cards stand in the margin
            part.setContentsMargins(0, 0, CARDS_END, 0)
            part.setSpacing(10)
        if (margins := self.notice.layout()) is not None:
            margins.setContentsMargins(0, 0, 0, 4)
        above.addWidget(self.notice)
        above.addWidget(self.drop_zone)
        above.addSpacing(8)
        self._samples_title = label(translate("Start page", "Samples"), "notice")
        self._samples_about = label(
            translate("Start page", "a model, a device and a plan, to look at"), "body", "secondary"
        )
        line = QHBoxLayout()
        line.addWidget(self._samples_title)
        line.addSpacing(4)
        line.addWidget(self._samples_about, 1)
        above.addLayout(line)
        between.addLayout(heading)
        between.addLayout(self._families)
        between.addWidget(self._none)
        column.addLayout(above)
        column.addWidget(self.samples)
        column.addLayout(between)
        column.addWidget(self.presets, 1)
        parts = QSplitter(Qt.Orientation.Horizontal)
        parts.setHandleWidth(1)
        parts.setChildrenCollapsible(False)
        parts.addWidget(main)
        parts.addWidget(self.side)
        parts.setStretchFactor(0, 1)
        parts.setSizes([1000, fonts.scaled(SIDE_WIDTH)])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(parts)
        session.presets_changed.connect(self._show_presets)
        session.document.device_changed.connect(lambda _: self._show_device())
        self._show_presets()
        self._show_device()

    def focus_filter(self) -> None:
        """Puts the cursor into the filter of presets."""
        self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.selectAll()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        height = self.height()
        self.samples.show_rows(2 if height >= fonts.scaled(_TWO_ROWS) else 1)
        for widget in (self._samples_title, self._samples_about, self.samples):
            widget.setVisible(height >= fonts.scaled(_ROW))

    def _show_presets(self) -> None:
        presets = self._session.presets
        self.filter.setPlaceholderText(
            translate("Start page", "Filter {count} presets").format(count=len(presets))
            if presets
            else translate("Start page", "Filter")
        )
        while (item := self._families.takeAt(0)) is not None:
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()
        families = list(dict.fromkeys(preset.family for preset in presets))
        if len(families) > 1:
            named = [
                ("", translate("Start page", "All")),
                *((name, of_plan(name.capitalize())) for name in families),
            ]
            segments = Segments(translate("Start page", "Families of presets"), named)
            segments.chosen.connect(self._choose_family)
            self._families.addWidget(segments)
            self._families.addStretch(1)
        self._filter()

    def _choose_family(self, family: str) -> None:
        self._family = family
        self._filter()

    def _filter(self) -> None:
        shown = matching(self._session.presets, self._family, self.filter.text())
        self.presets.cards.show(shown)
        self._none.setVisible(not shown and bool(self._session.presets))

    def _show_device(self) -> None:
        device = self._session.document.device
        memory = None if device is None else device.memory_bytes
        self.presets.set_memory(memory)
        if device is None or memory is None:
            self._about.setText("")
        else:
            self._about.setText(
                translate("Start page", "bar is the weights in bf16 against {memory}").format(
                    memory=format_bytes(memory)
                )
            )
