"""Searching from the whole window: plans stream in, one is taken, pins hold, Fit… answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner.messages import protocol
from memplanner.messages.search import FoundPlan, SearchGoal
from memplanner_ui.engine import EngineState
from memplanner_ui.main_window import MainWindow
from memplanner_ui.search_control import title_of
from memplanner_ui.search_pins import AT_FIRST, Pins
from memplanner_ui.search_smallest import _said as said_of
from memplanner_ui.settings import SettingsFile
from memplanner_ui.views import search_words as words
from memplanner_ui.workspace import COMPARE, LAYERS, SEARCH
from tests.ui.acting import LONG, edit, press

CHECKPOINTING = "activation_checkpointing.policy"
TOO_LARGE = 512
"""A micro-batch that the small engine's machine has no room for."""
pytestmark = pytest.mark.window


def wait_for_plans(qtbot: QtBot, window: MainWindow) -> None:
    """Until a search of the plan as it is has ended."""
    control, document = window.search, window.session.document
    qtbot.waitUntil(
        lambda: (
            document.estimate_is_current
            and not control.searching
            and control.found.base == document.plan
            and len(control.found) > 0
        ),
        timeout=LONG,
    )


@pytest.fixture
def searched(qtbot: QtBot, opened: MainWindow) -> MainWindow:
    """A window whose search has ended."""
    opened.actions_["view_search"].trigger()
    wait_for_plans(qtbot, opened)
    return opened


def asked(window: MainWindow) -> list[protocol.Request]:
    """Every request from now on."""
    told: list[protocol.Request] = []
    request = window.session.engine.request

    def note(kind: type[protocol.Request], /, **fields: object) -> int:
        told.append(kind.model_construct(id=0, **fields))  # type: ignore[arg-type]  # unchecked
        return request(kind, **fields)  # type: ignore[arg-type]  # passed on as it came

    window.session.engine.request = note  # type: ignore[assignment,method-assign]  # put on top
    return told


def of_kind(told: list[protocol.Request], kind: type[protocol.Request]) -> list[protocol.Request]:
    return [one for one in told if isinstance(one, kind)]


def some_plan(window: MainWindow, holds: Callable[[FoundPlan], bool]) -> FoundPlan:
    return next(one for one in window.search.found if holds(one))


# The view


def test_the_goal_and_the_price_are_remembered(opened: MainWindow) -> None:
    form, settings = opened.left.search, opened.session.settings
    form.margin.setValue(1.5)
    form.price.setValue(2.25)
    assert settings.values.price_per_hour == 2.25
    assert SearchGoal.model_validate(settings.values.search_goal) == form.goal().model_copy(
        update={"pinned": ()}
    )
    settings.save()
    assert SettingsFile(settings.path).values.search_goal == settings.values.search_goal


def test_nothing_is_searched_for_until_the_view_is_shown(qtbot: QtBot, opened: MainWindow) -> None:
    told = asked(opened)
    edit(qtbot, opened, "training.batch_size", 2)
    qtbot.wait(500)
    assert not of_kind(told, protocol.SearchPlans)
    opened.actions_["view_search"].trigger()
    wait_for_plans(qtbot, opened)
    assert len(of_kind(told, protocol.SearchPlans)) == 1


def test_the_docks_are_those_of_the_search(searched: MainWindow) -> None:
    assert searched.workspace.current == SEARCH
    assert searched.left.search.isVisible()
    assert searched.right.found.isVisible()
    assert not searched.left.filter_button.isVisible()
    searched.workspace.show_view(LAYERS)
    assert searched.left.plan.isVisible()
    assert searched.left.filter_button.isVisible()
    assert searched.right.module.isVisible()


def test_a_search_ends_with_words_and_the_chosen_plan(searched: MainWindow) -> None:
    view = searched.workspace.search
    assert view._said.whole.endswith(" fit")
    assert not view.stop_button.isVisible()
    assert searched.session.engine.state is EngineState.READY
    assert view.table.current is not None
    use = searched.right.found.use_button
    assert use is not None
    assert use.isEnabled()


