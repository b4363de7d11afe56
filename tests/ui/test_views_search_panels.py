"""The Search view's form and panel: what they ask for, and what they say of a plan."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QToolButton
from pytestqt.qtbot import QtBot

from memplanner.messages.search import SearchGoal
from memplanner.plan import Plan
from memplanner.techniques.base import Technique
from memplanner.techniques.prepare import techniques
from memplanner.units import GIB
from memplanner_ui.views import search_words as words
from memplanner_ui.views.search_form import SEARCHED, SearchForm
from memplanner_ui.views.search_panel import FoundPanel
from tests.ui.search_sample import FULL, OWN, PLANS, found_plans, plan_found, step

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


def test_a_goal_is_shown_again_and_nothing_is_told_of_it(qtbot: QtBot) -> None:
    left = SearchForm()
    qtbot.addWidget(left)
    left.where.setCurrentIndex(left.where.findData("fewest_cards"))
    left.prefer.setCurrentIndex(left.prefer.findData("least_loss"))
    left.margin.setValue(2.5)
    left.host.setValue(512)
    left.price.setValue(2.4)
    left.risk._buttons["same_result"].click()
    left.allowed["offload"].click()
    form = SearchForm()
    qtbot.addWidget(form)
    told: list[bool] = []
    form.changed.connect(lambda: told.append(True))
    form.price_changed.connect(lambda: told.append(True))
    form.restore(left.goal(), left.price_per_hour)
    assert form.goal() == left.goal()
    assert form.goal().host_memory_bytes == 512 * GIB
    assert form.price_per_hour == 2.4
    assert not told
    form.restore(SearchGoal(), None)
    assert form.goal() == SearchGoal()
    assert form.price_per_hour is None


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
    form.show_plan(Plan().with_values({"training.sequence_length": 64}), form.goal().pinned)
    assert "64" in [said.text() for said in row.findChildren(QLabel)]
    form.show_plan(Plan(), form.goal().pinned)
    assert form._pin_rows == [row]
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


def test_the_panel_tells_price_energy_and_what_the_host_holds(qtbot: QtBot) -> None:
    panel = FoundPanel()
    qtbot.addWidget(panel)
    time = step(3.6, units=10_000).model_copy(update={"energy_joules": 3.6e6})
    plan = PLANS[1].model_copy(update={"time": time, "cards": 2, "host_bytes": 40 * GIB})
    panel.show_plan(found_plans(plan), plan)
    texts = [said.text() for said in panel.findChildren(QLabel)]
    assert "40.0 GiB of the host’s memory" in texts
    assert "A million tokens: 100 kWh" in texts
    panel.set_price(2.5)  # two cards for a hundred steps of 3.6 seconds
    texts = [said.text() for said in panel.findChildren(QLabel)]
    assert "A million tokens: price 0.5, 100 kWh" in texts


def test_a_host_that_is_too_small_is_named(qtbot: QtBot) -> None:
    plan = PLANS[1].model_copy(
        update={"host_bytes": 40 * GIB, "host_spare_bytes": -8 * GIB, "verdict": "does_not_fit"}
    )
    assert words.headline(plan, 1).text == "Too large for the host: 8.0 GiB missing"


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
