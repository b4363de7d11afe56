"""What the window asks its engine for, and what becomes of the answers.

The document is what is open; the engine computes. Here every change of the plan becomes a request
for an estimate, and every failure a notice with its fixes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from memplanner.errors import PlanError
from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.messages.estimate import Estimate, Moment
from memplanner_ui.document import Document
from memplanner_ui.engine import HERE, EngineClient, Outcome, Place
from memplanner_ui.engine.client import EngineState
from memplanner_ui.engine_words import Way, looked_up, no_engine, not_answering
from memplanner_ui.first_figures import FirstFigures
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.opening import Openings
from memplanner_ui.plan_on_disk import changed_elsewhere
from memplanner_ui.selection import Selection
from memplanner_ui.settings import SettingsFile
from memplanner_ui.views.notice import Fix


class Session(QObject):
    """Joins document, engine and settings. Views listen to its signals and call its verbs."""

    noticed = Signal(object)
    """A ``Notice`` to show."""
    solved = Signal()
    """What the last notice was about has been dealt with."""
    snapshot_wanted = Signal(str)
    """A memory snapshot of torch is to be shown: its path."""
    working = Signal(str, object)
    """What is being done in words, and the share done or None; empty words when nothing is."""
    devices_changed = Signal()
    presets_changed = Signal()
    layers_arrived = Signal(str, object)
    """Moment and its rows."""
    detail_arrived = Signal(object)
    """``ModuleDetail``, or None."""
    answered = Signal()
    """The engine has said what it can of the plan as it is."""
    log_wanted = Signal()
    """The user wants to read what the engine wrote."""
    place_wanted = Signal()
    """The user wants to choose where the engine runs."""

    def __init__(
        self,
        document: Document,
        engine: EngineClient,
        settings: SettingsFile,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document = document
        self.engine = engine
        self.settings = settings
        self.selection = Selection(self)
        self.devices: tuple[Device, ...] = ()
        self.presets: tuple[protocol.Preset, ...] = ()
        self.targets: tuple[protocol.Target, ...] = ()
        self.moment: Moment = "peak"
        self.rank: int | None = None
        """Of a plan over several cards, the one whose figures are wanted; None: the fullest."""
        self._openings = Openings(self)
        self._first_figures = FirstFigures(self)
        self._first_figures.due.connect(self._show_first_figures)
        self._forget_model = False
        self._moved = False
        """The engine has begun on another machine, whose devices are not told yet."""
        self.locked = False
        """A plan is running: the model stays."""
        self._wrong = ""
        """What the last notice of a failure was about: ``edit``, ``estimate`` or nothing."""
        engine.greeted.connect(self._on_greeted)
        engine.restarted.connect(self._on_restarted)
        engine.ended.connect(self._on_engine_ended)
        engine.silent.connect(self._on_silent)
        engine.answering.connect(self.solved)
        document.plan_changed.connect(lambda _: self.estimate())
        document.device_changed.connect(lambda _: self.estimate())
        self.selection.changed.connect(lambda _: self._describe())

    # The engine

    def _on_greeted(self, _info: protocol.EngineInfo) -> None:
        request = self.engine.request
        request(protocol.ListDevices, then=self._on_devices)
        request(protocol.ListPresets, then=self._on_presets)
        request(protocol.ListTargets, then=self._on_targets)
        request(protocol.WarmUp)

    def _on_devices(self, reply: protocol.Devices) -> None:
        self.devices = reply.devices
        wanted = self.settings.values.device
        now = self.document.device
        selector = now.selector if now else wanted
        found = next((one for one in self.devices if one.selector == selector), None)
        if self._moved and (now is None or now.local):  # the device of another machine
            found = _best_local(self.devices) or found
        self._moved = False
        self.document.set_device(found or now or _best_local(self.devices))
        self.devices_changed.emit()

    def _on_presets(self, reply: protocol.Presets) -> None:
        self.presets = reply.presets
        self.presets_changed.emit()

    def _on_targets(self, reply: protocol.Targets) -> None:
        self.targets = reply.targets

    def _on_restarted(self) -> None:
        source = self.document.source
        if source is None or self._forget_model:
            self._forget_model = False
            return
        self.engine.request(
            protocol.OpenModel,
            source=source,
            inputs=self.document.inputs,
            trust_code=self.document.trust_code,
            then=lambda _: self.estimate(),
            failed=lambda failure: self._on_not_reopened(source, failure),
        )

    def _on_not_reopened(self, source: str, failure: protocol.Failure) -> None:
        if failure.trust_needed:
            inputs = self.document.inputs
            self._openings.ask_for_trust(source, inputs, failure.sentence, keep_plan=True)
        elif failure.error != "EngineEnded":
            where = looked_up(self.engine.place, source)
            here = Fix(
                translate("Window", "Compute in this machine again"),
                "",
                translate("Window", "Compute here"),
                self.compute_here,
            )
            self.noticed.emit(Notice.of(failure, where, (here,) if where else ()))

    def compute_here(self) -> None:
        """Starts the engine in this program's own Python."""
        self.restart_engine(HERE)

    def _on_engine_ended(self, outcome: Outcome) -> None:
        self.end_work()
        if self.engine.state is EngineState.FAILED:
            ways: dict[Way, Callable[[], object]] = {
                "start": self.restart_engine,
                "here": self.compute_here,
                "choose": self.place_wanted.emit,
                "log": self.log_wanted.emit,
            }
            self.noticed.emit(no_engine(outcome, ways))
            return
        meaning = translate(
            "Window", "It has been started again, with the model and the plan as they were."
        )
        self.noticed.emit(Notice("caution", outcome.sentence, meaning))

    def _on_silent(self, _seconds: float) -> None:
        engine = self.engine
        self.noticed.emit(
            not_answering(engine.place, engine.halted, self.restart_engine, self.solved.emit)
        )

    def restart_engine(self, place: Place | None = None) -> None:
        """Starts the engine anew, in another place if one is named."""
        if place is not None:
            self.settings.remember_place(place)
            self._moved = place.machine != self.engine.place.machine
        self.solved.emit()
        self.engine.restart(place)

    def cancel(self) -> None:
        """Ends what takes long: the engine is started again, with the model that was open."""
        was_opening = self._openings.at_work
        self.end_work()
        self._forget_model = was_opening and self.document.source is None
        self.engine.restart()
        words = translate("Window", "The estimate was stopped.")
        if was_opening:
            words = translate("Window", "Opening was stopped.")
        meaning = translate("Window", "The engine has been started again.")
        self.noticed.emit(Notice("info", words, meaning))

    def refresh_devices(self) -> None:
        """Asks again how much memory is free."""
        if self.engine.state is EngineState.READY:
            self.engine.request(protocol.ListDevices, then=self._on_devices)

    def choose_device(self, device: Device) -> None:
        """Plans for a device, now and at the next start."""
        self.settings.remember_device(device.selector)
        self.document.set_device(device)

    # Opening

    def open(
        self,
        source: str,
        *,
        inputs: tuple[str, ...] = (),
        trust_code: bool = False,
        keep_plan: bool = False,
    ) -> None:
        """Opens a model, or a plan when ``source`` is a YAML file."""
        self._openings.open(source, inputs, trust_code, keep_plan)

    def open_plan(self, path: Path) -> None:
        """Opens a plan's file; without a model it waits for the one opened next."""
        self._openings.open_plan(path)

    def save_plan(self, path: Path, *, replace: bool = False) -> bool:
        """Writes the plan's file; whether it was.

        One that another program has changed is only replaced when that is said.
        """
        if path == self.document.path and self.document.file.changed and not replace:
            self._tell_changed(path)
            return False
        try:
            self.document.save_plan(path)
        except PlanError as error:
            self.noticed.emit(Notice("trouble", str(error)))
            return False
        if replace:
            self.solved.emit()
        return True

    def look_at_plan_file(self) -> None:
        """Tells once that another program has changed the open plan's file."""
        path = self.document.path
        if path is not None and self.document.file.change_to_tell():
            self._tell_changed(path)

    def _tell_changed(self, path: Path) -> None:
        def read() -> None:
            self.solved.emit()
            self.open_plan(path)

        save = partial(self.save_plan, path, replace=True)
        self.noticed.emit(changed_elsewhere(path, dirty=self.document.dirty, save=save, read=read))

    def edit(self, key: str, value: object, merge: bool = False) -> None:
        """Changes one key of the plan; what is wrong with it is a notice."""
        try:
            self.document.set_value(key, value, merge=merge)
        except PlanError as error:
            self._wrong = "edit"
            self.noticed.emit(Notice("caution", str(error).removeprefix("the plan: ")))
            self.document.plan_changed.emit(self.document.plan)  # fields show what holds
        else:
            self._put_right("edit")

    # Estimates

    def estimate(self) -> None:
        """Asks for the estimate of the plan as it is now."""
        document = self.document
        if document.model is None or document.device is None:
            return
        if self.rank is not None and self.rank >= document.plan.sharding.ranks:
            self.rank = None
        self.say_working(translate("Window", "Estimating"))
        self.engine.request(
            protocol.MakeEstimate,
            plan=document.plan,
            device=document.device.selector,
            rank=self.rank,
            event=self._on_first_figures,
            then=self._on_estimated,
            failed=self._on_not_estimated,
        )

    def _on_first_figures(self, reply: protocol.AnyReply) -> None:
        """What is allocated is shown unless what the device shows of it follows at once."""
        if isinstance(reply, protocol.FirstFigures):
            self._first_figures.put(reply.estimate)
        else:
            self.on_progress(reply)

    def _show_first_figures(self, first: Estimate) -> None:
        model = self.document.model
        if model is not None and first.model.source == model.source:
            self.document.set_estimate(first)

    def _on_estimated(self, reply: protocol.Estimated) -> None:
        self._first_figures.drop()
        self.end_work()
        if self.document.model is None:
            return  # closed meanwhile
        self._put_right("estimate")
        self.document.set_estimate(reply.estimate)
        self._describe()
        self.answered.emit()

    def _on_not_estimated(self, failure: protocol.Failure) -> None:
        self._first_figures.drop()
        self.end_work()
        self.document.set_estimate(None)
        self._wrong = "estimate"
        self._on_failure(failure)
        if failure.error != "EngineEnded":
            self.answered.emit()

    def choose_rank(self, rank: int | None) -> None:
        """Shows the figures of one rank in every view; None: of the fullest."""
        self.rank = rank
        self.estimate()

    def list_layers(self, moment: Moment) -> None:
        """Asks for the layers at another moment of the step."""
        self.moment = moment
        estimate = self.document.estimate
        if estimate is None:
            return
        if moment == "peak":
            self.layers_arrived.emit(moment, estimate.layers)
            return
        self.engine.request(
            protocol.ListLayers,
            moment=moment,
            then=lambda reply: self.layers_arrived.emit(reply.moment, reply.layers),
            failed=self._on_failure,
        )

    def _describe(self) -> None:
        name = self.selection.name
        if name is None or self.document.estimate is None:
            self.detail_arrived.emit(None)
            return

        def show(reply: protocol.Described) -> None:
            if self.selection.name == name:
                self.detail_arrived.emit(reply.detail)

        self.engine.request(
            protocol.DescribeModule,
            name=name,
            then=show,
            failed=lambda _: self.detail_arrived.emit(None),  # the plan may have taken it away
        )

    # Exports

    def render(
        self,
        target: str,
        then: Callable[[protocol.Exported], None],
        failed: Callable[[protocol.Failure], None],
        *,
        output: str | None = None,
    ) -> None:
        """Asks for the plan in a target's words; with ``output`` it is written, too."""
        self.engine.request(
            protocol.ExportPlan, target=target, plan=self.document.plan, output=output,
            then=then, failed=failed,
        )  # fmt: skip

    # Words

    def on_progress(self, reply: Any) -> None:
        """Says how far the engine is."""
        self.say_working(reply.text, reply.fraction)

    def say_working(self, text: str, fraction: float | None = None) -> None:
        """Says what is being done."""
        self.working.emit(text, fraction)

    def _put_right(self, what: str) -> None:
        """Takes back the notice about a wrong edit or estimate, now that one went well."""
        if self._wrong == what:
            self._wrong = ""
            self.solved.emit()

    def end_work(self) -> None:
        """Says that nothing is being done any more."""
        self._openings.at_work = False
        self.working.emit("", None)

    def _on_failure(self, failure: protocol.Failure) -> None:
        if failure.error != "EngineEnded":  # that has a notice of its own
            self.noticed.emit(Notice.of(failure))


def _best_local(devices: tuple[Device, ...]) -> Device | None:
    local = [one for one in devices if one.local]
    cards = [one for one in local if one.kind == "cuda"]
    return next(iter(cards or local), None)