def test_a_found_plan_becomes_the_plan_in_one_step(qtbot: QtBot, searched: MainWindow) -> None:
    document = searched.session.document
    before, steps = document.plan, document.history.count()
    found = some_plan(searched, lambda one: len(one.changes) == 3)
    searched.search.use(found)
    assert document.plan == searched.search.found.plan_of(found)
    assert document.history.count() == steps + 1
    assert document.history.undoText() == title_of(found)
    wait_for_plans(qtbot, searched)
    document.history.undo()
    assert document.plan == before


def test_plans_of_an_earlier_plan_cannot_be_taken(qtbot: QtBot, searched: MainWindow) -> None:
    document = searched.session.document
    found = some_plan(searched, lambda one: bool(one.changes))
    searched.session.edit("training.batch_size", 2)
    changed = document.plan
    searched.search.use(found)
    assert document.plan == changed
    wait_for_plans(qtbot, searched)
    assert searched.search.found.base == changed


def test_another_goal_is_searched_for_at_once(qtbot: QtBot, searched: MainWindow) -> None:
    told = asked(searched)
    searched.left.search.risk._buttons["same_result"].click()
    qtbot.waitUntil(lambda: bool(of_kind(told, protocol.SearchPlans)), timeout=LONG)
    wait_for_plans(qtbot, searched)
    assert {one.quality.risk for one in searched.search.found} == {"same_result"}


def test_a_search_that_is_stopped_keeps_what_it_has(qtbot: QtBot, searched: MainWindow) -> None:
    told = asked(searched)
    searched.left.search.margin.setValue(1.0)
    qtbot.waitUntil(lambda: bool(of_kind(told, protocol.SearchPlans)), timeout=LONG)
    searched.workspace.search.stop_wanted.emit()
    wait_for_plans(qtbot, searched)
    assert of_kind(told, protocol.StopSearch)
    assert searched.session.engine.state is EngineState.READY
    assert not searched.session.engine.owed()


def test_closing_the_model_forgets_the_plans(qtbot: QtBot, searched: MainWindow) -> None:
    searched.pins.set("precision", True)
    searched.session.document.close_model()
    assert not len(searched.search.found)
    assert searched.pins.keys == AT_FIRST
    assert searched.workspace.search.plot.shown == ()


def test_a_plan_is_kept_to_be_compared(searched: MainWindow) -> None:
    found = some_plan(searched, lambda one: len(one.changes) == 2)
    searched.right.found.compare_wanted.emit(found)
    kept = searched.compare.kept.find(words.said(found))
    assert kept is not None
    assert kept.plan == searched.search.found.plan_of(found)
    assert searched.workspace.current == COMPARE


# Pins


def test_pins_are_kept_in_the_order_in_which_they_came() -> None:
    pins = Pins()
    pins.set("precision", True)
    pins.toggle("loss.method")
    pins.toggle("training.sequence_length")
    assert pins.keys == ("precision", "loss.method")


def test_a_pinned_option_is_not_changed(qtbot: QtBot, searched: MainWindow) -> None:
    searched.pins.set(CHECKPOINTING, True)
    qtbot.waitUntil(lambda: searched.search.searching, timeout=LONG)
    wait_for_plans(qtbot, searched)
    keys = {change.key for found in searched.search.found for change in found.changes}
    assert keys
    assert CHECKPOINTING not in keys
    assert not searched.session.document.dirty, "a pin is no edit of the plan"


def test_an_option_is_pinned_beside_itself(qtbot: QtBot, opened: MainWindow) -> None:
    panel = opened.left.plan
    pin = panel._pins["training.batch_size"]
    assert not pin.isVisible()
    rows = panel.sections()["training"].rows["training.batch_size"]
    QApplication.sendEvent(rows, QEvent(QEvent.Type.Enter))
    assert pin.isVisible()
    qtbot.mouseClick(pin, Qt.MouseButton.LeftButton)
    QApplication.sendEvent(rows, QEvent(QEvent.Type.Leave))
    assert "training.batch_size" in opened.pins.keys
    assert pin.isVisible(), "a pin that holds is always seen"
    assert panel._pins["training.sequence_length"].isVisible()


def test_the_option_with_the_cursor_is_pinned_by_a_key(opened: MainWindow) -> None:
    opened.left.plan.focus_option("training.batch_size")
    opened.actions_["pin_option"].trigger()
    assert "training.batch_size" in opened.pins.keys
    opened.actions_["pin_option"].trigger()
    assert "training.batch_size" not in opened.pins.keys


