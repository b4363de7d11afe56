"""The plan's form: made from the schema alone, and faithful to it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QRadioButton, QSpinBox
from pytestqt.qtbot import QtBot

from memplanner.plan import Plan, Section, keys
from memplanner.plan import section as schema
from memplanner_ui.plan_panel import PlanPanel
from memplanner_ui.plan_panel.badge import Effect
from memplanner_ui.plan_panel.fields import Names, WholeNumber
from memplanner_ui.plan_panel.form import Limits, sections_of
from memplanner_ui.plan_panel.refusals import refusal
from memplanner_ui.plan_panel.rows import Choose, FieldRow


class Dreaming(Section):
    """A technique that does not exist."""

    title: ClassVar[str] = "Dreaming"
    explanation: ClassVar[str] = "Trains overnight."

    method: Annotated[
        Literal["none", "deep"], schema.choices(("none", "Awake"), ("deep", "Deep", "Slow waves."))
    ] = schema.option("none", "Method", "How deep.")
    hours: int = schema.option(8, "Hours", "How long.", when="method=deep", ge=1, le=24)
    lucid: bool = schema.option(False, "Lucid", "Whether it knows.")
    limit: int | None = schema.option(None, "Limit", "At most; none is no limit.")


class DreamingPlan(Plan):
    """A plan with a section the window has never heard of."""

    dreaming: Dreaming = Field(default=Dreaming())


@pytest.fixture
def panel(qtbot: QtBot) -> PlanPanel:
    panel = PlanPanel()
    qtbot.addWidget(panel)
    panel.resize(304, 1600)
    panel.show_plan(Plan(), Plan())
    panel.show()
    return panel


def rows(panel: PlanPanel, key: str) -> Choose | FieldRow:
    return panel._sections[key.split(".", 1)[0]].rows[key]


def field(panel: PlanPanel, key: str) -> Any:
    row = rows(panel, key)
    assert isinstance(row, FieldRow)
    return row.field


def radio(panel: PlanPanel, key: str, value: str) -> QRadioButton:
    row = rows(panel, key)
    assert isinstance(row, Choose)
    return row._rows[value].button


def edits(panel: PlanPanel) -> list[tuple[str, object, bool]]:
    told: list[tuple[str, object, bool]] = []
    panel.edited.connect(lambda *edit: told.append(edit))
    return told


def test_every_key_of_the_plan_is_in_the_form(panel: PlanPanel) -> None:
    assert tuple(option.key for option in panel.options()) == keys()


def test_a_new_section_shows_up_by_itself(panel: PlanPanel) -> None:
    panel.show_plan(DreamingPlan(), DreamingPlan())
    told = edits(panel)
    assert "Dreaming" in [section.form.title for section in panel._sections.values()]
    radio(panel, "dreaming.method", "deep").click()
    assert told == [("dreaming.method", "deep", False)]
    assert rows(panel, "dreaming.hours").isHidden()
    panel.show_plan(DreamingPlan().with_values({"dreaming.method": "deep"}), DreamingPlan())
    assert not rows(panel, "dreaming.hours").isHidden()
    assert field(panel, "dreaming.hours").maximum() == 24
    field(panel, "dreaming.lucid").click()
    assert told[-1] == ("dreaming.lucid", True, False)


def test_an_optional_number_can_be_none(panel: PlanPanel) -> None:
    panel.show_plan(DreamingPlan().with_values({"dreaming.limit": 5}), DreamingPlan())
    told = edits(panel)
    line = field(panel, "dreaming.limit")
    assert isinstance(line, QLineEdit)
    assert line.text() == "5"
    line.clear()
    line.editingFinished.emit()
    assert told == [("dreaming.limit", None, False)]


def test_showing_a_plan_tells_no_edit(panel: PlanPanel) -> None:
    told = edits(panel)
    plan = Plan().with_values(
        {
            "training.batch_size": 8,
            "precision": "fp32",
            "adapters.method": "lora",
            "adapters.target_modules": ["q_proj"],
            "optimizer.learning_rate": 0.001,
        }
    )
    panel.show_plan(plan, Plan())
    assert told == []
    assert field(panel, "training.batch_size").value() == 8
    assert radio(panel, "precision", "fp32").isChecked()
    assert field(panel, "optimizer.learning_rate").text() == "0.001"


def test_a_spin_box_tells_merging_edits_and_the_end_of_its_gesture(
    qtbot: QtBot, panel: PlanPanel
) -> None:
    told = edits(panel)
    ended: list[None] = []
    panel.gesture_ended.connect(lambda: ended.append(None))
    box: QSpinBox = field(panel, "training.batch_size")
    box.stepUp()
    box.stepUp()
    assert told == [("training.batch_size", 2, True), ("training.batch_size", 4, True)]
    box.finished.emit()
    assert len(ended) == 1


def test_what_the_plan_would_refuse_cannot_be_chosen_and_says_why(panel: PlanPanel) -> None:
    panel.show_plan(Plan().with_values({"optimizer.implementation": "fused"}), Plan())
    button = radio(panel, "optimizer.name", "rmsprop")
    assert not button.isEnabled()
    assert "no fused rmsprop" in button.toolTip()
    assert radio(panel, "optimizer.name", "sgd").isEnabled()
    panel.show_plan(Plan(), Plan())
    assert button.isEnabled()


def test_a_refusal_is_short_and_empty_for_what_is_allowed() -> None:
    plan = Plan().with_values({"optimizer.implementation": "fused"})
    assert refusal(plan, "optimizer.name", "rmsprop") == "torch has no fused rmsprop"
    assert refusal(plan, "optimizer.name", "adam") == ""


def test_an_options_accessible_name_says_its_effect(panel: PlanPanel) -> None:
    effect = Effect("−5.6 GiB", "saves", "+7 % time")
    panel.set_effect("activation_checkpointing.policy", "full", effect)
    name = radio(panel, "activation_checkpointing.policy", "full").accessibleName()
    assert name == "Every block, minus 5.6 gibibytes, +7 % time, not chosen"
    chosen = radio(panel, "activation_checkpointing.policy", "none").accessibleName()
    assert chosen == "Keep everything, chosen"


def test_every_field_has_an_accessible_name(panel: PlanPanel) -> None:
    for option in panel.options():
        row = rows(panel, option.key)
        if isinstance(row, FieldRow):
            assert row.field.accessibleName() == option.title


def test_names_are_added_and_taken_out(qtbot: QtBot, panel: PlanPanel) -> None:
    plan = Plan().with_values(
        {"adapters.method": "lora", "adapters.target_modules": ["q_proj", "v_proj"]}
    )
    panel.show_plan(plan, Plan())
    told = edits(panel)
    names = field(panel, "adapters.target_modules")
    assert isinstance(names, Names)
    names.add_field.setText("k_proj, q_proj")
    qtbot.keyClick(names.add_field, Qt.Key.Key_Return)
    assert told[-1][1] == ["q_proj", "v_proj", "k_proj"]
    plan = plan.with_values({"adapters.target_modules": told[-1][1]})
    assert plan.adapters.target_modules == ("q_proj", "v_proj", "k_proj")


def test_the_filter_shows_what_has_the_words_and_opens_it(panel: PlanPanel) -> None:
    panel.fold_all(True)
    panel.toggle_filter(True)
    panel.filter.setText("momentum")
    assert panel._sections["adapters"].isHidden()
    assert not panel._sections["optimizer"].isHidden()
    panel.filter.setText("flash")
    assert not panel._sections["attention"].isHidden()
    assert not panel._sections["attention"].fold.folded
    panel.toggle_filter(False)
    assert not panel._sections["adapters"].isHidden()


def test_a_header_folds_by_keys_and_is_remembered(qtbot: QtBot, panel: PlanPanel) -> None:
    remembered: list[dict[str, bool]] = []
    panel.folded_changed.connect(remembered.append)
    header = panel._sections["optimizer"].fold.header
    header.setFocus()
    qtbot.keyClick(header, Qt.Key.Key_Left)
    assert panel._sections["optimizer"].fold.folded
    assert remembered[-1]["optimizer"] is True
    assert header.accessibleName() == "Optimizer, adamw, folded"
    qtbot.keyClick(header, Qt.Key.Key_Right)
    assert not panel._sections["optimizer"].fold.folded


def test_an_option_is_found_through_folds(qtbot: QtBot, panel: PlanPanel) -> None:
    panel.fold_all(True)
    with qtbot.waitActive(panel):
        panel.activateWindow()
    panel.focus_option("optimizer.implementation")
    assert radio(panel, "optimizer.implementation", "auto").hasFocus()


@pytest.mark.parametrize(
    ("value", "up", "expected"),
    [(4, True, 8), (4, False, 2), (5, True, 8), (5, False, 4), (32, True, 64), (100, False, 50)],
)
def test_a_spin_box_steps_through_its_suggestions(
    qtbot: QtBot, value: int, up: bool, expected: int
) -> None:
    box = WholeNumber(Limits(least=1, most=1000), (1, 2, 4, 8, 16, 32))
    qtbot.addWidget(box)
    assert box.next_value(value, up=up) == expected


def test_limits_are_read_from_the_schema() -> None:
    forms = {option.key: option for form in sections_of(Plan) for option in form.options}
    assert forms["optimizer.learning_rate"].limits.words == "above 0, up to 10"
    assert forms["adapters.rank"].limits.words == "1 to 4096"
    assert forms["optimizer.momentum"].when == ("name", frozenset({"sgd", "rmsprop"}))
