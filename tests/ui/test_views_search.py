"""The Search view alone: what it draws of the plans found, and what its form asks for."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication
from pytestqt.qtbot import QtBot

from memplanner.errors import PlanError
from memplanner.messages.search import FoundPlan, SearchGoal, SearchState
from memplanner.plan import Plan
from memplanner.units import GIB, MIB
from memplanner_ui.look import type as fonts
from memplanner_ui.views import search_words as words
from memplanner_ui.views.search import SearchView
from memplanner_ui.views.search_data import FoundPlans, as_found, slower_by
from memplanner_ui.views.search_panel import FoundPanel
from memplanner_ui.views.search_row import fitting
from memplanner_ui.views.search_table import TITLES, SearchTable
from tests.ui import fake_figures
from tests.ui.search_sample import BATCH, CARD, OWN, PLANS, found_plans, plan_found


@pytest.fixture
def view(qtbot: QtBot) -> SearchView:
    view = SearchView()
    qtbot.addWidget(view)
    view.resize(900, 700)
    view.show()
    view.show_found(found_plans(), SearchGoal())
    return view


# What was found


def test_a_plan_that_is_told_again_replaces_itself() -> None:
    found = found_plans()
    found.add([PLANS[0].model_copy(update={"best": False})])
    assert len(found) == 4
    assert [words.said(one) for one in found.best()] == [
        "every block, loss in 8 chunks",
        "adapters",
    ]


def test_plans_stand_by_risk_then_time() -> None:
    order = [words.said(one) for one in found_plans().all()]
    assert order == ["loss in 8 chunks", "every block", "every block, loss in 8 chunks", "adapters"]


def test_the_plan_as_it_is_keeps_its_estimate_where_a_search_tells_less() -> None:
    found = found_plans(plan_found(gib=29, settled=False))
    assert found.unchanged is OWN
    told = plan_found(gib=29)
    found.add([told])
    assert found.unchanged is told
    assert not len(found)


def test_time_is_compared_for_as_many_tokens() -> None:
    longer = plan_found(BATCH, gib=22, seconds=6.0, units=8192)
    found = found_plans(longer)
    assert found.heights([longer]) == [1.5]
    assert found.axis().title == "seconds for 2\u2009048 tokens"
    assert slower_by(longer, OWN) == pytest.approx(-0.25)
    assert found_plans().axis().title == "seconds per step of 2\u2009048 tokens"


def test_without_times_the_height_is_how_much_is_changed() -> None:
    plans = [one.model_copy(update={"time": None}) for one in PLANS]
    found = FoundPlans()
    found.begin(Plan(), CARD, None)
    found.add(plans)
    assert not found.axis().of_time
    assert found.heights(plans) == [1.0, 2.0, 1.0, 1.0]


def test_a_found_plan_is_a_whole_plan() -> None:
    found = found_plans()
    plan = found.plan_of(PLANS[1])
    assert (plan.activation_checkpointing.policy, plan.loss.method) == ("full", "chunked")
    wrong = plan_found(("loss.method", "whole", "sideways", "sideways"), gib=1)
    with pytest.raises(PlanError):
        found.plan_of(wrong)


def test_ways_are_counted_from_what_was_found() -> None:
    ways = found_plans().ways()
    assert ways == {"activation_checkpointing": 2, "loss": 2, "adapters": 2}


def test_an_estimate_begins_a_search() -> None:
    estimate = fake_figures.make_estimate("preset:x", Plan(), fake_figures.CARD)
    own = as_found(estimate)
    assert own.allocated_bytes == estimate.peak.allocated_bytes
    assert own.verdict == estimate.verdict
    assert own.changes == ()


# Words


def test_verdicts_in_words() -> None:
    assert words.headline(PLANS[0], 20 * GIB).text == "Fits, 4.0 GiB to spare"
    assert words.headline(OWN, 30 * GIB).text == "Does not fit: 6.0 GiB missing"
    assert words.headline(plan_found(gib=9, settled=False), 8 * GIB).icon == "unknown"
    risky = PLANS[0].model_copy(update={"verdict": "at_risk"})
    assert words.headline(risky, 20 * GIB).icon == "may_not_fit"
    over = risky.model_copy(update={"device_high_bytes": 25 * GIB})
    assert words.headline(over, 20 * GIB).text == "May not fit: 1.0 GiB over at the high end"


def test_effects_in_words() -> None:
    assert words.effect_words(20 * GIB, 30 * GIB, 0.12) == "−10.0 GiB, +12 % time"
    assert words.effect_words(20 * GIB, 20 * GIB, -0.001) == "same time"
    assert words.effect_words(20 * GIB, 20 * GIB + 300 * MIB, None) == "−300 MiB"
    assert words.effect_words(20 * GIB, 20 * GIB, None) == "same memory"
    assert words.spoken("−1.0 GiB, +7 % time") == "minus 1.0 gibibytes, plus 7 percent time"


def test_a_search_says_how_far_it_is() -> None:
    state = SearchState(tried=288, fitting=160, possible=500, seconds=1.2, complete=False)
    assert words.state_words(state, running=True) == "288 of 500 plans tried in 1.2 s, 160 fit"
    assert words.state_words(state, running=False).endswith("160 fit; stopped")
    done = state.model_copy(update={"complete": True})
    assert words.state_words(done, running=False) == "288 plans tried in 1.2 s, 160 fit"


def test_changes_name_section_option_and_values() -> None:
    told = words.change_words(PLANS[0].changes[0])
    assert told == ("Activation checkpointing", "Policy", "Keep everything", "Every block")


# The plot and the table


def test_plot_and_table_show_the_same_plans(view: SearchView) -> None:
    assert {id(one) for one in view.plot.shown} == {id(one) for one in view.table.rows.rows[1:]}
    assert view.table.rows.rows[0] is OWN
    view.which._buttons["all"].click()
    assert len(view.plot.shown) == 4
    assert view.table.rows.rowCount() == 5
    assert view.which._buttons["all"].text() == "All 4"


def test_what_is_known_in_part_only_is_never_filled(view: SearchView) -> None:
    filled = sum(len(item.points()) for item in view.plot._fronts.values())
    part = plan_found(BATCH, gib=10, settled=False)
    view.show_found(found_plans(*PLANS, part))
    assert part in view.plot.shown
    assert sum(len(item.points()) for item in view.plot._fronts.values()) == filled
    row = view.table.rows.row_of(part)
    assert view.table.rows.text(view.table.rows.rows[row], TITLES.index("Peak")) == "≥ 9.0 GiB"


def test_choosing_in_one_shows_in_both(qtbot: QtBot, view: SearchView) -> None:
    seen: list[FoundPlan] = []
    view.selected.connect(seen.append)
    view.table.setFocus()
    qtbot.keyClick(view.table, Qt.Key.Key_Down)
    qtbot.keyClick(view.table, Qt.Key.Key_Down)
    chosen = seen[-1]
    assert view.table.current is chosen
    assert "every block" in view.plot.accessibleDescription()
    qtbot.keyClick(view.plot, Qt.Key.Key_Home)
    assert seen[-1] is view.plot.shown[0]
    assert view.table.current is seen[-1]
    qtbot.keyClick(view.plot, Qt.Key.Key_End)
    assert view.table.current is view.plot.shown[-1]


def test_a_plan_is_chosen_where_it_is_drawn(qtbot: QtBot, view: SearchView) -> None:
    place = view.plot._places[1]
    scene = view.plot._box.mapViewToScene(QPointF(float(place[0]), float(place[1])))
    at = view.plot._graphics.mapFromScene(scene)
    with qtbot.waitSignal(view.selected) as told:
        qtbot.mouseClick(
            view.plot._graphics.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(at.x(), at.y())
        )
    assert told.args == [view.plot.shown[1]]


def test_return_takes_a_plan(qtbot: QtBot, view: SearchView) -> None:
    used: list[FoundPlan] = []
    view.use_wanted.connect(used.append)
    qtbot.keyClick(view.plot, Qt.Key.Key_Home)
    qtbot.keyClick(view.plot, Qt.Key.Key_Return)
    assert used == [view.plot.shown[0]]
    view.table.select(OWN)
    qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert len(used) == 1, "the plan as it is cannot be taken"


def test_a_column_orders_the_plans_below_the_one_as_it_is(view: SearchView) -> None:
    table = view.table
    table.sortByColumn(TITLES.index("Peak"), Qt.SortOrder.AscendingOrder)
    sizes = [one.device_bytes or 0 for one in table.rows.rows[1:]]
    assert table.rows.rows[0] is OWN
    assert sizes == sorted(sizes)
    table.select(PLANS[1])
    table.sortByColumn(TITLES.index("Step"), Qt.SortOrder.DescendingOrder)
    assert table.current is PLANS[1]
    times = [one.time.seconds for one in table.rows.rows[1:] if one.time]
    assert times == sorted(times, reverse=True)


def test_the_table_is_copied_whole(qtbot: QtBot, view: SearchView) -> None:
    qtbot.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == "Changes\tQuality\tPeak\tTo spare\tStep\tTime"
    assert lines[1] == "this plan\tSame result\t30.0 GiB\t−6.0 GiB\t2.0 s\t–"
    assert "every block\tSame result\t20.0 GiB\t4.0 GiB\t2.6 s\t+30 %" in lines


def test_plans_are_filtered_by_words_of_their_changes(qtbot: QtBot, view: SearchView) -> None:
    qtbot.keyClicks(view.filter_field, "loss block")
    assert [words.said(one) for one in view.plot.shown] == ["every block, loss in 8 chunks"]
    assert len(view.table.rows.rows) == 2
    qtbot.keyClick(view.filter_field, Qt.Key.Key_Escape)
    assert len(view.plot.shown) == 3
    view.copy_button.click()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 5


def test_a_card_far_beyond_every_plan_is_told_in_words(view: SearchView) -> None:
    limit = view.plot._limit
    (left, right), _ = view.plot._box.viewRange()
    assert left < 24 < right
    assert limit._card.isVisible()
    far = found_plans()
    own, *others = (
        one.model_copy(update={"spare_bytes": 200 * GIB - (one.device_bytes or 0)})
        for one in (OWN, *PLANS)
    )
    far.begin(Plan(), CARD.model_copy(update={"memory_bytes": 200 * GIB}), own)
    far.add(others)
    view.show_found(far)
    _, right = view.plot._box.viewRange()[0]
    assert right < 200
    assert not limit._card.isVisible()
    assert limit._card_words.toPlainText() == "card 200.0 GiB is farther right"


def test_the_words_of_the_plan_as_it_is_hide_no_other(view: SearchView) -> None:
    near = [
        plan_found(
            ("training.batch_size", 1, size, f"micro-batch {size}"),
            gib=30 - size / 10,
            seconds=2.0 + size / 100,
        )
        for size in range(2, 8)
    ]
    view.show_found(found_plans(*PLANS, *near))
    plot = view.plot
    for corner in ((1, 1), (0, 1), (1, 0), (0, 0)):
        _, hidden = plot._hidden_by_words(corner)
        assert bool(hidden) == (corner == (1, 1)), "marks stand left above the own one alone"
    anchor = plot._own_words.anchor
    assert (anchor.x(), anchor.y()) != (1, 1)


def test_times_far_apart_stand_on_a_logarithmic_axis(view: SearchView) -> None:
    assert not view.plot.logarithmic
    slow = plan_found(BATCH, gib=10, seconds=20.0)
    view.show_found(found_plans(*PLANS, slow))
    assert view.plot.logarithmic
    assert view._height_title.whole.endswith(", logarithmic")
    place = view.plot._places[view.plot.shown.index(slow)]
    assert place == pytest.approx((10, 1.30103))
    ticks = dict(view.plot._y_axis._tickLevels[0])
    assert {"1", "2", "5", "10", "20"} <= set(ticks.values())


def test_tags_that_have_no_room_are_counted(qtbot: QtBot) -> None:
    metrics = QFontMetrics(fonts.font("axis"))
    tags = ("every block", "loss in 8 chunks", "8-bit state", "micro-batch 4")
    assert fitting(tags, 2000, metrics) == (list(tags), 0)
    shown, left_out = fitting(tags, 180, metrics)
    assert shown[0] == "every block"
    assert len(shown) + left_out == 4
    assert left_out
    assert fitting(tags, 1, metrics) == (["every block"], 3)


def test_cards_have_a_column_where_they_differ(qtbot: QtBot) -> None:
    table = SearchTable()
    qtbot.addWidget(table)
    table.show_plans(found_plans(), PLANS, other_cards=True, timed=False)
    assert not table.isColumnHidden(TITLES.index("Card"))
    assert table.isColumnHidden(TITLES.index("Step"))
    many = PLANS[0].model_copy(update={"cards": 4})
    assert table.rows.text(many, TITLES.index("Card")) == "4 × card"


def test_plans_that_come_in_leave_the_panel_and_the_scroll_bar_alone(
    qtbot: QtBot, view: SearchView
) -> None:
    panel = FoundPanel()
    qtbot.addWidget(panel)
    found = found_plans()
    panel.show_plan(found, PLANS[0])
    button = panel.use_button
    more = [
        plan_found(("training.batch_size", 1, size, f"micro-batch {size}"), gib=20 + size / 10)
        for size in range(2, 60)
    ]
    found.add(more)
    view.select(PLANS[0])
    view.show_found(found)
    view.table.verticalScrollBar().setValue(30)
    view.show_found(found)
    qtbot.wait(20)
    assert view.table.verticalScrollBar().value() == 30
    assert view.table.current is PLANS[0]
    panel.show_plan(found, found.newest(PLANS[0]))
    assert panel.use_button is button
