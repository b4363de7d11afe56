"""The History view in the window: past runs are seen, explained, used and compared."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QTableWidgetItem
from pytestqt.qtbot import QtBot

from memplanner.messages import protocol
from memplanner.report import past_runs, text
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.history_data import PastRuns
from memplanner_ui.workspace import COMPARE, HISTORY
from tests.ui.acting import LONG
from tests.ui.fake_history import COUNT, MODEL, kept_run

ENOUGH = 23
"""Runs: some on the card, some of another model, some cut short, some far off."""


@pytest.fixture
def full(
    qtbot: QtBot, make_window: Callable[[], MainWindow], monkeypatch: pytest.MonkeyPatch
) -> MainWindow:
    """A window with a model open and the view of past runs shown."""
    monkeypatch.setenv(COUNT, str(ENOUGH))
    window = make_window()
    window.session.open(f"preset:{MODEL}")
    qtbot.waitUntil(lambda: window.session.document.estimate is not None, timeout=LONG)
    window.actions_["view_history"].trigger()
    qtbot.waitUntil(lambda: bool(window.workspace.history.shown), timeout=LONG)
    return window


def item(window: MainWindow, row: int, title: str) -> QTableWidgetItem:
    found = window.workspace.history.table.item(row, past_runs.TITLES.index(title))
    assert found is not None
    return found


def select(window: MainWindow, model: str) -> int:
    """Selects the latest run of a model by the table; its number."""
    view = window.workspace.history
    found = next(run for run in view.shown if run.model == model and run.plan.adapters.method)
    view.table.setCurrentCell(view.table.numbers().index(found.id), 0)
    return found.id


def words(window: MainWindow) -> str:
    return " ".join(one.text() for one in window.right.past_run.findChildren(QLabel))


def test_without_runs_the_view_says_how_they_get_there(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["view_history"].trigger()
    view = opened.workspace.history
    qtbot.waitUntil(lambda: "No runs are kept yet" in view.empty.text(), timeout=LONG)
    assert "Apply" in view.empty.text()
    assert view.empty.isVisible()
    assert not view.table.isVisible()
    assert not view.copy_button.isEnabled()
    assert opened.history.note.isHidden()


def test_the_runs_of_the_planned_device_are_shown_and_told(full: MainWindow) -> None:
    view = full.workspace.history
    assert full.workspace.current == HISTORY
    assert view.card.currentText() == "CPU"
    assert {run.device.name for run in view.shown} == {"CPU"}
    told = past_runs.accuracy(view.shown)
    assert told is not None
    assert told.runs < len(view.shown)  # one was cut short
    assert told.words in view.said.whole.lower()
    expected = f"{told.runs} runs measured on this CPU: {told.words}"
    assert full.history.note.accessibleName() == expected
    assert full.history.note.text() == expected


def test_the_words_in_the_status_bar_lead_to_the_view(full: MainWindow) -> None:
    full.actions_["view_layers"].trigger()
    full.history.note.click()
    assert full.workspace.current == HISTORY
    full.resize(760, 600)
    assert full.history.note.text() in ("", "Median error 0.8 %", "Median error 1.1 %")


def test_another_device_is_chosen_and_all(full: MainWindow) -> None:
    view = full.workspace.history
    names = [view.card.itemText(place) for place in range(view.card.count())]
    assert names == ["All devices", "CPU", "H100 80GB"]
    view.card.setCurrentIndex(2)
    view.card.activated.emit(2)
    assert {run.device.name for run in view.shown} == {"H100 80GB"}
    view.card.setCurrentIndex(0)
    view.card.activated.emit(0)
    assert len(view.shown) == ENOUGH
    assert not view.table.isColumnHidden(past_runs.TITLES.index("Device"))


def test_a_large_error_has_ink_and_bar(full: MainWindow) -> None:
    view = full.workspace.history
    large = [row for row, run in enumerate(view.shown) if past_runs.is_large(run)]
    assert large
    plain = next(row for row in range(len(view.shown)) if row not in large)
    ink = item(full, large[0], "Error").foreground().color()
    assert ink != item(full, plain, "Error").foreground().color()
    view.table.scrollToItem(item(full, large[0], "Error"))
    area = view.table.visualItemRect(item(full, large[0], "Error"))
    picture = view.table.viewport().grab().toImage()
    scale = picture.devicePixelRatio()
    at = QPointF(area.right() - 1, area.center().y()) * scale
    assert picture.pixelColor(at.toPoint()) == ink


def test_words_find_runs_and_escape_clears(qtbot: QtBot, full: MainWindow) -> None:
    view = full.workspace.history
    full.actions_["find"].trigger()
    assert full.focusWidget() is view.filter_field
    qtbot.keyClicks(view.filter_field, "lora llama")
    assert view.shown
    assert all(run.plan.adapters.method == "lora" for run in view.shown)
    qtbot.keyClicks(view.filter_field, " nothing")
    assert view.empty.text() == "No run has all of these words."
    qtbot.keyClick(view.filter_field, Qt.Key.Key_Escape)
    assert view.filter_field.text() == ""
    assert view.table.isVisible()


def test_columns_sort_by_their_numbers_and_the_selection_stays(full: MainWindow) -> None:
    view = full.workspace.history
    number = select(full, MODEL)
    view.table.sortItems(past_runs.TITLES.index("Error"), Qt.SortOrder.DescendingOrder)
    runs = [full.history.past.find(one) for one in view.table.numbers()]
    errors = [abs(run.error or 0) for run in runs if run is not None]
    assert errors == sorted(errors, reverse=True)
    assert view.table.current_number() == number


def test_the_table_is_copied_as_it_stands(full: MainWindow) -> None:
    view = full.workspace.history
    view.table.sortItems(past_runs.TITLES.index("Measured"), Qt.SortOrder.AscendingOrder)
    view.copy(text.tabs)
    titles, *rows = QGuiApplication.clipboard().text().split("\n")
    assert titles.split("\t") == list(past_runs.TITLES)
    assert len(rows) == len(view.shown)
    assert [row.split("\t")[5] for row in rows] == [
        item(full, row, "Measured").text() for row in range(len(rows))
    ]
    view.copy(text.markdown)
    assert QGuiApplication.clipboard().text().startswith("| When |")


def test_a_run_is_selected_by_plot_and_table_and_explained(qtbot: QtBot, full: MainWindow) -> None:
    view = full.workspace.history
    qtbot.keyClick(view.plot, Qt.Key.Key_End)
    latest = view.shown[0]
    assert view.table.current_number() == latest.id
    assert past_runs.error_words(latest.error) in view.plot.accessibleDescription()
    assert full.right.past_run.isVisible()
    assert f"Error of the peak {past_runs.error_words(latest.error)}" in words(full)
    qtbot.keyClick(view.plot, Qt.Key.Key_Left)
    assert view.table.current_number() == view.shown[1].id
    qtbot.mouseClick(
        view.plot, Qt.MouseButton.LeftButton, pos=view.plot._point(0).toPoint() + QPoint(2, 1)
    )
    assert view.table.current_number() == view.shown[-1].id


def test_a_run_that_was_cut_short_says_so(full: MainWindow) -> None:
    view = full.workspace.history
    short = next(run for run in view.shown if not run.whole)
    view.table.setCurrentCell(view.table.numbers().index(short.id), 0)
    assert "ran out of memory: its peak is not that of a whole step" in words(full)


def test_using_a_plan_is_one_command_that_undo_takes_back(qtbot: QtBot, full: MainWindow) -> None:
    document = full.session.document
    before, commands = document.plan, document.history.index()
    view = full.workspace.history
    qtbot.keyClicks(view.filter_field, f"lora {MODEL}")
    run = full.history.past.find(select(full, MODEL))
    assert run is not None
    button = full.right.past_run.use_button
    assert button is not None
    button.click()
    assert document.plan == run.plan != before
    assert document.history.index() == commands + 1
    assert "This is the plan as it is." in words(full)
    full.actions_["undo"].trigger()
    assert document.plan == before


def test_a_plan_of_another_model_cannot_be_taken(full: MainWindow) -> None:
    select(full, "Qwen3-1.7B")
    panel = full.right.past_run
    assert "It is a plan of Qwen3-1.7B; open that model to use or compare it." in words(full)
    assert panel.use_button is not None
    assert panel.compare_button is not None
    assert not panel.use_button.isEnabled()
    assert not panel.compare_button.isEnabled()
    before = full.session.document.plan
    run = kept_run(99, model="Qwen3-1.7B")
    full.history.use(run)
    full.history.compare(run)
    assert full.session.document.plan == before
    assert full.workspace.current == HISTORY


def test_comparing_keeps_the_plan_once(qtbot: QtBot, full: MainWindow) -> None:
    qtbot.keyClicks(full.workspace.history.filter_field, f"lora {MODEL}")
    select(full, MODEL)
    for _ in range(2):
        full.actions_["view_history"].trigger()
        button = full.right.past_run.compare_button
        assert button is not None
        button.click()
        assert full.workspace.current == COMPARE
    (kept,) = full.compare.kept.plans
    assert kept.plan is not None
    assert kept.plan.adapters.method == "lora"
    assert kept.kept.origin.startswith("from the run of 2026-01-")


def test_a_run_that_has_ended_is_there(qtbot: QtBot, full: MainWindow) -> None:
    before = len(full.history.past.runs)
    full.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: len(full.history.past.runs) == before + 1, timeout=LONG)


def test_a_history_that_cannot_be_read_is_told_and_nothing_else(
    full: MainWindow,
) -> None:
    sentence = "The history is damaged; move it away."
    full.history._fail(protocol.Failure(id=1, error="HistoryError", sentence=sentence))
    view = full.workspace.history
    assert view.empty.text() == sentence
    assert not view.table.isVisible()
    assert full.history.note.isHidden()


def test_cards_of_one_name_are_told_apart() -> None:
    runs = [kept_run(number, card=card) for number, card in enumerate("abca")]
    assert PastRuns(tuple(runs)).names() == {"a": "CPU", "b": "CPU (2)", "c": "CPU (3)"}
