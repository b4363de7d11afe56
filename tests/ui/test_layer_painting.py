"""Of the layers' tree only what says something else is painted."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner_ui.look.theme import apply_theme
from memplanner_ui.views.layer_model import (
    FIRST_PART,
    SHARE,
    TOTAL,
    LayerModel,
)
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.layers import LayersView
from tests.ui import sample


def on_screen(view: LayersView) -> QImage:
    """The tree as it has been painted so far; a grab of the widget would paint it anew."""
    for _ in range(4):
        QApplication.processEvents()
    area = QRect(view.tree.mapTo(view, QPoint(0, 0)), view.tree.size())
    return view.screen().grabWindow(view.winId()).toImage().copy(area)


def test_painting_the_cells_that_changed_leaves_what_painting_all_would(qtbot: QtBot) -> None:
    apply_theme(QApplication.instance(), "light")  # type: ignore[arg-type]  # there is one
    view = LayersView()
    qtbot.addWidget(view)
    view.resize(1100, 800)
    with qtbot.waitExposed(view):
        view.show()
    view.set_estimate(sample.estimate(1))
    before = on_screen(view)
    for batch in (2, 3, 2, 7):
        view.set_estimate(sample.estimate(batch))
        changed = on_screen(view)
        assert changed != before
        view.tree.viewport().update()
        assert on_screen(view) == changed
        before = changed


def test_only_cells_that_say_otherwise_are_painted_anew() -> None:
    before, after = (LayerTable(sample.layers(batch_size=size), "Llama") for size in (1, 2))
    model = LayerModel()
    model.set_table(before)
    assert model.set_table(after) is False
    root = model.index_of(after.root)
    found = model.changed_columns(root, before)
    texts = [
        column
        for column in range(FIRST_PART, TOTAL + 1)
        if before.cells(before.root)[column - FIRST_PART]
        != after.cells(after.root)[column - FIRST_PART]
    ]
    assert found == [SHARE, *texts]
    assert 0 < len(texts) < TOTAL + 1 - FIRST_PART
    assert model.changed_columns(root, after) == []
