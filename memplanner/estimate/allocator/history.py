"""The model beside what a card recorded: a memory history of torch, event by event.

A history is the list ``device_traces[0]`` of ``torch.cuda.memory._snapshot()`` (or
``trace`` of ``torch.cuda.memory._dump_snapshot``'s file, read by whoever trusts it) as plain
dictionaries with ``action``, ``addr``, ``size`` and ``stream``; the actions are those of
``TraceEntry`` in ``c10/cuda/CUDACachingAllocator.h``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memplanner.estimate.allocator.caching import UNIT_BYTES, Block
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.tape.tape import Array

Entry = Mapping[str, Any]

_GROWTH = {"segment_alloc": 1, "segment_map": 1, "segment_free": -1, "segment_unmap": -1}
_RELEASES = ("segment_free", "segment_unmap")
_MALLOC = ("segment_alloc", "segment_map", "alloc", "oom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Reserved memory after each allocation and free, as recorded and as modelled."""

    entries: Array
    """The places in the history of the compared moments."""
    recorded_bytes: Array
    modelled_bytes: Array
    unknown: int
    """Frees of what was allocated before the recording began; they are left out."""

    @property
    def first_difference(self) -> int | None:
        """The place in the history from which on the two differ; None where they never do."""
        places = np.flatnonzero(self.recorded_bytes != self.modelled_bytes)
        return int(self.entries[places[0]]) if len(places) else None

    @property
    def largest_difference_bytes(self) -> int:
        """The largest distance of the two."""
        if not len(self.entries):
            return 0
        return int(np.abs(self.recorded_bytes - self.modelled_bytes).max())


def compare(
    history: Sequence[Entry],
    settings: AllocatorSettings | None = None,
    *,
    limit_bytes: int | None = None,
    device_bytes: int | None = None,
) -> Comparison:
    """Replays the requests of ``history`` and compares reserved memory after each.

    New segments are put at the recorded addresses, which the driver alone chooses. Without
    ``limit_bytes`` the model never runs out: recorded releases then happen when the recording says
    so; with it, only ``torch.cuda.empty_cache`` is taken from the recording.
    """
    settings = settings or AllocatorSettings()
    allocator = caching_allocator(settings, limit_bytes=limit_bytes, device_bytes=device_bytes)
    recorded_addresses = _Addresses(history)
    if not settings.expandable_segments:
        allocator.place = recorded_addresses
    blocks: dict[int, Block] = {}
    recorded = unknown = 0
    releasing = False
    entries: list[int] = []
    both: list[tuple[int, int]] = []
    for place, entry in enumerate(history):
        action = entry["action"]
        recorded += _GROWTH.get(action, 0) * int(entry["size"])
        if action in _RELEASES:
            releasing = True
            continue
        if releasing and (limit_bytes is None or action not in _MALLOC):
            allocator.empty_cache()
        releasing = False
        if action == "alloc":
            recorded_addresses.now = place
            size = int(round_sizes(np.array([entry["size"]]), settings)[0]) // UNIT_BYTES
            block = allocator.allocate(size, int(entry.get("stream", 0)))
            if block is not None:
                blocks[int(entry["addr"])] = block
        elif action == "free_completed":
            freed = blocks.pop(int(entry["addr"]), None)
            if freed is None:
                unknown += 1
                continue
            allocator.free(freed)
        else:
            continue
        entries.append(place)
        both.append((recorded, allocator.reserved * UNIT_BYTES))
    curves = np.array(both, dtype=np.int64).reshape(-1, 2)
    return Comparison(
        entries=np.array(entries, dtype=np.int64),
        recorded_bytes=curves[:, 0],
        modelled_bytes=curves[:, 1],
        unknown=unknown,
    )


class _Addresses:
    """Where the driver put the segments; above all of them, what it did not record."""

    def __init__(self, history: Iterable[Entry]) -> None:
        self.now = 0
        self._made = [
            (place, int(entry["size"]) // UNIT_BYTES, int(entry["addr"]) // UNIT_BYTES)
            for place, entry in enumerate(history)
            if entry["action"] == "segment_alloc"
        ]
        self._made.reverse()
        self._top = max((size + address for _, size, address in self._made), default=0)

    def __call__(self, size: int) -> int:
        while self._made and self._made[-1][0] < self.now:
            _, made, address = self._made.pop()
            if made == size:
                return address
        self._top += size
        return self._top - size
