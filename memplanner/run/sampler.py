"""Memory at this moment, twenty times a second, from a thread beside the training loop."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from typing import Protocol

import psutil
import torch

from memplanner.hardware import nvml
from memplanner.messages.device import Device
from memplanner.messages.run import RunSample
from memplanner.tape.watch import StorageWatch

INTERVAL_SECONDS = 0.05
RESERVE_BYTES = 512 * 2**20
"""Host memory that is left to the system: below it a run on the CPU stops itself, since a machine
that swaps is of no use to anyone."""


class Position(Protocol):
    """Where the training loop is."""

    watch: StorageWatch | None
    step: int


class Sampler:
    """Sends samples from ``start`` to ``stop``; calls ``on_low_memory`` at most once."""

    def __init__(
        self,
        device: Device,
        position: Position,
        send: Callable[[RunSample], None],
        on_low_memory: Callable[[], None],
    ) -> None:
        self._device, self._position = device, position
        self._send, self._on_low_memory = send, on_low_memory
        self._started = monotonic()
        self._ended = Event()
        self._process = psutil.Process()
        self._thread = Thread(target=self._run, name="memory sampler", daemon=True)
        self.highest_device_bytes = 0

    def start(self) -> None:
        """Starts sampling."""
        self._thread.start()

    def stop(self) -> None:
        """Ends sampling and waits for the last sample."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        warned = False
        while not self._ended.wait(INTERVAL_SECONDS):
            watch = self._position.watch
            if watch is not None:
                self._send(self.sample(watch))
            if not warned and self._device.kind == "cpu":
                if psutil.virtual_memory().available < RESERVE_BYTES:
                    warned = True
                    self._on_low_memory()

    def sample(self, watch: StorageWatch) -> RunSample:
        """Memory now; the highest since the last sample starts again."""
        highest, live = watch.highest_bytes, watch.live_bytes
        watch.highest_bytes = live
        reserved: int | None = None
        used: int | None
        if self._device.kind == "cpu":
            used = self._process.memory_info().rss
        else:
            index = self._device.index or 0
            live = torch.cuda.memory_allocated(index)
            highest = torch.cuda.max_memory_allocated(index)
            torch.cuda.reset_peak_memory_stats(index)
            reserved = torch.cuda.memory_reserved(index)
            used = nvml.used_bytes(index)
        self.highest_device_bytes = max(self.highest_device_bytes, used or 0)
        return RunSample(
            seconds=monotonic() - self._started,
            allocated_bytes=live,
            highest_bytes=max(highest, live),
            reserved_bytes=reserved,
            device_bytes=used,
            phase=watch.current_phase,
            step=self._position.step,
            micro_batch=watch.current_micro_batch,
        )
