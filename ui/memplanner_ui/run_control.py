"""Applying the plan: starting, following and stopping one run."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.messages.estimate import Estimate
from memplanner.messages.run import RunResult, RunStarted, RunStep
from memplanner.plan import Plan
from memplanner.units import format_bytes
from memplanner_ui.language import translate
from memplanner_ui.notices import Notice
from memplanner_ui.session import Session
from memplanner_ui.views.notice import Fix


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run needs beside the plan."""

    steps: int = 3
    data: str | None = None
    """A text file; None for generated data."""
    save: str | None = None
    """A new folder for the compressed model."""


def _against(estimate: Estimate, device: Device) -> str:
    """Why a run may end for want of memory, as a sentence; empty where it will not."""
    if estimate.verdict == "does_not_fit":
        missing = format_bytes(-(estimate.spare_bytes or 0))
        return translate(
            "Window", "The plan is predicted to run out of memory: {missing} missing."
        ).format(missing=missing)
    most, free = estimate.peak.device_high_bytes, device.free_bytes
    if estimate.verdict != "at_risk" or most is None or free is None:
        return ""
    most -= device.used_bytes
    if most <= free:
        return ""
    return translate(
        "Window", "The plan may run out of memory: it takes up to {most}, and {free} is free."
    ).format(most=format_bytes(most), free=format_bytes(free))


class RunControl(QObject):
    """At most one run at a time; its events go to whoever listens."""

    started = Signal(object)
    """``RunStarted``."""
    happened = Signal(object)
    """Every ``RunEvent`` after it, the result too."""
    running_changed = Signal(bool)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.running = False
        self.plan: Plan | None = None
        """The plan of the run, however the document's goes on."""
        self.result: RunResult | None = None
        self.ever_started = False
        self._settings = RunSettings()
        self._begun: RunStarted | None = None
        self._steps: list[RunStep] = []

    def forget(self) -> None:
        """The model was closed: nothing has run."""
        self.plan, self.result, self.ever_started = None, None, False

    def device(self) -> Device | None:
        """The device a run would take: the planned one if it is here, else the best that is."""
        planned = self._session.document.device
        if planned is not None and planned.local:
            return planned
        local = [one for one in self._session.devices if one.local]
        cards = [one for one in local if one.kind == "cuda"]
        return next(iter(cards or local), None)

    def apply(self, settings: RunSettings, *, elsewhere: bool = False, force: bool = False) -> None:
        """Runs the plan, or says in a notice what speaks against it."""
        document, device = self._session.document, self.device()
        if self.running or document.model is None or device is None:
            return
        planned, place = document.device, self._session.engine.place
        if planned is not None and not planned.local and not elsewhere:
            fix = Fix(
                translate("Window", "Run the plan on {whose} {name}").format(
                    whose=place.whose, name=device.name
                ),
                "",
                translate("Window", "Apply on {name}").format(name=device.name),
                lambda: self.apply(settings, elsewhere=True, force=force),
            )
            what = translate(
                "Window", "{name} is not {where}, so the plan cannot be run on it."
            ).format(name=planned.name, where=place.where)
            meaning = translate(
                "Window",
                "The same plan can be run on a device that is here, with figures of its own.",
            )
            self._session.noticed.emit(Notice("caution", what, meaning, (fix,)))
            return
        estimate = document.estimate
        against = "" if estimate is None or device != planned else _against(estimate, device)
        if against and not force:
            fix = Fix(
                translate(
                    "Window",
                    "Start it all the same; the engine’s process may be ended by the system",
                ),
                "",
                translate("Window", "Apply anyway"),
                lambda: self.apply(settings, elsewhere=elsewhere, force=True),
            )
            self._session.noticed.emit(Notice("caution", against, "", (fix,)))
            return
        self._start(settings, device, force=force or device != planned)

    def _start(self, settings: RunSettings, device: Device, *, force: bool) -> None:
        self._session.solved.emit()
        self._settings = settings
        self.plan = self._session.document.plan
        self.result = None
        self._begun, self._steps = None, []
        self._set_running(True)
        self._session.engine.request(
            protocol.ApplyPlan,
            plan=self.plan,
            device=device.selector,
            steps=settings.steps,
            data=settings.data,
            force=force,
            save=settings.save,
            event=self._on_reply,
            then=self._on_reply,
            failed=self._on_failure,
        )

    def describe(self, settings: RunSettings) -> None:
        """Says in a notice what applying the plan would do; nothing is started."""
        document, device = self._session.document, self.device()
        if self.running or document.model is None or device is None:
            return
        self._session.engine.request(
            protocol.DescribeRun,
            plan=document.plan,
            device=device.selector,
            steps=settings.steps,
            data=settings.data,
            save=settings.save,
            then=self._on_described,
            failed=lambda failure: self._session.noticed.emit(Notice.of(failure)),
        )

    def _on_described(self, reply: protocol.RunDescribed) -> None:
        first, *rest = reply.intention.sentences
        self._session.noticed.emit(Notice("info", first, " ".join(rest)))

    def stop(self, *, now: bool = False) -> None:
        """Stops the run: after its step, or now."""
        if self.running:
            self._session.engine.request(protocol.StopRun, now=now)

    def stop_at_once(self) -> None:
        """Stops the run now, in the middle of its step."""
        self.stop(now=True)

    def _on_reply(self, reply: object) -> None:
        if isinstance(reply, protocol.Progress):
            self._session.working.emit(reply.text, reply.fraction)
            return
        if not isinstance(reply, protocol.Run):
            return
        self._session.working.emit("", None)
        event = reply.event
        if isinstance(event, RunStarted):
            self.ever_started = True
            self._begun = event
            self.started.emit(event)
            return
        if isinstance(event, RunStep):
            self._steps.append(event)
        if isinstance(event, RunResult):
            self._end(event)
        else:
            self.happened.emit(event)

    def _end(self, result: RunResult) -> None:
        self.result = result
        self.happened.emit(result)
        self._set_running(False)
        self._tell_outcome(result)

    def _tell_outcome(self, result: RunResult) -> None:
        if result.outcome in ("finished", "stopped"):
            return
        where = (
            translate("Window", "It happened in {where}.").format(where=result.where)
            if result.where
            else ""
        )
        again = Fix(
            translate("Window", "Apply the plan as it is now"),
            "",
            translate("Window", "Apply again"),
            lambda: self.apply(self._settings),
        )
        self._session.noticed.emit(Notice("trouble", result.sentence, where, (again,)))

    def _on_failure(self, failure: protocol.Failure) -> None:
        self._session.working.emit("", None)
        ended = failure.error == "EngineEnded"
        what = (
            translate("Window", "The run ended with its engine: {sentence}").format(
                sentence=failure.sentence
            )
            if ended
            else failure.sentence
        )
        begun, steps = self._begun, self._steps
        if begun is None:
            self._set_running(False)
            self._session.noticed.emit(Notice("trouble", what))
            return
        self._end(
            RunResult(
                outcome="failed",
                sentence=what,
                model=begun.model,
                device=begun.device,
                plan=begun.plan,
                predicted=begun.predicted,
                measured=None,
                error=None,
                steps=len(steps),
                losses=tuple(step.loss for step in steps if step.loss is not None),
                step_seconds=tuple(step.step_seconds for step in steps),
                seconds=steps[-1].seconds if steps else 0.0,
            )
        )

    def _set_running(self, running: bool) -> None:
        if running != self.running:
            self.running = running
            self._session.locked = running
            self.running_changed.emit(running)
