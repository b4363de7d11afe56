"""The list of the plan's changes goes back and forth to each of them."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from memplanner_ui.main_window import MainWindow


def test_choosing_a_change_has_the_plan_as_it_was_after_it(
    qtbot: QtBot, opened: MainWindow
) -> None:
    document, changes = opened.session.document, opened.changes
    assert changes.isHidden()
    opened.actions_["plan_changes"].trigger()
    assert changes.isVisible()
    first = document.plan
    document.set_value("training.batch_size", 3)
    second = document.plan
    document.set_value("training.sequence_length", 77)
    model = changes.list.model()
    words = [str(model.index(row, 0).data()) for row in range(model.rowCount())]
    assert words[0] == changes.list.emptyLabel()
    assert "3" in words[1]
    assert "77" in words[2]
    changes.list.setCurrentIndex(model.index(1, 0))
    assert document.plan == second
    changes.list.setCurrentIndex(model.index(0, 0))
    assert document.plan == first
    changes.list.setCurrentIndex(model.index(2, 0))
    assert document.plan.training.sequence_length == 77
    changes.close()
    assert not opened.actions_["plan_changes"].isChecked()


def test_the_list_is_of_an_open_model(qtbot: QtBot, opened: MainWindow) -> None:
    opened.actions_["plan_changes"].trigger()
    opened.session.document.close_model()
    assert opened.changes.isHidden()
