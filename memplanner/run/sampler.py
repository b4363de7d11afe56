"""Memory at this moment, twenty times a second, from a thread beside the training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic

import psutil
import torch

from memplanner.hardware import host_memory, nvml
from memplanner.messages.device import Device
from memplanner.messages.run import RunSample
from memplanner.run.failure import FaultWatch

INTERVAL_SECONDS = 0.05
RESERVE_BYTES = 512 * 2**20
"""Host memory that is left to the system: below it a run stops itself, on a card too (what is
offloaded lies in host memory), since a machine that swaps is of no use to anyone."""


@dataclass(slots=True)
class Position:
    """Where the training loop is; without a watch no step has begun."""

    watch: FaultWatch | None = None
    step: int = 0


class Sampler:
    """Sends samples from ``start`` to ``stop``; calls ``on_low_memory`` at most once.

    ``started`` is the moment (of ``time.monotonic``) that samples count their seconds from.
    """

    def __init__(
        self,
        device: Device,
        position: Position,
        send: Callable[[RunSample], None],
        on_low_memory: Callable[[], None],
        *,
        started: float,
    ) -> None:
        self._device, self._position, self._started = device, position, started
        self._send, self._on_low_memory = send, on_low_memory
        self._ended = Event()
        self._one_at_a_time = Lock()
        self._process = psutil.Process()
        self._thread = Thread(target=self._run, name="memory sampler", daemon=True)
        self.highest_device_bytes: int | None = None

    def start(self) -> None:
        """Starts sampling."""
        self._thread.start()

    def stop(self) -> None:
        """Ends sampling and waits for the last sample."""
        self._ended.set()
        self._thread.join()

    def take(self) -> None:
        """Sends a sample now; none before the first step. Any thread may call it."""
        with self._one_at_a_time:
            watch = self._position.watch
            if watch is not None:
                self._send(self._sample(watch))

    def _run(self) -> None:
        guarded = True
        while not self._ended.wait(INTERVAL_SECONDS):
            self.take()
            if guarded and host_memory().available_bytes < RESERVE_BYTES:
                guarded = False
                self._on_low_memory()

    def _sample(self, watch: FaultWatch) -> RunSample:
        """Memory now; the highest since the last sample starts again.

        The card's own counter of the highest belongs to the step, which resets it. Between two
        samples the tensors that the watch sees rise and fall by the same bytes.
        """
        highest, live = watch.highest_bytes, watch.live_bytes
        watch.highest_bytes = live
        allocated, reserved = live, None
        used: int | None
        if self._device.kind == "cpu":
            used = self._process.memory_info().rss
        else:
            index = self._device.index or 0
            allocated = torch.cuda.memory_allocated(index)
            reserved = torch.cuda.memory_reserved(index)
            used = nvml.used_bytes(index)
        if used is not None:
            self.highest_device_bytes = max(self.highest_device_bytes or 0, used)
        return RunSample(
            seconds=monotonic() - self._started,
            allocated_bytes=allocated,
            highest_bytes=allocated + max(highest - live, 0),
            reserved_bytes=reserved,
            device_bytes=used,
            phase=watch.current_phase,
            step=self._position.step,
            micro_batch=watch.current_micro_batch,
        )
