"""What a run needs beside the plan: how many steps, and on which text."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QWidget

from memplanner.messages.device import Device
from memplanner_ui.files import choose_file
from memplanner_ui.look import type as fonts
from memplanner_ui.run_control import RunSettings
from memplanner_ui.views.rows import ShrinkingLabel

MOST_STEPS = 100_000


class RunForm(QWidget):
    """A bar at the top of the Live view, while no plan runs."""

    steps_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(fonts.scaled(38))
        self._data: str | None = None
        self.steps = QSpinBox()
        self.steps.setRange(1, MOST_STEPS)
        self.steps.setAccessibleName("Optimizer steps to run")
        self.steps.setFixedWidth(fonts.scaled(76))
        self.steps.valueChanged.connect(self.steps_changed)
        self._source = ShrinkingLabel()
        self._source.setProperty("ink", "secondary")
        self._choose = QPushButton("Choose a text file…")
        self._choose.setProperty("small", True)
        self._choose.clicked.connect(self._choose_file)
        self._generated = QPushButton("Use generated data")
        self._generated.setProperty("small", True)
        self._generated.clicked.connect(lambda: self.set_data(None))
        self._device = ShrinkingLabel()
        self._device.setProperty("ink", "faint")
        steps = QLabel("Steps")
        steps.setBuddy(self.steps)
        line = QHBoxLayout(self)
        line.setContentsMargins(14, 0, 14, 0)
        line.setSpacing(8)
        line.addWidget(steps)
        line.addWidget(self.steps)
        line.addSpacing(8)
        line.addWidget(QLabel("Data"))
        line.addWidget(self._source)
        line.addWidget(self._choose)
        line.addWidget(self._generated)
        line.addStretch(1)
        line.addWidget(self._device)
        self.set_data(None)

    @property
    def settings(self) -> RunSettings:
        """What was chosen."""
        return RunSettings(steps=self.steps.value(), data=self._data)

    def set_data(self, path: str | None) -> None:
        """Trains on a text file, or on generated data."""
        self._data = path
        words = "generated, of the planned shape" if path is None else Path(path).name
        self._source.set_text(words)
        self._source.setToolTip(path or words)
        self._generated.setVisible(path is not None)

    def set_device(self, device: Device | None) -> None:
        """Says where a run would take place."""
        self._device.set_text("" if device is None else f"runs on this machine’s {device.name}")

    def focus(self) -> None:
        """Gives the focus to the number of steps."""
        self.steps.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.steps.selectAll()

    def _choose_file(self) -> None:
        choose_file(self, "Choose a text to train on", "Text (*.txt *.md *.jsonl);;All files (*)",
                    self.set_data)  # fmt: skip
