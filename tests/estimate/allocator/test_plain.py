"""The quick replay beside the one that goes block by block: nothing may differ."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.estimate.allocator import AllocatorSettings, LoopReplay, TrainingLoop, replay
from memplanner.estimate.allocator.any_run import AnyRun
from memplanner.estimate.allocator.caching import UNIT_BYTES
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.estimate.allocator.loop import training_loop
from memplanner.estimate.allocator.plain_run import PlainRun
from memplanner.estimate.allocator.replay import MOST_STEPS, taken_through
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.units import KIB, MIB
from tests.estimate.periodic_tapes import Step, steps

SIZES = (
    *(1, 512, 513, 3 * KIB, 700 * KIB, MIB, MIB + 1, 2 * MIB, 3 * MIB, 5 * MIB, 10 * MIB - 512),
    *(10 * MIB, 11 * MIB, 20 * MIB, 64 * MIB, 65 * MIB, 200 * MIB, 201 * MIB),
)
LIMITS = (None, 4000 * MIB, 1000 * MIB, 500 * MIB, 250 * MIB, 60 * MIB)
PLAIN = (
    "",
    "large_segment_size_mb:32",
    "roundup_power2_divisions:4",
    "per_process_memory_fraction:0.5",
)


def by_block(
    loop: TrainingLoop,
    chosen: AllocatorSettings,
    limit_bytes: int | None,
    device_bytes: int | None,
    most_steps: int = MOST_STEPS,
) -> LoopReplay:
    allocator = caching_allocator(chosen, limit_bytes=limit_bytes, device_bytes=device_bytes)
    sizes = round_sizes(loop.size_bytes, chosen) // UNIT_BYTES
    return taken_through(AnyRun(allocator, sizes, loop), loop, limit_bytes, most_steps)


def differences(one: LoopReplay, other: LoopReplay) -> dict[str, tuple[Any, Any]]:
    found = {}
    for field in fields(LoopReplay):
        pair = getattr(one, field.name), getattr(other, field.name)
        if not np.array_equal(*pair):
            found[field.name] = pair
    return found


def made_up(seed: int, *, kept: int, count: int, streams: int, carries: bool) -> TrainingLoop:
    """A loop of random births and deaths; some of what is kept gives its place to what is new."""
    chance = np.random.default_rng(seed)
    few = chance.choice(SIZES, int(chance.integers(2, 6)))
    sizes = chance.choice(few, kept + count)

    def stretch(first: int) -> tuple[list[int], list[int]]:
        events: list[int] = []
        alive: list[int] = []
        for storage in range(first, first + count):
            events.append(storage + 1)
            alive.append(storage)
            while alive and chance.random() < 0.47:
                events.append(-alive.pop(int(chance.integers(len(alive)))) - 1)
        return events, alive

    first, left_first = stretch(kept)
    steady, left_steady = stretch(kept)
    # what either step leaves dies at its end, unless it takes the place of what was kept
    pairs = []
    shared = sorted(set(left_first) & set(left_steady))[: kept // 2]
    if carries:
        for begins, ends in enumerate(shared):
            sizes[begins] = sizes[ends]
            pairs.append((ends, begins))
            for events in (first, steady):
                events.insert(int(chance.integers(len(events) + 1)), -begins - 1)
    carried = {ends for ends, _ in pairs}
    first += [-storage - 1 for storage in left_first if storage not in carried]
    steady += [-storage - 1 for storage in left_steady if storage not in carried]
    on = chance.integers(0, streams, len(sizes)) if streams > 1 else None
    if on is not None:
        for ends, begins in pairs:
            on[begins] = on[ends]
    return TrainingLoop(
        size_bytes=sizes,
        setup=np.arange(kept) + 1,
        setup_places=np.arange(kept),
        first=np.array(first, np.int64),
        first_places=kept + np.minimum(np.arange(len(first)), len(steady) - 1),
        steady=np.array(steady, np.int64),
        steady_places=kept + np.arange(len(steady)),
        carried=tuple(pairs),
        events=kept + len(steady),
        stream=on,
    )


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kept=st.integers(0, 12),
    count=st.integers(1, 60),
    streams=st.integers(1, 3),
    carries=st.booleans(),
    limit_bytes=st.sampled_from(LIMITS),
    text=st.sampled_from(PLAIN),
    most_steps=st.integers(1, 8),
)
def test_random_loops_end_as_block_by_block(
    seed: int,
    kept: int,
    count: int,
    streams: int,
    carries: bool,
    limit_bytes: int | None,
    text: str,
    most_steps: int,
) -> None:
    loop = made_up(seed, kept=kept, count=count, streams=streams, carries=carries)
    chosen = AllocatorSettings.parse(text)
    quick = replay(
        loop, chosen, limit_bytes=limit_bytes, device_bytes=2048 * MIB, most_steps=most_steps
    )
    slow = by_block(loop, chosen, limit_bytes, 2048 * MIB, most_steps)
    assert differences(quick, slow) == {}


@settings(max_examples=80, deadline=None)
@given(
    step=steps,
    periods=st.integers(1, 5),
    factor=st.sampled_from([UNIT_BYTES, 7 * KIB, 90 * KIB, MIB]),
    limit_bytes=st.sampled_from(LIMITS),
)
def test_steps_of_periods_end_as_block_by_block(
    step: Step, periods: int, factor: int, limit_bytes: int | None
) -> None:
    tape = step.tape(periods)
    loop = training_loop(replace(tape, size_bytes=tape.size_bytes * factor))
    chosen = AllocatorSettings()
    slow = by_block(loop, chosen, limit_bytes, None)
    assert differences(replay(loop, chosen, limit_bytes=limit_bytes), slow) == {}


@pytest.fixture
def foreseen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What runs say after a steady step when they are asked whether they know the next one."""
    found: list[bool] = []
    foresees = PlainRun.foresees

    def note(run: PlainRun) -> bool:
        known = foresees(run)
        if len(run._seen) > 1:
            found.append(known)
        return known

    monkeypatch.setattr(PlainRun, "foresees", note)
    return found


