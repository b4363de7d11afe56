"""From one steady step to a run from process start, beside real runs and through the allocator."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from memplanner.estimate import estimate
from memplanner.estimate.allocator import (
    AllocatorSettings,
    TrainingLoop,
    replay,
    training_loop,
)
from memplanner.estimate.allocator.caching import UNIT_BYTES, Block
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.estimate.allocator.replay import QUIET_STEPS
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.messages.device import Device
from memplanner.messages.estimate import Span
from memplanner.tape.tape import ACTIVATIONS, GRADIENTS, OPTIMIZER_STATE, PARAMETERS, Tape
from memplanner.units import GIB, MIB
from tests.estimate.allocator.real_run import Run, real_run
from tests.estimate.recordings import planned, tiny

CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * GIB)
STEPS = 4
SCALE = 700
"""Makes tiny tensors fill both pools."""
LOOPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "foreach": {"optimizer__implementation": "foreach"},
    "outputs dropped": {"training__outputs": "until_loss"},
    "cleared before forward": {"training__zero_grad": "before_forward"},
    "all carried": {
        "training__zero_grad": "before_backward",
        "training__outputs": "until_next_output",
    },
    "momentum free": {"optimizer__name": "sgd"},
    "eager state": {"optimizer__name": "adagrad"},
    "updates in backward": {"optimizer__update": "in_backward"},
    "factored in backward": {"optimizer__update": "in_backward", "optimizer__name": "adafactor"},
    "eager state in backward": {"optimizer__update": "in_backward", "optimizer__name": "adagrad"},
}
MODELS = ("llama", "long llama", "bert", "t5", "vit", "mixtral")


@cache
def pair(model: str, name: str) -> tuple[Run, TrainingLoop]:
    plan = planned(2, 24, **LOOPS[name])
    tape = estimate(tiny(model), plan, CPU)._tape
    loop = training_loop(
        tape,
        states_from_start=plan.optimizer.name == "adagrad",
        states_in_backward=plan.optimizer.update == "in_backward",
    )
    return real_run(tiny(model), plan, STEPS), loop


def deltas(loop: TrainingLoop, events: Any) -> list[int]:
    signed = np.sign(events) * loop.size_bytes[np.abs(events) - 1]
    return [int(delta) for delta in signed if delta]


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("model", MODELS)
def test_a_run_from_process_start_is_as_a_real_one(model: str, name: str) -> None:
    real, loop = pair(model, name)
    parts = [loop.setup, loop.first, *[loop.steady] * (STEPS - 1)]
    if LOOPS[name].get("training__zero_grad") == "before_forward":
        # the tape clears at a step's end, the run at the next one's beginning: the cut differs
        mine = [delta for part in parts for delta in deltas(loop, part)]
        theirs = [delta for number in range(len(parts)) for delta in real.deltas(number)]
        assert mine[: len(theirs)] == theirs
        return
    for number, part in enumerate(parts):
        assert deltas(loop, part) == real.deltas(number), f"part {number}"


@pytest.mark.parametrize("model", ["gpt2", "gemma3", "swin"])
def test_a_model_is_moved_in_torchs_order(model: str) -> None:
    """Submodules before a module's own tensors; what is tied once, where it is met first."""
    real, loop = pair(model, "momentum free")
    assert deltas(loop, loop.setup) == real.deltas(0)


@pytest.mark.parametrize("text", ["", "expandable_segments:True", "roundup_power2_divisions:4"])
@pytest.mark.parametrize("name", ["plain", "all carried"])
def test_a_replay_reserves_what_the_real_run_would(name: str, text: str) -> None:
    real, loop = pair("llama", name)
    loop = replace(loop, size_bytes=loop.size_bytes * SCALE)
    chosen = AllocatorSettings.parse(text)
    allocator = caching_allocator(chosen)
    sizes = round_sizes(np.array(real.size_bytes) * SCALE, chosen) // UNIT_BYTES
    alive: dict[int, Block] = {}
    curve: list[tuple[int, int]] = []
    for event in real.events:
        size = int(sizes[abs(event) - 1])
        if size and event > 0:
            block = allocator.allocate(size)
            assert block is not None
            alive[event] = block
        elif size:
            allocator.free(alive.pop(-event))
        curve.append((allocator.reserved * UNIT_BYTES, allocator.allocated * UNIT_BYTES))
    found = replay(loop, chosen, most_steps=STEPS)
    assert found.reserved_bytes == max(reserved for reserved, _ in curve)
    assert found.allocated_bytes == max(allocated for _, allocated in curve)
    assert found.end.reserved_bytes == curve[-1][0]
    assert found.end.allocated_bytes == curve[-1][1]
    assert found.settled == (name == "plain")


def test_settled_steps_go_on_alike() -> None:
    """What ends a replay early is exact: replaying on changes nothing."""
    _, loop = pair("llama", "plain")
    loop = replace(loop, size_bytes=loop.size_bytes * SCALE)
    found = replay(loop)
    assert found.settled
    for steps in range(found.steps, found.steps + 3):
        assert plain_peak(loop, steps) == found.reserved_bytes


