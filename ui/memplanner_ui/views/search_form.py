"""What is searched for: where it has to fit, what is preferred, what stays and what may change."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QWidget,
)

from memplanner.messages.cost import QualityRisk
from memplanner.messages.device import Device
from memplanner.messages.search import Prefer, SearchGoal, Where
from memplanner.plan import Plan
from memplanner.units import GIB, format_bytes
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.plan_panel.form import sections_of
from memplanner_ui.views import search_words as words
from memplanner_ui.views.rows import ElidedLabel, Panel, Part, label
from memplanner_ui.views.search_pinned import PinnedOption
from memplanner_ui.views.segments import Segments

SEARCHED = (
    "activation_checkpointing", "loss", "training", "optimizer", "precision", "adapters",
    "quantization", "activation_offload", "offload", "sharding",
)  # fmt: skip
"""Sections in which a search tries other values, in the order shown."""
_TITLES = {
    "training": translatable("Views", "Micro-batch, accumulation"),
    "optimizer": translatable("Views", "Optimizer and its state"),
}
_PREFERENCES: tuple[tuple[Prefer, str], ...] = (
    ("fastest", translatable("Views", "shortest step")),
    ("least_memory", translatable("Views", "least memory")),
    ("largest_micro_batch", translatable("Views", "largest micro-batch")),
    ("longest_sequence", translatable("Views", "longest sequence")),
    ("least_loss", translatable("Views", "least loss of quality")),
)
_PLACES: tuple[tuple[Where, str], ...] = (
    ("this_device", translatable("Views", "this card")),
    ("cheapest_card", translatable("Views", "smallest card that fits")),
    ("fewest_cards", translatable("Views", "fewest cards")),
)
_RISKS: tuple[tuple[QualityRisk, str], ...] = (
    ("same_result", translatable("Views", "Same")),
    ("small_change", translatable("Views", "Small")),
    ("check_quality", translatable("Views", "Check")),
)
_LARGEST_MARGIN, _LARGEST_HOST, _HIGHEST_PRICE = 256.0, 65536.0, 1000.0
_ANY_HOST = translatable("Views", "any size")
SEQUENCE = "training.sequence_length"


class SearchForm(Panel):
    """Edits a ``SearchGoal``; the keys that are pinned are kept elsewhere."""

    changed = Signal()
    """The goal is another one."""
    price_changed = Signal()
    """The price of an hour is another one."""
    pin_wanted = Signal(str, bool)
    """A key, and whether it is to be pinned."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(translate("Views", "Search"), parent)
        self._plan = Plan()
        self._pinned: tuple[str, ...] = ()
        self.where, self.prefer = QComboBox(), QComboBox()
        self.margin, self.host, self.price = QDoubleSpinBox(), QDoubleSpinBox(), QDoubleSpinBox()
        self.risk = Segments(
            translate("Views", "Largest quality risk"),
            [(risk, translate("Views", title)) for risk, title in _RISKS],
        )
        self.allowed: dict[str, QCheckBox] = {}
        self.pin_button = QPushButton(translate("Views", "Pin another"))
        self._ways: dict[str, ElidedLabel] = {}
        self._pin_rows: list[PinnedOption] = []
        self._add_goal()
        self._add_pins()
        self._add_allowed()
        risk = Part(translate("Views", "Largest quality risk"))
        risk.add(self.risk)
        self.risk.choose("check_quality")
        tips = (f"{words.risk_title(name)}: {words.risk_tip(name)}" for name, _ in _RISKS)
        self.risk.setToolTip("\n".join(tips))
        self.risk.chosen.connect(lambda _: self.changed.emit())
        self.add_part(risk)

    def _add_goal(self) -> None:
        part = Part(translate("Views", "Goal"))
        for box, options, name in (
            (self.where, _PLACES, translate("Views", "Fit in")),
            (self.prefer, _PREFERENCES, translate("Views", "Prefer")),
        ):
            box.setAccessibleName(name)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            for value, title in options:
                box.addItem(translate("Views", title), value)
        self._prepare_numbers()
        numbers = (self.margin, self.host, self.price)
        for title, field in (
            (translate("Views", "Fit in"), self.where),
            (translate("Views", "Margin"), self.margin),
            (translate("Views", "Host"), self.host),
            (translate("Views", "Prefer"), self.prefer),
            (translate("Views", "Price"), self.price),
        ):
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(8)
            name_label = label(title, "body", "secondary")
            name_label.setMinimumWidth(fonts.scaled(58))
            name_label.setBuddy(field)
            line.addWidget(name_label)
            line.addWidget(field, 0 if field in numbers else 1)
            if field in numbers:
                line.addStretch(1)
            part.add(row)
        self.where.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.prefer.currentIndexChanged.connect(lambda _: self._on_preference())
        self.margin.valueChanged.connect(lambda _: self.changed.emit())
        self.host.valueChanged.connect(lambda _: self.changed.emit())
        self.price.valueChanged.connect(lambda _: self.price_changed.emit())
        self.add_part(part)

    def _prepare_numbers(self) -> None:
        for box, name, tip, suffix, step, most in (
            (
                self.margin,
                translate("Views", "Margin to leave over, in GiB"),
                translate("Views", "Left over beyond the estimate’s own margin"),
                " GiB",
                0.5,
                _LARGEST_MARGIN,
            ),
            (
                self.host,
                translate("Views", "Memory of the host, in GiB"),
                translate(
                    "Views", "What a plan may put into the memory of the machine with the card"
                ),
                " GiB",
                16.0,
                _LARGEST_HOST,
            ),
            (
                self.price,
                translate("Views", "Price of an hour of one card"),
                translate(
                    "Views", "In any currency; told beside time in the panel of the selected plan"
                ),
                translate("Views", " an hour"),
                0.5,
                _HIGHEST_PRICE,
            ),
        ):
            box.setAccessibleName(name)
            box.setToolTip(tip)
            box.setLocale(QLocale.c())
            box.setSuffix(suffix)
            box.setDecimals(2 if box is self.price else 1)
            box.setSingleStep(step)
            box.setRange(0.0, most)
            box.setKeyboardTracking(False)
            box.setFixedWidth(fonts.scaled(96 if box is self.margin else 128))
        self.host.setSpecialValueText(translate("Views", _ANY_HOST))
        self.price.setSpecialValueText(translate("Views", "not given"))

    def _add_pins(self) -> None:
        part = self._pins = Part(translate("Views", "Pinned"))
        part.right.setText(translate("Views", "never changed"))
        icons.set_icon(self.pin_button, "plus", "text")
        self.pin_button.setProperty("small", True)
        self.pin_button.setToolTip(translate("Views", "Keep another option as it is"))
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.pin_button)
        line.addStretch(1)
        self._pin_end = row
        part.add(row)
        self.pin_button.clicked.connect(self._open_menu)
        self.add_part(part)

    def _add_allowed(self) -> None:
        part = Part(translate("Views", "May be used"))
        titles = {section.name: section.title for section in sections_of(Plan)}
        titles |= {name: translate("Views", title) for name, title in _TITLES.items()}
        for name in SEARCHED:
            check = self.allowed[name] = QCheckBox(titles[name])
            check.setChecked(True)
            check.clicked.connect(lambda _=False: self.changed.emit())
            ways = self._ways[name] = ElidedLabel()
            ways.setFont(fonts.font("secondary"))
            ways.setProperty("ink", "secondary")
            ways.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.addWidget(check)
            line.addWidget(ways, 1)
            part.add(row)
        if (layout := part.layout()) is not None:
            layout.setSpacing(1)
        self.add_part(part)

    # What is shown and said

    def goal(self) -> SearchGoal:
        """What is searched for; with every section allowed it names none."""
        allowed = tuple(name for name, check in self.allowed.items() if check.isChecked())
        return SearchGoal(
            prefer=self.prefer.currentData(),
            where=self.where.currentData(),
            margin_bytes=round(self.margin.value() * GIB),
            host_memory_bytes=round(self.host.value() * GIB) or None,
            worst_risk=self.risk.value,
            pinned=self._pinned,
            techniques=None if len(allowed) == len(self.allowed) else allowed,
        )

    @property
    def price_per_hour(self) -> float | None:
        """Of one card; None where none is given."""
        return self.price.value() or None

    def restore(self, goal: SearchGoal, price_per_hour: float | None) -> None:
        """Shows a goal but for its pins, and a price, as they were left; nothing is told of it."""
        fields = (self.where, self.prefer, self.margin, self.host, self.price)
        before = [field.blockSignals(True) for field in fields]
        self.where.setCurrentIndex(self.where.findData(goal.where))
        self.prefer.setCurrentIndex(self.prefer.findData(goal.prefer))
        self.margin.setValue(goal.margin_bytes / GIB)
        self.host.setValue((goal.host_memory_bytes or 0) / GIB)
        self.price.setValue(price_per_hour or 0.0)
        for field, blocked in zip(fields, before, strict=True):
            field.blockSignals(blocked)
        self.risk.choose(goal.worst_risk)
        for name, check in self.allowed.items():
            check.setChecked(goal.techniques is None or name in goal.techniques)

    def show_device(self, device: Device | None, machine: str = "") -> None:
        """Says how large the card is; ``machine`` is the engine's where that is another one."""
        local = device is not None and device.local and device.kind != "cpu"
        self.host.setSpecialValueText(
            translate("Views", "what is free") if local else translate("Views", _ANY_HOST)
        )
        title = (
            translate("Views", "this card")
            if device is None or device.kind != "cpu"
            else machine or translate("Views", "this machine")
        )
        if device is not None and device.memory_bytes is not None:
            title += f", {format_bytes(device.memory_bytes)}"
        self.where.setItemText(0, title)

    def show_plan(self, plan: Plan, pinned: tuple[str, ...]) -> None:
        """Shows the pinned options with their values in ``plan``."""
        same, self._pinned, self._plan = pinned == self._pinned, pinned, plan
        if not same:
            self._make_pin_rows()
        for row in self._pin_rows:
            row.show_value(plan)

    def _make_pin_rows(self) -> None:
        focused = any(row.isAncestorOf(self.focusWidget() or self) for row in self._pin_rows)
        for row in self._pin_rows:
            row.hide()
            row.deleteLater()
        self._pin_rows = [PinnedOption(key) for key in self._pinned]
        for row in self._pin_rows:
            row.unpin_wanted.connect(lambda key: self.pin_wanted.emit(key, False))
            self._pins.add_before(self._pin_end, row)
        if focused:
            self.pin_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_ways(self, ways: Mapping[str, int]) -> None:
        """Says in how many ways each section was used in the plans found."""
        for name, said in self._ways.items():
            count = ways.get(name, 0)
            said.set_text(translate("Views", "{count} ways").format(count=count) if count else "")

    def _open_menu(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for section in sections_of(Plan):
            options = [one for one in section.options
                       if one.key not in self._pinned and one.matters(self._plan)]  # fmt: skip
            if section.name not in SEARCHED or not options:
                continue
            inner = menu if len(options) == 1 else menu.addMenu(section.title)
            for option in options:
                value = option.words(option.value(self._plan))
                title = section.title if len(options) == 1 else option.title
                action = inner.addAction(f"{title}\t{value}")
                action.triggered.connect(
                    lambda _=False, key=option.key: self.pin_wanted.emit(key, True)
                )
        menu.popup(self.pin_button.mapToGlobal(self.pin_button.rect().bottomLeft()))

    def _on_preference(self) -> None:
        if self.prefer.currentData() == "longest_sequence" and SEQUENCE in self._pinned:
            self.pin_wanted.emit(SEQUENCE, False)  # it is what is searched for
        self.changed.emit()
