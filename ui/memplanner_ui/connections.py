"""Which signal of the window's parts and of its session leads where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplanner_ui.workspace import SEARCH

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow


def connect(window: MainWindow) -> None:
    """Ties an assembled window's parts to its session and to each other."""
    show = window.display
    session, document = window.session, window.session.document
    document.model_changed.connect(show.show_model)
    document.plan_changed.connect(show.show_plan)
    document.estimate_changed.connect(show.show_estimate)
    document.title_changed.connect(show.show_title)
    document.device_changed.connect(lambda _: show.show_run_device())
    session.devices_changed.connect(show.show_run_device)
    window.actions_.follow_history(document.history)
    window.dropped.connect(session.open)
    window.hangs_over.connect(window.start.drop_zone.set_over)
    session.noticed.connect(show.show_notice)
    session.solved.connect(show.clear_notices)
    session.working.connect(show.show_work)
    session.layers_arrived.connect(window.workspace.layers.set_layers)
    session.detail_arrived.connect(window.right.module.set_detail)
    session.selection.changed.connect(window.workspace.layers.select)
    for chosen in (
        window.workspace.layers.module_selected,
        window.workspace.sensitivity.layer_chosen,
        window.left.run.layer_chosen,
    ):
        chosen.connect(session.selection.select)
    window.workspace.layers.moment_requested.connect(session.list_layers)
    window.workspace.view_changed.connect(lambda _: show.show_view())
    plan = window.left.plan
    plan.edited.connect(window.ranks.edit)
    plan.gesture_ended.connect(document.end_gesture)
    plan.reset.connect(document.reset_section)
    plan.pin_wanted.connect(window.pins.set)
    plan.show_pins(window.pins.keys)
    window.pins.changed.connect(lambda: plan.show_pins(window.pins.keys))
    window.smallest.more_wanted.connect(lambda: window.workspace.show_view(SEARCH))
    window.search.compare_wanted.connect(show.compare_found)
    plan.folded_changed.connect(lambda folded: session.settings.update(folded=folded))
    form = window.workspace.live.form
    form.steps_changed.connect(lambda steps: session.settings.update(steps=steps))
    form.description_wanted.connect(lambda: window.runs.describe(form.settings))
    window.runs.running_changed.connect(lambda _: show.show_running())
    for told in (window.compare.said, window.report.said):
        told.connect(lambda words: window.status.say(words, "check", "fits"))
    engine = session.engine
    engine.log_line.connect(window.log.add)
    engine.log_line.connect(window.log_file.add)
    window.log_file.failed.connect(window.log.add)
    session.log_wanted.connect(window.log.show)
    window.log.visibilityChanged.connect(
        lambda _: window.actions_["engine_log"].setChecked(not window.log.isHidden())
    )
    window.changes.closed.connect(lambda: window.actions_["plan_changes"].setChecked(False))
    window.status.stop_wanted.connect(window.stop_work)
    session.settings.failed.connect(window.log.add)
    for note in session.settings.notes:
        window.log.add(note)
        window.log_file.add(note)
