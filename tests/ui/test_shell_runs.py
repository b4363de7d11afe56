"""Runs in the whole window on the small engine: applied, stopped, refused, failed."""

from __future__ import annotations

import os

from pytestqt.qtbot import QtBot

from memplanner_ui.engine import EngineState
from memplanner_ui.main_window import MainWindow
from memplanner_ui.run_control import RunSettings
from memplanner_ui.workspace import LIVE
from tests.ui.acting import LONG, edit, press


def test_applying_shows_the_run_and_its_result(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.live.form.steps.setValue(2)
    opened.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: opened.runs.ever_started, timeout=LONG)
    assert opened.workspace.current == LIVE
    assert not opened.actions_["apply"].isEnabled()
    assert opened.actions_["stop"].isEnabled()
    assert not opened.workspace.live.form.isVisible()
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)
    assert opened.runs.result is not None
    assert opened.runs.result.outcome == "finished"
    assert opened.actions_["apply"].isEnabled()
    assert opened.header.step.accessibleName().startswith("Measured, allocated")
    assert opened.session.settings.values.steps == 2


def test_what_a_run_leaves_goes_back_to_the_system(qtbot: QtBot, opened: MainWindow) -> None:
    later = opened.freed_memory.later
    later.stop()
    with qtbot.waitSignal(later.timeout, timeout=LONG):
        opened.runs.apply(RunSettings(steps=1), force=True)
        qtbot.waitUntil(lambda: opened.runs.running)
        assert not later.isActive()
        qtbot.waitUntil(lambda: not opened.runs.running, timeout=LONG)


def test_a_run_stops_after_its_step(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.live.form.steps.setValue(500)
    opened.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: opened.runs.ever_started, timeout=LONG)
    opened.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)
    assert opened.runs.result is not None
    assert opened.runs.result.outcome == "stopped"
    assert opened.runs.result.steps < 500


def test_edits_during_a_run_leave_the_runs_plan_alone(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.live.form.steps.setValue(500)
    opened.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: opened.runs.ever_started, timeout=LONG)
    planned = opened.runs.plan
    opened.session.edit("training.batch_size", 7)
    opened.runs.stop()
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)
    assert opened.runs.result is not None
    assert opened.runs.result.plan == planned
    assert opened.session.document.plan.training.batch_size == 7


def test_running_out_of_memory_is_a_result(qtbot: QtBot, opened: MainWindow) -> None:
    edit(qtbot, opened, "training.batch_size", 13)
    opened.runs.apply(RunSettings(steps=1), force=True)
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)
    assert "ran out of memory" in opened.workspace.notice.text
    assert opened.session.engine.state is not EngineState.FAILED


def test_a_run_that_dies_with_its_engine_is_a_failed_result(
    qtbot: QtBot, opened: MainWindow
) -> None:
    opened.workspace.live.form.steps.setValue(500)
    opened.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: opened.runs.ever_started, timeout=LONG)
    process_id = opened.session.engine.process_id
    assert process_id is not None
    os.kill(process_id, 9)
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)
    assert opened.runs.result is not None
    assert opened.runs.result.outcome == "failed"
    assert not opened.runs.running
    assert "The run ended with its engine" in opened.workspace.notice.text


def test_no_other_model_is_opened_during_a_run(qtbot: QtBot, opened: MainWindow) -> None:
    opened.workspace.live.form.steps.setValue(500)
    opened.actions_["apply"].trigger()
    qtbot.waitUntil(lambda: opened.runs.ever_started, timeout=LONG)
    assert not opened.actions_["open"].isEnabled()
    opened.session.open("preset:gpt2")
    assert "A plan is running" in opened.workspace.notice.text
    opened.runs.stop()
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)
    assert opened.session.document.source == "preset:llama-3.1-8b"


def test_a_plan_for_another_card_is_applied_here_only_when_asked(
    qtbot: QtBot, opened: MainWindow
) -> None:
    card = next(one for one in opened.session.devices if not one.local)
    opened.session.choose_device(card)
    opened.actions_["apply"].trigger()
    assert "not in this machine" in opened.workspace.notice.text
    assert not opened.runs.running
    press(opened.workspace.notice, "Apply on CPU")
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)


def test_a_plan_that_does_not_fit_is_applied_only_when_asked(
    qtbot: QtBot, opened: MainWindow
) -> None:
    edit(qtbot, opened, "training.batch_size", 4096)
    opened.actions_["apply"].trigger()
    assert "predicted to run out of memory" in opened.workspace.notice.text
    assert not opened.runs.running
    press(opened.workspace.notice, "Apply anyway")
    qtbot.waitUntil(lambda: opened.runs.result is not None, timeout=LONG)


def test_what_a_run_would_do_is_said_and_nothing_is_started(
    qtbot: QtBot, opened: MainWindow
) -> None:
    form, notice = opened.workspace.live.form, opened.workspace.notice
    form.steps.setValue(7)
    form.describe.click()
    qtbot.waitUntil(lambda: notice.text.startswith("Runs 7 steps of"), timeout=LONG)
    assert "history" in notice.text
    form.set_data("/nowhere/text.txt")
    form.describe.click()
    qtbot.waitUntil(lambda: "is not there" in notice.text, timeout=LONG)
    assert not opened.runs.running
    assert opened.runs.result is None
