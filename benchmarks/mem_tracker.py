"""The same training step by torch's ``MemTracker``, on fake tensors.

``torch/distributed/_tools/mem_tracker.py``: it runs the step under ``FakeTensorMode`` and notes
each storage. The first step has no optimizer state yet, so a steady step is the second one.
"""

from __future__ import annotations

import warnings
from time import perf_counter
from typing import NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker

import memplanner


class Tracked(NamedTuple):
    """What MemTracker took and found: seconds to build and for two steps, and the peak in bytes."""

    build_seconds: float
    step_seconds: tuple[float, float]
    peak_bytes: int

    @property
    def seconds(self) -> float:
        """From the source to the steady peak."""
        return self.build_seconds + sum(self.step_seconds)


def track(source: str, batch_size: int, sequence_length: int) -> Tracked:
    """MemTracker's peak of a steady step of ``source`` in bf16 with for-each AdamW on the CPU."""
    model = memplanner.load(source)
    device = torch.device("cpu")
    with warnings.catch_warnings(), FakeTensorMode():
        warnings.simplefilter("ignore")
        started = perf_counter()
        module = cast(model.build(device), torch.bfloat16)
        module.train()
        optimizer = torch.optim.AdamW(module.parameters(), foreach=True)
        batch = model.batch(batch_size, sequence_length, device)
        tracker = MemTracker()
        tracker.track_external(module, optimizer, *batch.values())
        build_seconds = perf_counter() - started
        seconds = []
        for _ in range(2):
            tracker.reset_mod_stats()
            started = perf_counter()
            with tracker:
                output = module(**batch)
                model.loss(output).backward()
                optimizer.step()
                optimizer.zero_grad()
                del output
            seconds.append(perf_counter() - started)
        peak = tracker.get_tracker_snapshot("peak")[device]["Total"]
    return Tracked(build_seconds, (seconds[0], seconds[1]), peak)


def cast(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """``module`` with its floating parameters in ``dtype``; shared ones stay shared.

    ``Module.to`` cannot swap fake parameters of which weak references exist.
    """
    done: dict[int, nn.Parameter] = {}
    for child in module.modules():
        for name, parameter in list(child.named_parameters(recurse=False)):
            if not parameter.is_floating_point():
                continue
            if id(parameter) not in done:
                value = parameter.detach().to(dtype)
                done[id(parameter)] = nn.Parameter(value, requires_grad=parameter.requires_grad)
            setattr(child, name, done[id(parameter)])
    return module
