"""Runs and measurements: each in a thread of its own, so that estimates go on being answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock, Thread
from time import perf_counter
from typing import TYPE_CHECKING

from memplanner.errors import RunError
from memplanner.messages import protocol
from memplanner.messages.run import RunEvent, RunResult
from memplanner.messages.sensitivity import Sensitivity, SensitivityProgress
from memplanner.messages.snapshot import SnapshotProgress
from memplanner.server.channel import Channel
from memplanner.server.guard import guarded
from memplanner.server.model_work import ModelWork

if TYPE_CHECKING:
    from memplanner.model import Model
    from memplanner.run import StopSignal


LongWork = protocol.ApplyPlan | protocol.MeasureSensitivity | protocol.ReadSnapshot
"""What runs in a process of its own."""


class RunWork:
    """At most one run or measurement at a time, from its request on.

    ``on_end`` is called when one has ended, in the run's thread.
    """

    def __init__(self, model: ModelWork, channel: Channel, on_end: Callable[[], None]) -> None:
        self._model, self._channel, self._on_end = model, channel, on_end
        self._lock = Lock()
        self._busy = False
        self._takes_processor = False
        self._early_stops: list[bool] = []
        """Stops that came while the run stood in line: for each, whether at once."""
        self._stop: StopSignal | None = None
        self._thread: Thread | None = None
        self._measured: tuple[Model, Sensitivity] | None = None
        """What was measured last, and of which model."""

    @property
    def go_on(self) -> bool:
        """Whether there is one."""
        return self._busy

    @property
    def take_processor(self) -> bool:
        """Whether there is one whose steps are computed on the processor."""
        return self._busy and self._takes_processor

    def expect(self, request: LongWork) -> bool:
        """Notes that a run is asked for. False: it is still to be started.

        Raises ``RunError`` when there is one already.
        """
        with self._lock:
            if self._busy:
                raise RunError("A plan is running already; stop it first.")
            self._busy = True
            self._takes_processor = (
                not isinstance(request, protocol.ReadSnapshot) and request.device.lower() == "cpu"
            )
        return False

    def start(self, request: LongWork) -> bool:
        """Starts what was expected; its events are replies to the request."""
        try:
            work = self._work(request)
        except BaseException:  # it goes on up
            self._end()
            raise
        self._thread = Thread(
            target=guarded,
            args=(request, self._channel, work),
            name="run",
            daemon=True,
        )
        self._thread.start()
        return True

    def _work(self, request: LongWork) -> Callable[[], bool]:
        if isinstance(request, protocol.ReadSnapshot):
            return partial(self._read, request, self._stop_signal())
        model, stop = self._model.model, self._stop_signal()
        if isinstance(request, protocol.ApplyPlan):
            return partial(self._run, request, model, stop)
        return partial(self._measure, request, model, stop)

    def _stop_signal(self) -> StopSignal:
        from memplanner.run import StopSignal

        stop = StopSignal()
        with self._lock:
            self._stop = stop
            for now in self._early_stops:
                stop.request(now=now)
        return stop

    def stop(self, request: protocol.StopRun) -> bool:
        """Passes a stop on; without a run there is nothing to stop."""
        started = perf_counter()
        with self._lock:
            stop = self._stop
            if self._busy and stop is None:
                self._early_stops.append(request.now)
        if stop is not None:
            stop.request(now=request.now)
        self._channel.send(protocol.Ready(id=request.id, seconds=perf_counter() - started))
        return True

    def stop_all(self) -> None:
        """Stops the run at once and waits for its process to be gone."""
        with self._lock:
            stop, thread = self._stop, self._thread
        if stop is not None:
            stop.request(now=True)
        if thread is not None:
            thread.join(15)

    def _run(self, request: protocol.ApplyPlan, model: Model, stop: StopSignal) -> bool:
        from memplanner.run.process import apply

        def send(event: RunEvent) -> None:
            if not isinstance(event, RunResult):
                self._channel.send(protocol.Run(id=request.id, event=event))

        try:
            result = apply(
                model, request.plan, request.device, steps=request.steps, data=request.data,
                force=request.force, quality=request.quality, save=request.save,
                on_event=send, stop=stop,
            )  # fmt: skip
        finally:
            self._end()  # before the last reply, which the next request may follow at once
        self._channel.send(protocol.Run(id=request.id, event=result))
        return True

    def _measure(
        self, request: protocol.MeasureSensitivity, model: Model, stop: StopSignal
    ) -> bool:
        from memplanner.run.sensitivity_process import sensitivity

        def send(progress: SensitivityProgress) -> None:
            self._channel.send(
                protocol.Progress(id=request.id, text=progress.text, fraction=progress.fraction)
            )

        try:
            found = sensitivity(
                model, request.plan, request.device, data=request.data,
                candidates=request.candidates, on_progress=send, stop=stop,
            )  # fmt: skip
            self._measured = model, found
        finally:
            self._end()
        self._channel.send(protocol.SensitivityMeasured(id=request.id, sensitivity=found))
        return True

    def _read(self, request: protocol.ReadSnapshot, stop: StopSignal) -> bool:
        from memplanner.run.snapshot_process import snapshot

        def send(progress: SnapshotProgress) -> None:
            text = f"Reading {request.path}"
            self._channel.send(
                protocol.Progress(id=request.id, text=text, fraction=progress.fraction)
            )

        try:
            found = snapshot(request.path, on_progress=send, stop=stop)
        finally:
            self._end()
        self._channel.send(protocol.SnapshotRead(id=request.id, snapshot=found))
        return True

    def assign(self, request: protocol.AssignBits) -> bool:
        """Bits by what was measured last of this model. Raises ``RunError`` or ``PlanError``."""
        from memplanner.techniques.bit_assignment import assign_bits

        measured = self._measured
        if measured is None or measured[0] is not self._model.model:
            raise RunError("No sensitivity of this model has been measured yet; measure it first.")
        found = assign_bits(measured[1], request.budget_bytes, exact=request.exact)
        self._channel.send(protocol.BitsAssigned(id=request.id, assignment=found))
        return True

    def _end(self) -> None:
        with self._lock:
            self._busy, self._stop, self._early_stops = False, None, []
        self._on_end()