def test_a_pin_of_a_choice_stands_beside_the_chosen_value(qtbot: QtBot, opened: MainWindow) -> None:
    opened.pins.set(CHECKPOINTING, True)
    section = opened.left.plan.sections()["activation_checkpointing"]
    section.fold.set_folded(False, at_once=True)
    pin = opened.left.plan._pins[CHECKPOINTING]
    QApplication.processEvents()
    before = pin.y()
    edit(qtbot, opened, CHECKPOINTING, "full")
    assert pin.y() > before


# The smallest change


def too_large(qtbot: QtBot, window: MainWindow) -> None:
    edit(qtbot, window, "training.batch_size", TOO_LARGE)
    qtbot.waitUntil(lambda: not window.smallest.waits, timeout=LONG)


def test_a_plan_that_does_not_fit_is_offered_the_smallest_change(
    qtbot: QtBot, opened: MainWindow
) -> None:
    bar = opened.workspace.layers.smallest
    assert bar.isHidden()
    too_large(qtbot, opened)
    assert bar.text.startswith("Smallest change that fits: every second block, minus ")
    assert "plus 15 percent time, 5.0 gibibytes to spare" in bar.text
    bar.choose_button.click()
    document = opened.session.document
    assert document.plan.activation_checkpointing.policy == "every_n"
    assert document.history.undoText() == "every second block"


def test_it_says_that_it_looks(qtbot: QtBot, opened: MainWindow) -> None:
    said: list[str] = []
    bar = opened.workspace.layers.smallest
    ask = opened.smallest._ask

    def noting() -> None:
        said.append(bar.text)
        ask()

    opened.smallest._ask = noting  # type: ignore[method-assign]  # looked at on the way
    too_large(qtbot, opened)
    assert said == ["Looking for the smallest change that fits."]
    assert bar.choose_button.isVisible()


def test_the_offer_is_not_taken_for_another_plan(qtbot: QtBot, opened: MainWindow) -> None:
    too_large(qtbot, opened)
    bar = opened.workspace.layers.smallest
    opened.session.edit("training.batch_size", 1)
    assert not bar.choose_button.isEnabled()
    qtbot.waitUntil(bar.isHidden, timeout=LONG)


def test_where_nothing_fits_it_says_so(qtbot: QtBot, opened: MainWindow) -> None:
    bar = opened.workspace.layers.smallest
    too_large(qtbot, opened)
    opened.pins.set(CHECKPOINTING, True)
    assert not bar.choose_button.isEnabled()
    qtbot.waitUntil(lambda: not opened.smallest.waits, timeout=LONG)
    assert bar.text.startswith("No change that a search tries")
    assert not bar.choose_button.isVisible()
    bar.more_button.click()
    assert opened.workspace.current == SEARCH


def test_fit_lists_the_changes(qtbot: QtBot, opened: MainWindow) -> None:
    too_large(qtbot, opened)
    opened.actions_["fit"].trigger()
    notice = opened.workspace.notice
    qtbot.waitUntil(lambda: "smallest changes" in notice.text, timeout=LONG)
    press(notice, "Choose")
    assert opened.session.document.plan.activation_checkpointing.policy == "every_n"
    assert notice.text == "", "what it listed is of the plan before"


def test_fit_of_a_plan_that_fits_says_what_it_leaves(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["fit"].trigger()
    notice = opened.workspace.notice
    qtbot.waitUntil(lambda: "leaves something unused" in notice.text, timeout=LONG)
    assert opened.workspace.layers.smallest.isHidden()
    press(notice, "More plans…")
    assert opened.workspace.current == SEARCH


def test_fit_says_how_the_plan_stands() -> None:
    none = protocol.SmallestChanges(id=1, changes=(), fits_already=False)
    assert said_of(none, "does_not_fit")[1].startswith("Unpin options")
    fits = none.model_copy(update={"fits_already": True})
    assert said_of(fits, "fits")[0] == "The plan fits."
    some = none.model_copy(update={"changes": ("a change",)})
    assert said_of(some, "at_risk")[0] == "The plan may not fit."
    assert said_of(some, "does_not_fit")[0] == "The plan does not fit."
