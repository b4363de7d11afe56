"""FSDP2's first step is like its second, but for storages that take no memory."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from memplanner.tape import record as recording
from memplanner.tape.tape import Tape
from tests.estimate.recordings import H100, META, planned, tiny

CASES: tuple[dict[str, Any], ...] = (
    {},
    {"adapters__method": "lora", "activation_checkpointing__policy": "selective"},
    {
        "activation_checkpointing__policy": "full",
        "activation_offload__to": "host",
        "loss__method": "chunked",
    },
    {"precision": "bf16_mixed", "training__gradient_accumulation_steps": 3},
    {"sharding__nodes": 2, "training__zero_grad": "before_forward"},
    {"sharding__replicas": 2},
    {"sharding__reduction": "last_micro_batch", "training__gradient_accumulation_steps": 3},
)


def events(tape: Tape) -> list[Any]:
    """What is born and dies, in order; streams by the order in which they are first asked."""
    streams: dict[int, int] = {0: 0}
    kept = np.array(
        [
            bool(size) or info.collective is not None or info.host_bytes > 0
            for size, info in zip(tape.size_bytes, tape.storages, strict=True)
        ]
    )
    number = np.cumsum(kept)
    found: list[Any] = []
    for span in tape.phases:
        found.append(span.phase)
        for place in range(span.start, span.stop):
            event = int(tape.events[place])
            storage = abs(event) - 1
            if kept[storage]:
                info = tape.storages[storage]
                stream = streams.setdefault(info.stream, len(streams))
                found.append(
                    (
                        event > 0,
                        int(number[storage]),
                        int(tape.size_bytes[storage]),
                        int(tape.category[storage]),
                        int(tape.module[storage]),
                        int(tape.context[place]),
                        replace(info, stream=stream),
                    )
                )
    return found


@pytest.mark.parametrize("data", ["zero_2", "zero_3"])
@pytest.mark.parametrize("values", CASES, ids=str)
def test_the_second_step_is_the_first_one(
    values: dict[str, Any], data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny("llama", num_hidden_layers=3)
    plan = planned(2, 24, sharding__cards_per_node=4, sharding__data=data, **values)
    module = model.build(META)
    first = recording.record(model, plan, H100, deepcopy(module))
    with monkeypatch.context() as patched:
        patched.setattr(recording, "_carries", lambda *_: True)
        second = recording.record(model, plan, H100, deepcopy(module))
    assert len(second.events) > len(first.events)  # a whole step more was run
    assert events(first) == events(second)
    assert first.work.same_structure(second.work)
    assert np.array_equal(first.work.amount_bytes, second.work.amount_bytes)
    assert first.notes == second.notes
