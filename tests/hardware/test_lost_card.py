"""A card that is lost while a plan runs on it: the run goes on being told, and is not to blame."""

from __future__ import annotations

from threading import Event
from time import monotonic

import pynvml
import pytest
import torch
from torch import nn

from memplanner.hardware import HostMemory
from memplanner.messages.device import Device
from memplanner.messages.run import RunSample
from memplanner.run.failure import FaultWatch
from memplanner.run.sampler import Position, Sampler
from tests.hardware.fake_driver import GIB, FakeCard, FakeDriver


def test_samples_go_on_without_a_driver_that_answers(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: 100)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 200)
    card = FakeCard()
    driver.cards.append(card)
    device = Device(name="card", kind="cuda", memory_bytes=80 * GIB, index=0, local=True)
    samples: list[RunSample] = []
    position = Position(FaultWatch(nn.Linear(2, 2)))
    sampler = Sampler(device, position, samples.append, lambda: None, started=monotonic())
    sampler.take()
    card.fails["memory"] = pynvml.NVML_ERROR_GPU_IS_LOST
    sampler.take()
    card.fails.clear()
    driver.dead.add(0)
    sampler.take()
    known = samples[0].device_bytes
    assert known is not None
    assert samples[1].device_bytes is None
    assert samples[1].allocated_bytes == 100, "torch still tells what it has"
    assert sampler.highest_device_bytes == known, "what was measured is kept"


def test_a_run_on_a_card_ends_before_the_machine_swaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memplanner.run.sampler.host_memory", lambda: HostMemory(2**36, 2**20))
    device = Device(name="card", kind="cuda", memory_bytes=80 * GIB, index=0, local=True)
    told = Event()
    sampler = Sampler(device, Position(), lambda _: None, told.set, started=monotonic())
    sampler.start()
    try:
        assert told.wait(20)
    finally:
        sampler.stop()
