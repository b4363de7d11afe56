from __future__ import annotations

from threading import Event
from time import monotonic
from types import SimpleNamespace

import psutil
import pytest
import torch
from torch import nn

from memplanner.messages.device import Device
from memplanner.messages.run import RunSample
from memplanner.run.failure import FaultWatch
from memplanner.run.sampler import RESERVE_BYTES, Position, Sampler

MIB = 2**20


def _sampler(
    device: Device, position: Position, samples: list[RunSample], on_low: object = None
) -> Sampler:
    return Sampler(
        device,
        position,
        samples.append,
        on_low if callable(on_low) else lambda: None,
        started=monotonic(),
    )


def test_a_sample_has_the_highest_since_the_last(cpu: Device) -> None:
    watch = FaultWatch(nn.Linear(2, 2))
    position = Position(watch, 4)
    samples: list[RunSample] = []
    sampler = _sampler(cpu, position, samples)
    with watch:
        watch.phase("forward", 1)
        kept = torch.ones(MIB)
        passing = torch.ones(2 * MIB)
        del passing
        sampler.take()
        sampler.take()
        more = torch.ones(MIB)
        sampler.take()
    assert [sample.allocated_bytes for sample in samples] == [4 * MIB, 4 * MIB, 8 * MIB]
    assert [sample.highest_bytes for sample in samples] == [12 * MIB, 4 * MIB, 8 * MIB]
    assert kept.numel() == more.numel()
    assert {(sample.phase, sample.step, sample.micro_batch) for sample in samples} == {
        ("forward", 4, 1)
    }
    used = [sample.device_bytes or 0 for sample in samples]
    assert sampler.highest_device_bytes == max(used) > 0
    assert samples[0].reserved_bytes is None


def test_nothing_is_sent_before_the_first_step(cpu: Device) -> None:
    samples: list[RunSample] = []
    sampler = _sampler(cpu, Position(), samples)
    sampler.take()
    assert samples == []
    assert sampler.highest_device_bytes is None


@pytest.mark.parametrize("spare", [-1, 0])
def test_little_host_memory_is_told_once(
    cpu: Device, monkeypatch: pytest.MonkeyPatch, spare: int
) -> None:
    asked, told = Event(), []
    calls = 0

    def memory() -> SimpleNamespace:
        nonlocal calls
        calls += 1
        if calls == 3:
            asked.set()
        return SimpleNamespace(total=2**34, available=RESERVE_BYTES + spare)

    watch = FaultWatch(nn.Linear(2, 2))
    samples: list[RunSample] = []
    taken = Event()
    sampler = Sampler(
        cpu,
        Position(watch),
        lambda sample: (samples.append(sample), len(samples) > 3 and taken.set())[0],
        lambda: told.append(True),
        started=monotonic(),
    )
    monkeypatch.setattr(psutil, "virtual_memory", memory)
    sampler.start()
    assert taken.wait(10)
    sampler.stop()
    assert len(told) == (spare < 0)
    assert (calls == 1) == (spare < 0)


def test_a_card_is_asked_of_torch_and_its_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda index: 100 + index)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda index: 200 + index)
    monkeypatch.setattr("memplanner.hardware.nvml.used_bytes", lambda index: 300 + index)
    watch = FaultWatch(nn.Linear(2, 2))
    watch.live_bytes, watch.highest_bytes = 90, 97
    card = Device(name="card", kind="cuda", memory_bytes=1000, index=1, local=True)
    samples: list[RunSample] = []
    _sampler(card, Position(watch), samples).take()
    sample = samples[0]
    assert (sample.allocated_bytes, sample.highest_bytes) == (101, 108)
    assert (sample.reserved_bytes, sample.device_bytes) == (201, 301)
