"""The Search view's form and panel: what they ask for, and what they say of a plan."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QToolButton
from pytestqt.qtbot import QtBot

from memplanner.messages.search import SearchGoal
from memplanner.plan import Plan
from memplanner.techniques.base import Technique
from memplanner.techniques.prepare import techniques
from memplanner.units import GIB
from memplanner_ui.views.search_form import SEARCHED, SearchForm
from memplanner_ui.views.search_panel import FoundPanel
from tests.ui.search_sample import FULL, OWN, PLANS, found_plans, plan_found

# The form


def test_the_form_asks_for_what_it_shows(qtbot: QtBot) -> None:
    form = SearchForm()
    qtbot.addWidget(form)
    form.show_plan(Plan(), ("training.sequence_length",))
    assert form.goal() == SearchGoal(pinned=("training.sequence_length",))
    asked: list[bool] = []
    form.changed.connect(lambda: asked.append(True))
    form.margin.setValue(1.5)
    form.prefer.setCurrentIndex(form.prefer.findData("least_memory"))
    form.risk._buttons["small_change"].click()
    form.allowed["adapters"].click()
    goal = form.goal()
    assert (goal.margin_bytes, goal.prefer, goal.worst_risk) == (
        3 * GIB // 2, "least_memory", "small_change",
    )  # fmt: skip
    assert goal.techniques == tuple(name for name in SEARCHED if name != "adapters")
    assert len(asked) == 4


def test_every_section_that_a_search_tries_is_in_the_form() -> None:
    tried = {
        one.name for one in techniques() if type(one).alternatives is not Technique.alternatives
    }
    assert tried | {"training"} <= set(SEARCHED)


def test_the_longest_sequence_is_not_pinned(qtbot: QtBot) -> None:
    form = SearchForm()
    qtbot.addWidget(form)
    form.show_plan(Plan(), ("training.sequence_length", "precision"))
    told: list[tuple[str, bool]] = []
    form.pin_wanted.connect(lambda *pin: told.append(pin))
    form.prefer.setCurrentIndex(form.prefer.findData("longest_sequence"))
    assert told == [("training.sequence_length", False)]


def test_a_pin_shows_its_value_and_lets_go(qtbot: QtBot) -> None:
    form = SearchForm()
    qtbot.addWidget(form)
    form.show_plan(Plan(), ("training.sequence_length",))
    row = form._pin_rows[0]
    assert "2048" in [said.text() for said in row.findChildren(QLabel)]
    told: list[tuple[str, bool]] = []
    form.pin_wanted.connect(lambda *pin: told.append(pin))
    button = row.findChildren(QToolButton)[0]
    assert button.accessibleName() == "Unpin Batch: Sequence"
    button.click()
    assert told == [("training.sequence_length", False)]


# The panel


def test_the_panel_says_what_a_plan_changes(qtbot: QtBot) -> None:
    panel = FoundPanel()
    qtbot.addWidget(panel)
    panel.show_plan(found_plans(), PLANS[1])
    texts = [said.text() for said in panel.findChildren(QLabel)]
    assert "Fits, 6.0 GiB to spare" in texts
    assert "Peak 18.0 GiB, 2.8 s per step" in texts
    assert "Policy: Keep everything → Every block" in texts
    assert "−12.0 GiB" in texts
    assert panel.use_button is not None
    with qtbot.waitSignal(panel.use_wanted) as told:
        panel.use_button.click()
    assert told.args == [PLANS[1]]


def test_what_is_not_known_of_a_plan_is_not_told_as_nothing(qtbot: QtBot) -> None:
    panel = FoundPanel()
    qtbot.addWidget(panel)
    part = plan_found(FULL, gib=10, settled=False)
    panel.show_plan(found_plans(part), part)
    texts = [said.text() for said in panel.findChildren(QLabel)]
    assert "Peak ≥ 9.0 GiB, 1.0 s per step" in texts
    assert "Parameters" in texts
    assert "Overhead" not in texts


def test_a_plan_of_an_earlier_search_cannot_be_used(qtbot: QtBot) -> None:
    panel = FoundPanel()
    qtbot.addWidget(panel)
    panel.show_plan(found_plans(), PLANS[1], stale=True)
    assert panel.use_button is not None
    assert not panel.use_button.isEnabled()
    panel.show_plan(found_plans(), OWN)
    assert panel.use_button is not None
    assert not panel.use_button.isEnabled()


def test_a_plan_on_another_card_can_be_used_as_it_is(qtbot: QtBot) -> None:
    elsewhere = OWN.model_copy(update={"device": "larger", "spare_bytes": 10 * GIB})
    found = found_plans(elsewhere)
    assert found.unchanged is OWN
    assert list(found) == [elsewhere]
    panel = FoundPanel()
    qtbot.addWidget(panel)
    panel.show_plan(found, elsewhere)
    assert panel.use_button is not None
    assert panel.use_button.isEnabled()