def plain_peak(loop: TrainingLoop, steps: int) -> int:
    """The reserved peak of so many steps, with nothing remembered."""
    allocator = caching_allocator(AllocatorSettings())
    sizes = (round_sizes(loop.size_bytes, AllocatorSettings()) // UNIT_BYTES).tolist()
    blocks: dict[int, Block] = {}
    highest = 0
    for events in [loop.setup, loop.first, *[loop.steady] * (steps - 1)]:
        for event in events.tolist():
            if sizes[abs(event) - 1] == 0:
                continue
            if event > 0:
                block = allocator.allocate(sizes[event - 1])
                assert block is not None
                blocks[event - 1] = block
            else:
                allocator.free(blocks.pop(-event - 1))
            highest = max(highest, allocator.reserved)
        if events is not loop.setup:
            moved = {begins: blocks.pop(ends) for ends, begins in loop.carried if ends in blocks}
            blocks |= moved
    return highest * UNIT_BYTES


def tape_of(
    sizes: list[int], kinds: list[int], events: list[int], spans: list[tuple[str, int]]
) -> Tape:
    """A tape of one module; ``spans`` are phases with their lengths."""
    phases, start = [], 0
    for phase, length in spans:
        phases.append(Span(phase, 0, start, start + length))  # type: ignore[arg-type]  # a test's own words
        start += length
    count = len(sizes)
    return Tape(
        size_bytes=np.array(sizes, dtype=np.int64),
        category=np.array(kinds, dtype=np.int64),
        module=np.zeros(count, dtype=np.int64),
        events=np.array(events, dtype=np.int64),
        context=np.zeros(len(events), dtype=np.int64),
        phases=tuple(phases),
        storages=(),
        source=np.arange(count),
        module_names=("",),
        module_types=("Linear",),
        module_shapes={},
        trainable=np.zeros(count, dtype=np.bool_),
        numel=np.zeros(count, dtype=np.int64),
    )


CARRYING = tape_of(
    [100 * MIB, 100 * MIB, 40 * MIB, 30 * MIB, 40 * MIB, 0],
    [PARAMETERS, OPTIMIZER_STATE, GRADIENTS, ACTIVATIONS, GRADIENTS, ACTIVATIONS],
    [1, 2, 3, 4, 6, -3, 5, -4, -6],
    [("load", 3), ("forward", 3), ("backward", 2), ("optimizer_step", 1), ("between_steps", 0)],
)


def test_a_first_step_has_no_gradients_to_free_and_makes_the_state_late() -> None:
    loop = training_loop(CARRYING)
    assert loop.setup.tolist() == [1]
    assert loop.first.tolist() == [4, 6, 5, -4, 2, -6]
    assert loop.steady.tolist() == [4, 6, -3, 5, -4, -6]
    assert loop.carried == ((4, 2),)
    assert training_loop(CARRYING, states_from_start=True).setup.tolist() == [1, 2]


def test_the_curve_stands_beside_the_tape() -> None:
    found = replay(training_loop(CARRYING))
    assert found.settled
    assert found.step_allocated_bytes.tolist() == [
        size * MIB for size in [240, 240, 240, 270, 270, 230, 270, 240, 240]
    ]
    assert (found.step_reserved_bytes >= found.step_allocated_bytes).all()
    assert found.peak.reserved_bytes == found.reserved_bytes >= found.allocated_bytes


def test_running_out_says_where_and_of_how_much() -> None:
    loop = training_loop(CARRYING)
    found = replay(loop, limit_bytes=250 * MIB)
    assert found.failure is not None
    assert (found.failure.step, found.failure.storage) == (1, 3)
    assert found.failure.event == 3  # the forward's, in the second step
    assert found.failure.requested_bytes == found.failure.segment_bytes == 30 * MIB
    assert found.failure.allocated_bytes == 240 * MIB
    assert found.reserved_bytes <= 250 * MIB
    assert replay(loop, limit_bytes=270 * MIB).failure is None
    early = replay(loop, limit_bytes=90 * MIB).failure
    assert early is not None
    assert (early.step, early.event, early.storage) == (0, 0, 0)


def test_expandable_segments_ask_for_whole_pages() -> None:
    tape = tape_of(
        [20 * MIB, 30 * MIB],
        [PARAMETERS, ACTIVATIONS],
        [1, 2, -2],
        [("load", 1), ("forward", 1), ("backward", 1)],
    )
    chosen = AllocatorSettings.parse("expandable_segments:True")
    failure = replay(training_loop(tape), chosen, limit_bytes=55 * MIB).failure
    assert failure is not None
    assert (failure.requested_bytes, failure.segment_bytes) == (30 * MIB, 40 * MIB)


def test_a_step_that_keeps_something_new_is_closed() -> None:
    """Survivors without counterpart are let go at its end; what is missing is made anew."""
    tape = tape_of(
        [4 * MIB, 8 * MIB, 3 * MIB],
        [PARAMETERS, GRADIENTS, ACTIVATIONS],
        [1, 2, 3, -2],
        [("load", 2), ("forward", 1), ("backward", 1)],
    )
    loop = training_loop(tape)
    assert loop.carried == ()
    assert loop.steady.tolist() == [3, -2, -3, 2]
    assert replay(loop).settled


def test_nothing_at_all_is_replayed_to_nothing() -> None:
    tape = tape_of([], [], [], [("load", 0), ("forward", 0)])
    found = replay(training_loop(tape))
    assert (found.reserved_bytes, found.allocated_bytes, found.failure) == (0, 0, None)


def test_with_garbage_collection_steps_are_not_taken_to_repeat() -> None:
    text = "garbage_collection_threshold:0.5,per_process_memory_fraction:0.9"
    found = replay(training_loop(CARRYING), AllocatorSettings.parse(text), device_bytes=400 * MIB)
    assert (found.steps, found.settled) == (1 + QUIET_STEPS, False)
    assert found.failure is None
