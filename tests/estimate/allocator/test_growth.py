"""The tokens between recorded ones, held against every token of a real generation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import memplanner as mp
from memplanner.estimate.allocator import AllocatorSettings, replay, training_loop
from memplanner.estimate.allocator.caching import UNIT_BYTES, Block
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.estimate.allocator.growth import ramps, with_tokens
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.estimate.recorder import recorder
from memplanner.run.generation import User
from memplanner.run.sampler import Position
from memplanner.techniques.prepare import prepare
from memplanner.techniques.target import Target
from tests.truth.small_models import SMALL

BATCH, PROMPT, NEW = 128, 64, 80


def _plan(**more: object) -> mp.Plan:
    return mp.Plan().with_values(
        {
            "training.batch_size": BATCH,
            "training.sequence_length": PROMPT,
            "precision": "fp32",
            "inference.use": "generation",
            "inference.new_tokens": NEW,
            **more,
        }
    )


def _replayed_whole(events: list[int], size_bytes: list[int]) -> int:
    """The highest reserved over all events of a run, one after the other."""
    settings = AllocatorSettings()
    allocator = caching_allocator(settings)
    sizes = round_sizes(np.array(size_bytes, np.int64), settings) // UNIT_BYTES
    blocks: dict[int, Block] = {}
    highest = 0
    for event in events:
        storage = abs(event) - 1
        if not sizes[storage]:
            continue
        if event > 0:
            block = allocator.allocate(int(sizes[storage]))
            assert block is not None
            blocks[storage] = block
            highest = max(highest, allocator.reserved * UNIT_BYTES)
        else:
            allocator.free(blocks.pop(storage))
    return highest


@pytest.mark.slow
def test_reserved_memory_is_that_of_every_token_replayed(tmp_path: Path) -> None:
    model, plan, cpu = mp.load(SMALL["llama"].write(tmp_path)), _plan(), torch.device("cpu")
    prepared = prepare(model, plan, Target(), cpu)
    user = User(prepared, iter([model.batch(BATCH, PROMPT, cpu)]), cpu, Position())
    watch = user.run().watch
    truth = _replayed_whole(watch.events, watch.size_bytes)

    tape = recorder(model).tape(plan, Target())[0].without_scratch()
    loop = training_loop(tape)
    filled, whole = with_tokens(loop, tape)
    assert whole
    assert len(filled.size_bytes) > len(loop.size_bytes)
    predicted = replay(filled, most_steps=1).reserved_bytes
    assert abs(predicted / truth - 1) < 0.03
    assert replay(filled, most_steps=1).allocated_bytes >= tape.curve_bytes.max()


def test_what_is_born_in_between_dies_and_nothing_else_is_changed(tmp_path: Path) -> None:
    model = mp.load(SMALL["llama"].write(tmp_path))
    tape = recorder(model).tape(_plan(), Target())[0].without_scratch()
    loop = training_loop(tape)
    filled, _ = with_tokens(loop, tape)
    for before, after in ((loop.first, filled.first), (loop.steady, filled.steady)):
        assert len(after) > len(before)
        net, grown = (np.bincount(np.abs(part) - 1, np.sign(part)) for part in (before, after))
        assert (grown[: len(net)] == net).all()
        assert not grown[len(net) :].any()
        assert len(np.unique(np.abs(after) - 1)) <= len(filled.size_bytes)
    assert (np.diff(filled.steady_places) >= 0).all()


def test_a_static_cache_has_no_ramp_to_fill(tmp_path: Path) -> None:
    model = mp.load(SMALL["llama"].write(tmp_path))
    tape = recorder(model).tape(_plan(**{"inference.cache": "static"}), Target())[0]
    loop = training_loop(tape)
    filled, whole = with_tokens(loop, tape)
    assert whole
    assert (filled.steady == loop.steady).all()
    assert all(ramp.tokens > 0 for ramp in ramps(tape))
