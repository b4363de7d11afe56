"""What a run needs beside the plan: how many steps, on which text, and where to save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from memplanner.messages.device import Device
from memplanner.messages.estimate import ModelInfo
from memplanner.plan import Plan
from memplanner_ui.engine import HERE, Place
from memplanner_ui.files import choose_file, choose_folder
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.run_control import RunSettings
from memplanner_ui.views.rows import ShrinkingLabel
from memplanner_ui.views.uses import round_of, several

MOST_STEPS = 100_000
_NOT_SAVED = translatable("Window", "the compressed model is not kept")


class RunForm(QWidget):
    """Bars at the top of the Live view, while no plan runs.

    The second one, where the compressed model is saved, is there for plans that compress the
    source's own weights.
    """

    steps_changed = Signal(int)
    description_wanted = Signal()
    """Before anything starts, the user wants to know what would be done."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._data: str | None = None
        self._save: str | None = None
        self._name = "model"
        self._place = HERE
        self.steps = QSpinBox()
        self.steps.setRange(1, MOST_STEPS)
        self.steps.setAccessibleName(translate("Window", "Optimizer steps to run"))
        self.steps.setFixedWidth(fonts.scaled(76))
        self.steps.valueChanged.connect(self.steps_changed)
        self._source = ShrinkingLabel()
        self._source.setProperty("ink", "secondary")
        self._choose = _button(translate("Window", "Choose a text file…"), self._choose_file)
        self._generated = _button(
            translate("Window", "Use generated data"), lambda: self.set_data(None)
        )
        self._device = ShrinkingLabel()
        self._device.setProperty("ink", "faint")
        steps = self._rounds = QLabel(translate("Window", "Steps"))
        steps.setBuddy(self.steps)
        data = _bar(
            steps, self.steps, None, QLabel(translate("Window", "Data")), self._source,
            self._choose, self._generated,
        )  # fmt: skip
        line = data.layout()
        assert isinstance(line, QHBoxLayout)
        line.addStretch(1)
        line.addWidget(self._device)
        self.describe = _button(translate("Window", "Dry run"), self.description_wanted.emit)
        self.describe.setToolTip(
            translate(
                "Window", "What it would do: processes, limits, files and time; nothing is started"
            )
        )
        line.addWidget(self.describe)
        self._folder = ShrinkingLabel()
        self._folder.setProperty("ink", "secondary")
        self._choose_save = _button(
            translate("Window", "Save the compressed model to…"), self._choose_folder
        )
        self._keep_none = _button(translate("Window", "Save nothing"), lambda: self.set_save(None))
        self._saving = _bar(
            QLabel(translate("Window", "Save")), self._folder, self._choose_save, self._keep_none
        )
        below = self._saving.layout()
        assert isinstance(below, QHBoxLayout)
        below.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(data)
        column.addWidget(self._saving)
        self.set_data(None)
        self.set_save(None)
        self._saving.hide()

    @property
    def settings(self) -> RunSettings:
        """What was chosen."""
        save = None if self._saving.isHidden() else self._save
        return RunSettings(steps=self.steps.value(), data=self._data, save=save)

    def set_data(self, path: str | None) -> None:
        """Trains on a text file, or on generated data."""
        self._data = path
        self._source.set_text(translate("Window", "generated") if path is None else Path(path).name)
        self._source.setToolTip(path or translate("Window", "Generated data of the planned shape"))
        self._generated.setVisible(path is not None)

    def set_save(self, folder: str | None) -> None:
        """Saves the compressed model as a new folder, or not at all."""
        self._save = folder
        self._folder.set_text(
            translate("Window", _NOT_SAVED)
            if folder is None
            else translate("Window", "to {folder}").format(folder=folder)
        )
        self._keep_none.setVisible(folder is not None)

    def set_plan(self, plan: Plan, model: ModelInfo | None) -> None:
        """Offers to save where there will be something to save."""
        if model is not None:
            self._name = f"{Path(model.name).name}-compressed"
        self._rounds.setText(several(round_of(plan)))
        real = model is not None and model.weights == "real"
        self._saving.setVisible(real and compresses(plan))

    def set_device(self, device: Device | None, place: Place = HERE) -> None:
        """Says where a run would take place, and its files be looked up."""
        if place.machine != self._place.machine:  # nothing chosen on one is on another
            self.set_data(None)
            self.set_save(None)
        self._place = place
        self._device.set_text(
            ""
            if device is None
            else translate("Window", "on {whose} {name}").format(
                whose=place.whose, name=device.name
            )
        )

    def focus(self) -> None:
        """Gives the focus to the number of steps."""
        self.steps.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.steps.selectAll()

    def _choose_file(self) -> None:
        choose_file(
            self,
            translate("Window", "Choose a text to train on"),
            translate("Window", "Text (*.txt *.md *.jsonl);;All files (*)"),
            self.set_data,
            machine=self._place.machine,
        )

    def _choose_folder(self) -> None:
        title, machine = (
            translate("Window", "Choose a folder for the compressed model"),
            self._place.machine,
        )

        def take(path: str) -> None:
            self.set_save(path if machine else str(new_folder(path, self._name)))

        choose_folder(self, title, take, machine=machine)


def compresses(plan: Plan) -> bool:
    """Whether applying the plan leaves a model with fewer or smaller weights before it trains."""
    pruning = plan.pruning
    pruned = pruning.structure != "none" and not pruning.is_gradual
    return pruned or plan.quantization.method != "none"


def new_folder(chosen: str, name: str) -> Path:
    """The chosen folder where it is empty, or a new one inside it: a model never mixes in."""
    folder = Path(chosen)
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            return folder
    except OSError:
        return folder / name  # it cannot be listed; the engine says what speaks against it
    count, inner = 1, folder / name
    while inner.exists():
        count += 1
        inner = folder / f"{name}-{count}"
    return inner


def _button(words: str, then: Callable[[], object]) -> QPushButton:
    button = QPushButton(words)
    button.setProperty("small", True)
    button.clicked.connect(lambda: then())
    return button


def _bar(*widgets: QWidget | None) -> QWidget:
    """Widgets beside each other; None is some room."""
    bar = QWidget()
    bar.setFixedHeight(fonts.scaled(38))
    line = QHBoxLayout(bar)
    line.setContentsMargins(12, 0, 14, 0)
    line.setSpacing(8)
    for widget in widgets:
        if widget is None:
            line.addSpacing(8)
        else:
            line.addWidget(widget)
    return bar
