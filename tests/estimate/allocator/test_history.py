"""The model beside a recorded history, made up here by the plain reading of torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings

from memplanner.estimate.allocator.history import compare
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.units import MIB
from tests.estimate.allocator.programs import DEVICE_BYTES, programs, settings_of
from tests.estimate.allocator.reference import Block, Reference

OFFSET = 0x7F0000000000
"""Where a driver may put the first segment."""


class Recorder:
    """Runs a program on the plain allocator and writes what torch would record."""

    def __init__(self, chosen: AllocatorSettings, limit_bytes: int | None = None) -> None:
        self.reference = Reference(chosen, limit_bytes, DEVICE_BYTES)
        self.chosen = chosen
        self.entries: list[dict[str, Any]] = []
        self.sizes: dict[int, int] = {}

    def note(self, action: str, address: int, size: int) -> None:
        self.entries.append(
            {"action": action, "addr": OFFSET + address, "size": size, "stream": 0, "frames": []}
        )

    def allocate(self, size_bytes: int) -> Block | None:
        rounded = int(round_sizes(np.array([size_bytes]), self.chosen)[0])
        before, top = self.reference.total, self.reference.top
        block = self.reference.malloc(rounded)
        grown = self.reference.total - before
        if self.reference.top > top and not self.chosen.expandable_segments:
            made = self.reference.get_allocation_size(rounded)
            if grown < made:
                self.note("segment_free", 0, made - grown)
            self.note("segment_alloc", top, made)
        elif grown > 0:
            self.note("segment_map", 0, grown)
        elif grown < 0:
            self.note("segment_free", 0, -grown)
        if block is None:
            self.note("oom", 0, size_bytes)
            return None
        self.sizes[id(block)] = size_bytes
        self.note("alloc", block.ptr, size_bytes)
        return block

    def free(self, block: Block) -> None:
        size = self.sizes.pop(id(block))
        address = block.ptr
        self.note("free_requested", address, size)
        self.reference.free(block)
        self.note("free_completed", address, size)

    def empty_cache(self) -> None:
        before = self.reference.total
        self.reference.release_cached_blocks()
        if before > self.reference.total:
            self.note("segment_free", 0, before - self.reference.total)

    def run(self, program: list[tuple[str, int]]) -> None:
        alive: list[Block] = []
        for action, value in program:
            if action == "allocate":
                block = self.allocate(value)
                if block is not None:
                    alive.append(block)
            elif alive:
                self.free(alive.pop(value % len(alive)))


@settings(max_examples=150, deadline=None)
@given(programs, settings_of)
def test_a_history_is_followed_event_by_event(
    program: list[tuple[str, int]], chosen: AllocatorSettings
) -> None:
    recorder = Recorder(chosen)
    recorder.run(program)
    found = compare(recorder.entries, chosen, device_bytes=DEVICE_BYTES)
    assert found.first_difference is None
    assert found.largest_difference_bytes == 0
    assert len(found.entries) == sum(
        entry["action"] in ("alloc", "free_completed") for entry in recorder.entries
    )


def test_an_emptied_cache_is_taken_from_the_recording() -> None:
    recorder = Recorder(AllocatorSettings())
    recorder.run([("allocate", 30 * MIB), ("allocate", 3 * MIB), ("free", 0)])
    recorder.empty_cache()
    recorder.run([("allocate", 28 * MIB), ("allocate", 2 * MIB)])
    found = compare(recorder.entries)
    assert found.first_difference is None
    assert found.recorded_bytes.tolist()[-1] == 48 * MIB


def test_running_out_is_met_where_the_limit_is_known() -> None:
    recorder = Recorder(AllocatorSettings(), limit_bytes=100 * MIB)
    recorder.run([("allocate", 60 * MIB), ("free", 0), ("allocate", 90 * MIB), ("allocate", MIB)])
    found = compare(recorder.entries, limit_bytes=100 * MIB)
    assert found.first_difference is None
    assert found.recorded_bytes.tolist() == [60 * MIB, 60 * MIB, 90 * MIB, 92 * MIB]


def test_a_difference_is_placed() -> None:
    recorder = Recorder(AllocatorSettings())
    recorder.run([("allocate", 3 * MIB)] * 7)
    recorder.entries[-2]["size"] += 2 * MIB  # the segment's
    found = compare(recorder.entries)
    assert found.first_difference == len(recorder.entries) - 1
    assert found.largest_difference_bytes == 2 * MIB


def test_what_was_there_before_the_recording_is_counted() -> None:
    found = compare([{"action": "free_completed", "addr": 4096, "size": 512, "stream": 0}])
    assert found.unknown == 1
    assert found.first_difference is None
