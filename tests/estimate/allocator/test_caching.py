"""The allocator beside a plain reading of the C++, and its laws."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.errors import PlanError
from memplanner.estimate.allocator.caching import (
    FREE,
    IN_USE,
    UNIT_BYTES,
    UNMAPPED,
    Block,
    CachingAllocator,
)
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.units import KIB, MIB
from tests.estimate.allocator.programs import DEVICE_BYTES, TEXTS, limits, programs, settings_of
from tests.estimate.allocator.reference import Reference

Program = list[tuple[str, int]]


def made(chosen: AllocatorSettings, limit_bytes: int | None = None) -> CachingAllocator:
    return caching_allocator(chosen, limit_bytes=limit_bytes, device_bytes=DEVICE_BYTES)


def units(size_bytes: int, chosen: AllocatorSettings | None = None) -> int:
    rounded = round_sizes(np.array([size_bytes]), chosen or AllocatorSettings())
    return int(rounded[0]) // UNIT_BYTES


def taken(allocator: CachingAllocator, *size_bytes: int) -> list[Block]:
    blocks = [allocator.allocate(units(size)) for size in size_bytes]
    assert all(block is not None for block in blocks)
    return [block for block in blocks if block is not None]


def run(allocator: CachingAllocator, program: Program) -> list[Block]:
    """Runs a program; what is alive at its end."""
    alive: list[Block] = []
    for action, value in program:
        if action == "allocate":
            block = allocator.allocate(units(value, allocator.settings))
            if block is not None:
                alive.append(block)
        elif alive:
            allocator.free(alive.pop(value % len(alive)))
    return alive


def follow(program: Program, chosen: AllocatorSettings, limit_bytes: int | None) -> None:
    """Runs a program on the model and on the plain reading; they agree after every action."""
    allocator = made(chosen, limit_bytes)
    reference = Reference(chosen, limit_bytes, DEVICE_BYTES)
    alive = []
    for action, value in program:
        if action == "allocate":
            size = units(value, chosen)
            block, expected = allocator.allocate(size), reference.malloc(size * UNIT_BYTES)
            assert (block is None) == (expected is None)
            if block is not None and expected is not None:
                assert block.address * UNIT_BYTES == expected.ptr
                assert block.size * UNIT_BYTES == expected.size
                alive.append((block, expected))
        elif alive:
            block, expected = alive.pop(value % len(alive))
            allocator.free(block)
            reference.free(expected)
        assert allocator.reserved * UNIT_BYTES == reference.total
        assert allocator.allocated * UNIT_BYTES == reference.allocated
        assert allocator.inactive_split * UNIT_BYTES == reference.inactive_split
        free = sorted(
            (block.size * UNIT_BYTES, block.address * UNIT_BYTES)
            for block in allocator.free_blocks()
        )
        pools = reference.small.blocks, reference.large.blocks
        assert free == sorted((block.size, block.ptr) for pool in pools for block in pool)


@settings(max_examples=300, deadline=None)
@given(programs, settings_of, limits)
def test_every_program_goes_as_in_a_plain_reading_of_torch(
    program: Program, chosen: AllocatorSettings, limit_bytes: int | None
) -> None:
    follow(program, chosen, limit_bytes)


EDGES = [
    *(512, MIB - 512, MIB, MIB + 512, 2 * MIB, 5 * MIB, 10 * MIB - 512, 10 * MIB, 19 * MIB - 512),
    *(19 * MIB, 20 * MIB, 30 * MIB, 40 * MIB, 60 * MIB, 64 * MIB, 80 * MIB, 104 * MIB),
]


@pytest.mark.parametrize("limit_bytes", [None, 400 * MIB, 160 * MIB])
@pytest.mark.parametrize("text", TEXTS)
def test_long_programs_of_sizes_at_the_edges_go_as_in_torch(
    text: str, limit_bytes: int | None
) -> None:
    chosen = AllocatorSettings.parse(text)
    for seed in range(4):
        generator = np.random.default_rng(seed)
        draws = generator.integers(0, [len(EDGES), 10**6, 100], (250, 3)).tolist()
        follow(
            [
                ("allocate", EDGES[which])
                if chance < 45 + 10 * (place % 80 < 40)
                else ("free", one)
                for place, (which, one, chance) in enumerate(draws)
            ],
            chosen,
            limit_bytes,
        )


@settings(max_examples=200, deadline=None)
@given(programs, settings_of, limits)
def test_blocks_tile_their_segments(
    program: Program, chosen: AllocatorSettings, limit_bytes: int | None
) -> None:
    allocator = made(chosen, limit_bytes)
    alive = run(allocator, program)
    heads = {id(head): head for head in map(head_of, [*alive, *allocator.free_blocks()])}
    seen = [chain(head) for head in heads.values()]
    for blocks in seen:
        for one, other in pairwise(blocks):
            assert one.address + one.size == other.address
            assert other.preceding is one
            assert one.state == IN_USE or one.state != other.state  # neighbours are merged
    spans = sorted((blocks[0].address, blocks[-1].address + blocks[-1].size) for blocks in seen)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    mapped = [block for blocks in seen for block in blocks if block.state != UNMAPPED]
    assert sum(block.size for block in mapped) == allocator.reserved
    assert {id(block) for block in mapped if block.state == IN_USE} == {id(b) for b in alive}
    for block in (block for blocks in seen for block in blocks if block.state == UNMAPPED):
        assert block.segment is not None
        assert (block.address - block.segment.address) % block.segment.page == 0
        assert block.address + block.size <= block.segment.address + block.segment.size


@settings(max_examples=200, deadline=None)
@given(programs, settings_of, limits)
def test_reserved_holds_what_is_allocated_and_no_more_than_the_limit(
    program: Program, chosen: AllocatorSettings, limit_bytes: int | None
) -> None:
    allocator = made(chosen, limit_bytes)
    alive = run(allocator, program)
    assert sum(block.size for block in alive) == allocator.allocated <= allocator.reserved
    if limit_bytes is not None:
        assert allocator.reserved * UNIT_BYTES <= limit_bytes
    assert 0 <= allocator.inactive_split <= allocator.reserved - allocator.allocated


@settings(max_examples=100, deadline=None)
@given(programs, settings_of)
def test_all_freed_and_emptied_is_nothing(program: Program, chosen: AllocatorSettings) -> None:
    allocator = made(chosen)
    for block in run(allocator, program):
        allocator.free(block)
    allocator.empty_cache()
    assert (allocator.reserved, allocator.allocated, allocator.segments) == (0, 0, 0)
    assert not any(allocator.shape())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(5, 60), min_size=1, max_size=30))
def test_whole_segments_leave_nothing_unused(counts: list[int]) -> None:
    """Requests that are multiples of 2 MiB from 10 MiB on, and nothing freed."""
    allocator = CachingAllocator()
    taken(allocator, *(count * 2 * MIB for count in counts))
    assert allocator.reserved == allocator.allocated
    assert allocator.segments == len(counts)


@settings(max_examples=100, deadline=None)
@given(programs, settings_of, limits)
def test_two_runs_are_alike(
    program: Program, chosen: AllocatorSettings, limit_bytes: int | None
) -> None:
    ends = []
    for _ in range(2):
        allocator = made(chosen, limit_bytes)
        keys = [block.key for block in run(allocator, program)]
        ends.append((keys, allocator.shape(), allocator.reserved, allocator.retries))
    assert ends[0] == ends[1]


def test_small_requests_share_a_segment_of_two_mib() -> None:
    """The comment at the top of CUDACachingAllocator.cpp: small requests are packed."""
    allocator = CachingAllocator()
    taken(allocator, 1, 512, 513, MIB)
    assert allocator.allocated * UNIT_BYTES == 512 + 512 + 1024 + MIB
    assert (allocator.reserved * UNIT_BYTES, allocator.segments) == (2 * MIB, 1)


def test_requests_below_ten_mib_split_a_segment_of_twenty() -> None:
    allocator = CachingAllocator()
    taken(allocator, 5 * MIB, 5 * MIB, 5 * MIB, 5 * MIB)
    assert (allocator.reserved * UNIT_BYTES, allocator.segments) == (20 * MIB, 1)
    taken(allocator, MIB + 1)
    assert (allocator.reserved * UNIT_BYTES, allocator.segments) == (40 * MIB, 2)


def test_a_large_request_gets_its_own_segment_rounded_to_two_mib() -> None:
    allocator = CachingAllocator()
    (block,) = taken(allocator, 10 * MIB + 1)
    assert allocator.reserved * UNIT_BYTES == 12 * MIB
    # 2 MiB − 512 B are left: more than 1 MiB, so they are split off
    assert block.size * UNIT_BYTES == 10 * MIB + 512


def test_a_rest_of_a_mib_is_not_split_off_and_counts_as_allocated() -> None:
    allocator = CachingAllocator()
    (block,) = taken(allocator, 11 * MIB)
    assert block.size * UNIT_BYTES == allocator.allocated * UNIT_BYTES == 12 * MIB


def test_the_best_fit_is_the_smallest_and_then_the_lowest() -> None:
    allocator = CachingAllocator()
    large, small, also_small, _ = taken(allocator, 40 * MIB, 30 * MIB, 30 * MIB, 50 * MIB)
    address = small.address
    for block in (large, also_small, small):
        allocator.free(block)
    (found,) = taken(allocator, 29 * MIB)
    assert found.address == address


def test_the_pools_are_apart() -> None:
    """A small request never takes from a large segment, however empty."""
    allocator = CachingAllocator()
    (block,) = taken(allocator, 20 * MIB)
    allocator.free(block)
    taken(allocator, 100 * KIB)
    assert allocator.reserved * UNIT_BYTES == 22 * MIB


def test_streams_do_not_share_free_blocks() -> None:
    allocator = CachingAllocator()
    (block,) = taken(allocator, 20 * MIB)
    allocator.free(block)
    allocator.allocate(units(20 * MIB), stream=7)
    assert allocator.reserved * UNIT_BYTES == 40 * MIB


def test_slivers_stay_without_expandable_segments_and_not_with_them() -> None:
    """Note [Expandable Segments]: a batch that grows a little each time leaves slivers."""
    reserved = {}
    for text in ("", "expandable_segments:True"):
        allocator = made(AllocatorSettings.parse(text))
        for batch in range(1, 9):
            blocks = taken(allocator, *[batch * 11 * MIB] * 3)
            for block in blocks:
                allocator.free(block)
        reserved[text] = allocator.reserved * UNIT_BYTES
    assert reserved["expandable_segments:True"] == 280 * MIB  # 3 × 88 MiB, in pages of 20 MiB
    assert reserved[""] > 2 * reserved["expandable_segments:True"]


def test_cached_blocks_are_released_before_memory_runs_out() -> None:
    allocator = CachingAllocator(limit_bytes=100 * MIB)
    for block in taken(allocator, 40 * MIB, 50 * MIB):
        allocator.free(block)
    (block,) = taken(allocator, 96 * MIB)
    assert (allocator.retries, allocator.reserved * UNIT_BYTES) == (1, 96 * MIB)
    assert allocator.allocate(units(6 * MIB)) is None  # needs a segment of 20 MiB
    assert block.state == IN_USE


def test_a_split_segment_cannot_be_released() -> None:
    allocator = CachingAllocator(limit_bytes=100 * MIB)
    first, _ = taken(allocator, 60 * MIB, 30 * MIB)
    allocator.free(first)
    (kept,) = taken(allocator, 4 * MIB)  # the best fit for it is the 60 MiB
    assert kept.address == first.address - 4 * MIB // UNIT_BYTES
    assert allocator.allocate(units(58 * MIB)) is None
    assert allocator.inactive_split * UNIT_BYTES == 56 * MIB


def test_oversize_blocks_are_kept_whole() -> None:
    allocator = made(AllocatorSettings.parse("max_split_size_mb:30"))
    (block,) = taken(allocator, 60 * MIB)
    allocator.free(block)
    taken(allocator, 20 * MIB)  # may not take the 60 MiB
    assert allocator.reserved * UNIT_BYTES == 80 * MIB
    (again,) = taken(allocator, 45 * MIB)  # 60 < 45 + 20: taken whole
    assert again is block
    assert allocator.reserved * UNIT_BYTES == 80 * MIB


def test_garbage_collection_needs_a_memory_fraction() -> None:
    reserved = {}
    for text in ("per_process_memory_fraction:0.5,", ""):
        allocator = made(AllocatorSettings.parse(text + "garbage_collection_threshold:0.2"))
        for size in range(30, 90, 10):
            (block,) = taken(allocator, size * MIB)
            allocator.free(block)
        reserved[text] = allocator.reserved * UNIT_BYTES
    # 20 % of half of 1 GiB is 102 MiB: what lay longest unused is released above that
    assert reserved[""] == sum(range(30, 90, 10)) * MIB
    assert reserved["per_process_memory_fraction:0.5,"] < reserved[""]


def test_the_memory_fraction_is_of_the_whole_card() -> None:
    allocator = made(AllocatorSettings.parse("per_process_memory_fraction:0.25"))
    taken(allocator, 250 * MIB)
    assert allocator.allocate(units(20 * MIB)) is None


@pytest.mark.parametrize("text", ["per_process_memory_fraction:0.5", ""])
def test_the_last_byte_may_be_taken_and_no_more(text: str) -> None:
    allocator = made(AllocatorSettings.parse(text), limit_bytes=512 * MIB)
    taken(allocator, 256 * MIB, 254 * MIB, MIB)
    assert allocator.reserved * UNIT_BYTES == 512 * MIB
    assert allocator.allocate(units(MIB)) is not None  # in the same small segment
    assert allocator.allocate(units(MIB)) is None


def test_another_backend_is_refused_with_the_way_out() -> None:
    with pytest.raises(PlanError, match="backend:native"):
        CachingAllocator(AllocatorSettings.parse("backend:cudaMallocAsync"))


def head_of(block: Block) -> Block:
    while block.preceding is not None:
        block = block.preceding
    return block


def chain(block: Block | None) -> list[Block]:
    blocks = []
    while block is not None:
        assert block.state in (IN_USE, FREE, UNMAPPED)
        blocks.append(block)
        block = block.following
    return blocks
