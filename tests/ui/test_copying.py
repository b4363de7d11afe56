"""Figures leave the window: rows, cells, pictures and files, by the clipboard and by dragging."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt
from PySide6.QtGui import QAction, QDrag, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from memplanner_ui.dragging import FileGrip
from memplanner_ui.export_dialog import ExportDialog
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.figures_table import FiguresTable
from memplanner_ui.views.layers import LayersView
from memplanner_ui.views.timeline_table import TimelineTable
from memplanner_ui.workspace import TIMELINE
from tests.ui import sample

ROWS = [("model, first", ("1.0 GiB", 2**30)), ("head", ("2.0 GiB", 2**31))]


def act(widget: QWidget, words: str) -> None:
    """Triggers the entry of the widget's menu that begins with ``words``."""
    found = [one for one in widget.actions() if one.text().startswith(words)]
    assert len(found) == 1, [one.text() for one in widget.actions()]
    assert isinstance(found[0], QAction)
    found[0].trigger()


def pasted() -> str:
    return QGuiApplication.clipboard().text()


@pytest.fixture
def table(qtbot: QtBot) -> FiguresTable:
    made = FiguresTable("Sizes")
    qtbot.addWidget(made)
    made.set_titles(["Module", "Peak"])
    made.set_rows(ROWS)
    made.resize(400, 200)
    made.show()
    return made


@pytest.fixture
def drags(monkeypatch: pytest.MonkeyPatch) -> list[QMimeData]:
    """What was dragged out; Qt would wait for a drop until the test's end."""
    found: list[QMimeData] = []

    def noted(drag: QDrag, _actions: Qt.DropAction) -> Qt.DropAction:
        data = drag.mimeData()
        kept = QMimeData()
        for form in data.formats():
            kept.setData(form, data.data(form))
        found.append(kept)
        return Qt.DropAction.CopyAction

    monkeypatch.setattr(QDrag, "exec", noted)
    return found


def drag(widget: QWidget, start: QPoint) -> None:
    """Presses at ``start`` and moves well away."""
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, pos=start)
    way = QApplication.startDragDistance() + 2
    QTest.mouseMove(widget, start + QPoint(0, way))
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, pos=start + QPoint(0, way))


def test_a_table_is_copied_in_every_form_and_a_cell_alone(table: FiguresTable) -> None:
    act(table, "Copy the table as text")
    assert pasted() == "Module\tPeak\nmodel, first\t1.0 GiB\nhead\t2.0 GiB"
    act(table, "Copy the table as CSV")
    assert list(csv.reader(io.StringIO(pasted())))[1] == ["model, first", "1.0 GiB"]
    act(table, "Copy the table as Markdown")
    assert pasted().splitlines()[1] == "| --- | ---: |"
    table.setCurrentCell(1, 1)
    act(table, "Copy this cell")
    assert pasted() == "2.0 GiB"


def test_columns_and_rows_are_copied_as_they_stand(table: FiguresTable) -> None:
    table.sortItems(1, Qt.SortOrder.DescendingOrder)
    table.setColumnHidden(0, True)
    act(table, "Copy the table as text")
    assert pasted() == "Peak\n2.0 GiB\n1.0 GiB"


def test_selected_rows_are_dragged_out_in_every_form(
    table: FiguresTable, drags: list[QMimeData]
) -> None:
    place = table.visualItemRect(table.item(1, 0)).center()
    drag(table.viewport(), place)
    assert drags == []  # the row was not selected: it is now
    assert [index.row() for index in table.selectionModel().selectedRows()] == [1]
    drag(table.viewport(), place)
    (data,) = drags
    assert data.text() == "Module\tPeak\nhead\t2.0 GiB"
    assert bytes(data.data("text/csv").data()) == b"Module,Peak\r\nhead,2.0 GiB\r\n"
    assert "<td>head</td>" in data.html()


def test_the_layers_go_out_with_whole_names(qtbot: QtBot, drags: list[QMimeData]) -> None:
    view = LayersView()
    qtbot.addWidget(view)
    view.resize(900, 500)
    view.set_estimate(sample.estimate())
    view.show()
    view.select("lm_head")
    tree = view.tree
    act(tree, "Copy the table as Markdown")
    lines = pasted().splitlines()
    assert lines[0].startswith("| Module | Type |")
    assert any(line.startswith("| lm\\_head |") for line in lines)
    drag(tree.viewport(), tree.visualRect(tree.currentIndex()).center())
    assert [row.split("\t")[0] for row in drags[0].text().splitlines()] == ["Module", "lm_head"]


def test_the_key_takes_the_selected_rows_of_the_timeline(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.show_view(TIMELINE)
    estimate = opened.session.document.estimate
    assert estimate is not None
    table = opened.workspace.timeline.table
    assert isinstance(table, TimelineTable)
    table.selectRow(0)
    act(table, "Copy the selected rows")
    titles, row = pasted().splitlines()
    assert titles.startswith("Phase\tEvent\tAllocated")
    assert row.startswith("Peak: ")


def test_a_figure_of_the_header_is_copied_with_what_it_is_of(opened: MainWindow) -> None:
    act(opened.header.verdict, "Copy this figure")
    heading, picture = pasted(), QGuiApplication.clipboard()
    assert ": " in heading
    answer = opened.explain.answer(opened.header.verdict)
    assert answer is not None
    assert heading in [one.heading for one in answer.explanations]
    act(opened.header.budget, "Copy the picture")
    size = opened.header.budget.size()
    assert picture.pixmap().deviceIndependentSize().toSize() == size


def test_exported_files_are_dragged_out(
    qtbot: QtBot, opened: MainWindow, drags: list[QMimeData]
) -> None:
    opened.actions_["export"].trigger()
    dialog = opened.findChild(ExportDialog)
    assert isinstance(dialog, ExportDialog)
    qtbot.waitUntil(lambda: dialog.grip.isEnabled())
    drag(dialog.grip, dialog.grip.rect().center())
    (data,) = drags
    paths = [Path(url.toLocalFile()) for url in data.urls()]
    assert paths[0].read_text(encoding="utf-8") == dialog.text.toPlainText()
    dialog.close()
    qtbot.waitUntil(lambda: not paths[0].exists())  # nothing stays behind


@pytest.mark.parametrize("files", [list, lambda: [("plan.yaml", "a: 1\n")]])
def test_a_grip_gives_what_there_is(
    qtbot: QtBot, files: Callable[[], list[tuple[str, str]]]
) -> None:
    said: list[str] = []
    grip = FileGrip(files, said.append)
    qtbot.addWidget(grip)
    data = grip.packed()
    assert (data is None) == (not files())
    grip.click()
    assert said == ["Drag this to a folder or a program to copy the files."]
