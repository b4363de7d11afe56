"""A first step without DDP is like the second, but for storages that take no memory."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from memplanner.estimate.recording import Recordings
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

SPLIT: tuple[dict[str, Any], ...] = (
    {"tensor": 2, "data": "zero_2"},
    {"tensor": 4, "data": "zero_3", "sequence_parallel": True, "loss_parallel": True},
    {"tensor": 8},
    {"context": 2, "data": "zero_3"},
    {"pipeline": 2, "data": "zero_2"},
    {"pipeline": 4, "tensor": 2, "schedule": "gpipe"},
    {"pipeline": 2, "tensor": 2, "context": 2, "data": "zero_3", "reduction": "last_micro_batch"},
    {"pipeline": 2, "tensor": 2, "data": "zero_3", "schedule": "interleaved_1f1b"},
    {"pipeline": 2, "data": "zero_3", "schedule": "zero_bubble"},
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


def in_any_order_at_first(tape: Tape) -> tuple[Counter[Any], list[Any]]:
    """What lies there before the step, and its events; what lies there is named by what it is."""
    there = int((tape.size_bytes[: tape.phases[0].stop] > 0).sum())
    before: dict[int, Any] = {}
    found: list[Any] = []
    for event in events(tape)[1:]:
        if isinstance(event, str):
            found.append(event)
            continue
        _, number, *what, _, info = event
        if number <= there and not found:
            before[number] = (*what, info)
        else:
            found.append((before.get(number, number), *event[2:], event[0]))
    return Counter(before.values()), found


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


@pytest.mark.parametrize("sharding", SPLIT, ids=str)
@pytest.mark.parametrize("stage", [0, -1], ids=["first", "last"])
def test_the_same_holds_of_layers_and_steps_that_are_split(
    sharding: dict[str, Any], stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny(
        "llama", num_hidden_layers=4, num_attention_heads=8, num_key_value_heads=8,
        hidden_size=64, vocab_size=32,
    )  # fmt: skip
    values = {f"sharding__{name}": value for name, value in sharding.items()}
    micro_batches = 4 if "pipeline" in sharding else 1
    plan = planned(
        2, 24, sharding__cards_per_node=8, precision="bf16",
        training__gradient_accumulation_steps=micro_batches, **values,
    )  # fmt: skip
    target = replace(H100, rank=stage % plan.sharding.ranks)
    recordings = Recordings(model)
    parts = recordings.parts(plan, target)
    module = recordings.stages(parts, ()) if parts else recordings.module(())
    first = recording.record(model, plan, target, deepcopy(module))
    with monkeypatch.context() as patched:
        patched.setattr(recording, "_carries", lambda *_: True)
        second = recording.record(model, plan, target, deepcopy(module))
    (loaded, told), (expected, wanted) = map(in_any_order_at_first, (first, second))
    assert loaded == expected
    assert told == wanted
    assert first.work.same_structure(second.work)
    assert np.array_equal(first.work.amount_bytes, second.work.amount_bytes)
    assert first.notes == second.notes