def short(sizes_mib: list[int], first: list[int], steady: list[int]) -> TrainingLoop:
    """A loop that keeps its first storage; storages are counted from 1."""
    return TrainingLoop(
        size_bytes=np.array(sizes_mib) * MIB,
        setup=np.array([1]),
        setup_places=np.array([0]),
        first=np.array(first),
        first_places=1 + np.arange(len(first)),
        steady=np.array(steady),
        steady_places=1 + np.arange(len(steady)),
        carried=(),
        events=1 + len(steady),
    )


def test_a_step_after_one_that_grew_is_foreseen(foreseen: list[bool]) -> None:
    loop = short([20, 64, 40], first=[3, -3], steady=[3, 2, -3, -2])
    found = replay(loop)
    assert foreseen == [True]
    assert (found.steps, found.settled) == (3, True)
    assert differences(found, by_block(loop, AllocatorSettings(), None, None)) == {}


def test_a_step_that_would_take_the_new_segment_for_another_request_is_taken(
    foreseen: list[bool],
) -> None:
    """The 60 MiB came from 100; of the 70 that were new after them they find a closer fit."""
    loop = short([20, 70, 100, 60], first=[3, -3], steady=[4, 2, -4, -2])
    found = replay(loop)
    assert foreseen[0] is False
    assert differences(found, by_block(loop, AllocatorSettings(), None, None)) == {}


@pytest.mark.parametrize(
    ("seed", "kept", "count", "carries", "limit_bytes"),
    [
        (4057606953, 7, 24, False, 700 * MIB),
        (3255281524, 8, 6, True, 150 * MIB),
        (2017470226, 2, 16, True, 700 * MIB),
    ],
)
def test_after_a_step_that_gave_segments_back_the_next_one_is_taken(
    seed: int, kept: int, count: int, carries: bool, limit_bytes: int
) -> None:
    """Loops that end otherwise where it is foreseen: such are rare."""
    loop = made_up(seed, kept=kept, count=count, streams=1, carries=carries)
    quick = replay(loop, limit_bytes=limit_bytes, device_bytes=2048 * MIB)
    assert quick.retries
    assert differences(quick, by_block(loop, AllocatorSettings(), limit_bytes, 2048 * MIB)) == {}


def test_foreseen_and_taken_steps_both_come_up_among_random_loops(foreseen: list[bool]) -> None:
    """So that the law above is about both."""
    for seed in range(60):
        replay(made_up(seed, kept=6, count=40, streams=1, carries=True))
    assert {True, False} == set(foreseen)
