"""Runs: each in a thread of its own, so that estimates go on being answered."""

from __future__ import annotations

from threading import Lock, Thread
from time import perf_counter
from typing import TYPE_CHECKING

from memplanner.errors import MemplannerError, RunError
from memplanner.messages import protocol
from memplanner.server.channel import Channel
from memplanner.server.model_work import ModelWork

if TYPE_CHECKING:
    from memplanner.messages.run import RunEvent
    from memplanner.run import StopSignal


class RunWork:
    """At most one run at a time."""

    def __init__(self, model: ModelWork, channel: Channel) -> None:
        self._model, self._channel = model, channel
        self._lock = Lock()
        self._stop: StopSignal | None = None
        self._thread: Thread | None = None

    def start(self, request: protocol.ApplyPlan) -> bool:
        """Starts the run; its events are replies to the request."""
        from memplanner.run import StopSignal

        model = self._model.model
        with self._lock:
            if self._stop is not None:
                raise RunError("A plan is running already; stop it first.")
            self._stop = stop = StopSignal()
        thread = Thread(target=self._run, args=(request, model, stop), name="run", daemon=True)
        self._thread = thread
        thread.start()
        return True

    def stop(self, request: protocol.StopRun, channel: Channel) -> None:
        """Passes a stop on; without a run there is nothing to stop."""
        started = perf_counter()
        with self._lock:
            stop = self._stop
        if stop is not None:
            stop.request(now=request.now)
        channel.send(protocol.Ready(id=request.id, seconds=perf_counter() - started))

    def stop_all(self) -> None:
        """Stops the run at once and waits for its process to be gone."""
        with self._lock:
            stop, thread = self._stop, self._thread
        if stop is not None:
            stop.request(now=True)
        if thread is not None:
            thread.join(15)

    def _run(self, request: protocol.ApplyPlan, model: object, stop: StopSignal) -> None:
        from memplanner.model import Model
        from memplanner.run import apply

        def send(event: RunEvent) -> None:
            self._channel.send(protocol.Run(id=request.id, event=event))

        assert isinstance(model, Model)
        try:
            apply(
                model, request.plan, request.device, steps=request.steps, data=request.data,
                force=request.force, on_event=send, stop=stop,
            )  # fmt: skip
        except MemplannerError as error:
            self._channel.send(
                protocol.Failure(id=request.id, error=type(error).__name__, sentence=str(error))
            )
        finally:
            with self._lock:
                self._stop = None
