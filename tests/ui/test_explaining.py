"""“How was this number made?”: each figure of the window answers, by key, menu and click."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from memplanner.report.explained import explanations, memory
from memplanner.units import format_bytes
from memplanner_ui.explaining.mark import QUESTION
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.budget_bar import FREE
from memplanner_ui.views.layer_model import FIRST_PART, TOTAL
from memplanner_ui.workspace import HISTORY, ICICLE, LIVE, SEARCH, TIMELINE
from tests.ui import sample
from tests.ui.acting import LONG
from tests.ui.fake_history import COUNT, MODEL


def told(window: MainWindow) -> str:
    """The heading of what the panel says."""
    shown = window.explain.panel.shown
    return "" if shown is None else shown.heading


def test_the_header_is_asked_by_a_click_and_by_its_mark(qtbot: QtBot, opened: MainWindow) -> None:
    header, panel = opened.header, opened.explain.panel
    estimate = opened.session.document.estimate
    assert estimate is not None
    opened.explain.marks[0].click()
    assert told(opened) == memory.of_verdict(estimate).heading
    left = Qt.MouseButton.LeftButton
    bar = header.budget
    x = next(x for x in range(bar.width()) if bar.part_at(x) == "optimizer_state")
    qtbot.mouseClick(bar, left, pos=QPoint(x + 3, bar.height() // 3))
    assert told(opened) == memory.of_category(estimate, "optimizer_state").heading
    x = next(x for x in range(bar.width()) if bar.part_at(x) == FREE)
    qtbot.mouseClick(bar, left, pos=QPoint(x + 3, bar.height() // 3))
    assert told(opened) == memory.of_free(estimate).heading
    qtbot.mouseClick(header.step, left, pos=QPoint(20, 20))
    assert told(opened).startswith("One ")
    panel.close()


def test_the_panel_goes_through_every_figure_and_is_copied(
    qtbot: QtBot, opened: MainWindow
) -> None:
    estimate = opened.session.document.estimate
    assert estimate is not None
    opened.actions_["explain"].trigger()
    panel, all_of_it = opened.explain.panel, explanations(estimate)
    seen = []
    for _ in all_of_it:
        seen.append(panel.shown)
        panel.next.click()
    assert tuple(seen) == all_of_it
    assert panel.shown == all_of_it[0]
    alt = Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(panel.browser, Qt.Key.Key_Right, alt)
    assert panel.shown == all_of_it[1]
    qtbot.keyClick(panel.browser, Qt.Key.Key_Left, alt)
    panel.copy_button.click()
    assert QGuiApplication.clipboard().text() == all_of_it[0].text()
    assert all_of_it[0].how in panel.browser.toPlainText()
    panel.more.click()
    assert not panel.isVisible()
    assert opened.help.help.place == all_of_it[0].page
    opened.help.help.close()


def test_a_cell_of_the_layers_is_made_of_the_rows_below_it(
    qtbot: QtBot, opened: MainWindow
) -> None:
    tree = opened.workspace.layers.tree
    model, table = tree.layer_model, tree.layer_model.table
    assert table is not None
    root = table.root
    tree.setCurrentIndex(model.index_of(root, TOTAL))
    tree.setFocus()
    answer = opened.explain.answer(tree)
    assert answer is not None
    (one,) = answer.explanations
    assert one.figure == format_bytes(table.total_bytes(root))
    assert len(one.rows) == sum(table.total_bytes(int(n)) > 0 for n in table.children(root))
    tree.setCurrentIndex(model.index_of(root, FIRST_PART))
    answer = opened.explain.answer(tree)
    assert answer is not None
    assert answer.explanations[0].title.startswith("Parameters of ")
    actions = [action.text().partition("\t")[0] for action in opened.layer_choices.menu().actions()]
    assert QUESTION in actions


def test_other_views_answer_for_what_has_the_cursor(
    qtbot: QtBot, make_window: Callable[[], MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(COUNT, "4")
    window = make_window()
    window.session.open(f"preset:{MODEL}")
    document, space = window.session.document, window.workspace
    qtbot.waitUntil(lambda: document.estimate is not None, timeout=LONG)
    estimate, ask = document.estimate, window.explain.answer
    assert estimate is not None
    qtbot.waitUntil(lambda: not window.effects.waits, timeout=LONG)
    rows = window.left.plan.sections()["training"].rows["training.batch_size"]
    answer = ask(window.left.plan, rows.mapTo(window.left.plan, QPoint(5, 5)))
    assert answer is not None
    assert answer.explanations[0].title.startswith("Micro-batch: ")
    space.show_view(TIMELINE)
    answer = ask(space.timeline.plot)
    assert answer is not None
    assert answer.explanations[0].figure == format_bytes(estimate.peak.allocated_bytes)
    space.show_view(ICICLE)
    answer, icicle = ask(space.icicle.map), space.icicle.map.icicle
    assert answer is not None
    assert icicle is not None
    size_bytes = int(icicle.bytes[space.icicle.map.zoom].sum())
    assert answer.explanations[0].figure == format_bytes(size_bytes)
    space.show_view(SEARCH)
    qtbot.waitUntil(lambda: len(window.search.found) > 0, timeout=LONG)
    qtbot.waitUntil(lambda: not window.search.searching, timeout=LONG)
    space.search.table.selectRow(1)
    found = space.search.table.current
    answer = ask(space.search.table)
    assert found is not None
    assert answer is not None
    whole = window.search.found.whole_bytes(found)
    assert answer.explanations[0].figure == format_bytes(whole)
    space.show_view(HISTORY)
    qtbot.waitUntil(lambda: bool(space.history.shown), timeout=LONG)
    space.history.table.setCurrentCell(0, 0)
    answer = ask(space.history.table)
    assert answer is not None
    assert answer.explanations[0].title == "Past run"
    space.show_view(LIVE)
    assert ask(space.live.view.table) is None  # nothing ran
    result = sample.run_result()
    window.runs.result = result
    space.live.view.table.set_result(result)
    answer = ask(space.live.view.table)
    assert answer is not None
    assert answer.explanations[answer.place].title == "Allocated at the peak"


def test_every_figure_has_the_question_in_its_menu(opened: MainWindow) -> None:
    for figure in opened.explain.figures:
        texts = [action.text().partition("\t")[0] for action in figure.widget.actions()]
        assert QUESTION in texts, figure.widget
