"""Measuring the sensitivity of layers, and putting chosen bits into the plan."""

from __future__ import annotations

from PySide6.QtCore import QObject

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner.plan.per_layer import parse, value_of
from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.layer_choices import LayerChoices
from memplanner_ui.notices import Notice
from memplanner_ui.run_control import RunControl
from memplanner_ui.session import Session
from memplanner_ui.views.sensitivity import SensitivityView


class SensitivityControl(QObject):
    """At most one measurement at a time, and none beside a run."""

    def __init__(
        self,
        session: Session,
        runs: RunControl,
        choices: LayerChoices,
        view: SensitivityView,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session, self._runs, self._choices, self._view = session, runs, choices, view
        self._measuring = False
        view.measure_wanted.connect(self.measure)
        view.stop_wanted.connect(self.stop)
        view.bits_wanted.connect(self.choose_bits)
        document = session.document
        document.model_changed.connect(self._forget)
        document.plan_changed.connect(lambda _: self._show_kept())
        document.estimate_changed.connect(lambda _: self._show_kept())
        runs.running_changed.connect(lambda running: view.measure_button.setEnabled(not running))

    def measure(self) -> None:
        """Measures on the device that a run would take, with the run's text."""
        document, device = self._session.document, self._runs.device()
        if self._measuring or self._runs.running or document.model is None or device is None:
            return
        self._session.solved.emit()
        self._set_measuring(True)
        self._session.engine.request(
            protocol.MeasureSensitivity,
            plan=document.plan,
            device=device.selector,
            event=self._on_progress,
            then=self._on_measured,
            failed=self._on_failure,
        )

    def stop(self) -> None:
        """Ends the measurement at once."""
        if self._measuring:
            self._session.engine.request(protocol.StopRun, now=True)

    def choose_bits(self, budget_bytes: int, exact: bool) -> None:
        """Asks for the bits that lose least within a budget, and puts them into the plan."""

        def then(reply: protocol.BitsAssigned) -> None:
            self._put_into_plan(reply, budget_bytes)

        self._session.engine.request(
            protocol.AssignBits,
            budget_bytes=budget_bytes,
            exact=exact,
            then=then,
            failed=self._on_failure,
        )

    def _put_into_plan(self, reply: protocol.BitsAssigned, budget_bytes: int) -> None:
        document = self._session.document
        changes: dict[str, object] = {"quantization.per_layer": reply.assignment.per_layer}
        if document.plan.quantization.method == "none":
            changes["quantization.method"] = "linear"
        try:
            plan = document.plan.with_values(changes)
        except PlanError as error:
            self._session.noticed.emit(Notice("caution", str(error).removeprefix("the plan: ")))
            return
        document.set_plan(
            plan, translate("Window", "bits for {budget}").format(budget=format_bytes(budget_bytes))
        )

    def _on_progress(self, reply: object) -> None:
        if isinstance(reply, protocol.Progress):
            self._session.working.emit(reply.text, reply.fraction)

    def _on_measured(self, reply: protocol.SensitivityMeasured) -> None:
        self._set_measuring(False)
        self._view.set_sensitivity(reply.sensitivity)
        self._show_kept()

    def _on_failure(self, failure: protocol.Failure) -> None:
        self._set_measuring(False)
        if failure.error != "EngineEnded":
            self._session.noticed.emit(Notice.of(failure))

    def _forget(self) -> None:
        self._view.set_sensitivity(None)

    def _set_measuring(self, measuring: bool) -> None:
        self._measuring = measuring
        self._view.set_measuring(measuring)
        if not measuring:
            self._session.working.emit("", None)

    def _show_kept(self) -> None:
        sensitivity, section = self._view.sensitivity, self._session.document.plan.quantization
        if sensitivity is None:
            return
        overrides = parse(section.per_layer)
        usual = "nf4" if section.method == "nf4" else str(section.bits)
        chosen = self._choices.layers.quantized
        kept = {}
        if section.method != "none":
            for layer in sensitivity.layers:
                own = value_of(layer.name, overrides)
                if own is not None or layer.name in chosen:
                    kept[layer.name] = own or usual
        self._view.set_kept(kept)
