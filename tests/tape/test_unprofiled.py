"""What torch's code names for a profiler makes no difference to a tape."""

from __future__ import annotations

from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from memplanner.tape import record as recording
from memplanner.tape.unprofiled import unprofiled
from memplanner.tape.watch import StorageWatch
from tests.estimate.recordings import H100, META, planned, tiny
from tests.tape.test_first_step import events

NAMES = torch.ops.profiler._record_function_enter_new.default


class Names(TorchDispatchMode):
    """Counts what is named."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += func is NAMES
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("data", ["zero_2", "zero_3"])
def test_a_tape_is_as_if_stretches_were_named(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("llama", num_hidden_layers=3)
    plan = planned(
        2, 24, sharding__cards_per_node=4, sharding__data=data, precision="bf16_mixed",
        training__gradient_accumulation_steps=2,
    )  # fmt: skip
    module = model.build(META)
    told = recording.record(model, plan, H100, deepcopy(module))
    monkeypatch.setattr(recording, "unprofiled", nullcontext)
    assert events(recording.record(model, plan, H100, deepcopy(module))) == events(told)


def test_nothing_is_named_within() -> None:
    module = torch.nn.Linear(2, 2, device="meta")
    with Names() as names:
        with unprofiled(StorageWatch(module)), torch.autograd.profiler.record_function("one"):
            pass
        assert names.count == 0
        with torch.autograd.profiler.record_function("two"):
            pass
    assert names.count == 1
