"""The allocator as most runs have it, quickly: blocks of any size are split, none is too old.

It does what ``caching.CachingAllocator`` does without ``max_split_size_mb``, garbage collection and
expandable segments. A step asks for few sizes, over and over, and half of its requests find a free
block of just that size: such blocks wait in a list for each of these sizes, all others in order.
What a request looks into is known before the events are followed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from typing import NamedTuple

from memplanner.estimate.allocator.caching import ADDRESS_BITS, SMALL_UNITS, UNIT_BYTES
from memplanner.estimate.allocator.rounding import segment_bytes
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.tape.interruption import give_up_if_asked

_LOOKS_UP_AFTER = 2048
"""Events between two looks whether anybody still waits: a millisecond."""
_MOST_REGULAR = 24
"""Sizes of a pool whose free blocks wait apart: those that most storages have."""
_ADDRESS = (1 << ADDRESS_BITS) - 1


class Block:
    """A stretch of a segment, in units; its neighbours in the segment are linked."""

    __slots__ = ("address", "beside", "following", "free", "more", "preceding", "size", "whole")

    following: Block | None
    preceding: Block | None

    def __init__(self, address: int, size: int, beside: list[int] | None) -> None:
        self.address = address
        self.size = size
        self.beside = beside
        """The addresses of free blocks of its size, where that is a regular one."""
        self.preceding = self.following = None
        self.free = False
        self.whole = True
        """Whether it is a segment by itself."""
        self.more = 0
        """Units beyond what was asked for, too few to be split off."""


# Plain tuples: those with names take several times as long to be taken apart.
Pool = tuple[dict[int, list[int]], list[int], int]
"""Free blocks of one stream, small or large, and the least that is split off.

Of regular sizes by size their addresses, the lowest first; then the keys of all others, which are
``size << ADDRESS_BITS | address``.
"""
Request = tuple[int, list[int] | None, list[tuple[int, list[int]]], int, Pool, int]
"""How many units are asked for, and what is looked into.

The addresses of free blocks of just this size, if it is a regular one; each larger regular size
with its own, the smallest first; the least key of all others that suffice; the pool; units of a new
segment.
"""


class Growth(NamedTuple):
    """A request for which the driver was asked, and the allocator after it."""

    event: int
    larger: int
    """How many requests before it in the stretch got a block larger than they asked for."""
    address: int
    """Of the new segment; -1 where there was no memory for it."""
    reserved_units: int
    segments: int
    unsplit: int


class PlainAllocator:
    """Follows births and deaths; all sizes in units, storages counted from 1."""

    def __init__(
        self, sizes: list[int], streams: list[int] | None, settings: AllocatorSettings, most: int
    ) -> None:
        """``most`` is what can be reserved; ``streams`` are None where all are on one."""
        self.reserved = 0
        self.segments = 0
        self.retries = 0
        """Requests for which all free segments were given back."""
        self.refused = 0
        """Units last asked of the driver that it did not grant."""
        self.unsplit = 0
        """Units in free blocks that are whole segments."""
        self.blocks = [Block(-1, 0, None)] * (len(sizes) + 1)
        """Of each storage: where it is, or was before it died."""
        self.grown: list[Growth] = []
        """In the last stretch."""
        self.larger: list[tuple[int, int, int]] = []
        """In the last stretch: (event, units asked, units of the free block that it got)."""
        self.unlike: list[tuple[int, int]] = []
        """In the last stretch: (event, units that it takes beyond what it says, or gives back)."""
        self._most = most
        self._at: dict[int, Block] = {}
        """Blocks by address."""
        self._top = 0
        self._spare: list[Block] = []
        """Those that were joined to others: making one takes longer."""
        self.pools: list[Pool] = []
        """Small and large of every stream."""
        self.requests: list[Request] = [(0, None, [], 0, ({}, [], 1), 0)]
        """Of each storage."""
        if streams is None:
            kinds = self._requests_on(sizes, settings)
            self.requests += map(kinds.__getitem__, sizes)
        else:
            asked = list(zip(streams, sizes, strict=True))
            by_stream = {
                stream: self._requests_on([size for on, size in asked if on == stream], settings)
                for stream in sorted(set(streams))
            }
            self.requests += [by_stream[stream][size] for stream, size in asked]

    def _requests_on(self, sizes: list[int], settings: AllocatorSettings) -> dict[int, Request]:
        """By size the requests on one stream, whose pools are made."""
        counts = Counter(sizes)
        requests: dict[int, Request] = {}
        for smallest_rest, own in (
            (1, [size for size in counts if size <= SMALL_UNITS]),
            (SMALL_UNITS + 1, [size for size in counts if size > SMALL_UNITS]),
        ):
            own.sort(key=lambda size: (-counts[size], size))
            regular: dict[int, list[int]] = {size: [] for size in sorted(own[:_MOST_REGULAR])}
            pool: Pool = regular, [], smallest_rest
            self.pools.append(pool)
            for size in own:
                requests[size] = (
                    size,
                    regular.get(size),
                    [one for one in regular.items() if one[0] > size],
                    size << ADDRESS_BITS,
                    pool,
                    segment_bytes(size * UNIT_BYTES, settings) // UNIT_BYTES,
                )
        return requests

    def free(self) -> list[list[int]]:
        """The keys of each pool's free blocks, in order."""
        return [
            sorted(
                [
                    *keys,
                    *(
                        size << ADDRESS_BITS | address
                        for size, beside in regular.items()
                        for address in beside
                    ),
                ]
            )
            for regular, keys, _ in self.pools
        ]

    def follow(self, events: list[int]) -> int | None:
        """Takes births and deaths in; the birth that ran out of memory, if one did."""
        self.grown, self.larger, self.unlike = [], [], []
        for start in range(0, len(events), _LOOKS_UP_AFTER):
            give_up_if_asked()
            failed = self._follow(events[start : start + _LOOKS_UP_AFTER])
            if failed is not None:
                return failed
        return None

    def _follow(self, events: list[int]) -> int | None:
        # All in one loop, without calls of its own: each estimate goes through it 16 000 times.
        blocks, requests, at, spare = self.blocks, self.requests, self._at, self._spare
        got_larger, unlike = self.larger.append, self.unlike.append
        unsplit = self.unsplit
        for event in events:
            if event > 0:  # malloc
                size, beside, larger, key, pool, _ = requests[event]
                if beside:
                    blocks[event] = block = at[beside.pop(0)]
                    block.free = False
                    if block.whole:
                        unsplit -= size
                    continue
                regular, keys, smallest_rest = pool
                place = bisect_left(keys, key)
                other = keys[place] >> ADDRESS_BITS if place < len(keys) else 0
                for whole_size, others in larger:
                    if others:
                        if other and other < whole_size:
                            whole_size = other
                            rest = at[keys.pop(place) & _ADDRESS]
                        else:
                            rest = at[others.pop(0)]
                        break
                else:
                    if other:
                        whole_size = other
                        rest = at[keys.pop(place) & _ADDRESS]
                    else:
                        self.unsplit = unsplit
                        new = self._obtain(event)
                        unsplit = self.unsplit
                        if new is None:
                            return event
                        rest, whole_size = new, 0
                if whole_size:
                    if rest.whole:
                        unsplit -= whole_size
                    got_larger((event, size, whole_size))
                rest_size = rest.size - size
                if rest_size < smallest_rest:
                    blocks[event] = rest
                    rest.free = False
                    if rest_size:
                        rest.more = rest_size
                        unlike((event, rest_size))
                    continue
                address = rest.address
                if spare:
                    block = spare.pop()
                    block.address = address
                    block.size = size
                    block.beside = beside
                    block.free = False
                else:
                    block = Block(address, size, beside)
                blocks[event] = at[address] = block
                block.whole = rest.whole = False
                block.following = rest
                block.preceding = preceding = rest.preceding
                if preceding is not None:
                    preceding.following = block
                rest.preceding = block
                rest.address = address = address + size
                at[address] = rest
                rest.size = size = rest_size
                rest.free = True
                rest.beside = beside = regular.get(size)
            else:  # free_block
                block = blocks[-event]
                block.free = True
                size = block.size
                address = block.address
                beside = block.beside
                regular, keys, _ = requests[-event][4]
                if block.more:
                    unlike((event, -block.more))
                    block.more = 0
                if block.whole:
                    unsplit += size
                else:  # try_merge_blocks
                    preceding = block.preceding
                    following = block.following
                    if preceding is not None and preceding.free:
                        block.address = address = preceding.address
                        beside = preceding.beside
                        if beside is None:
                            del keys[bisect_left(keys, preceding.size << ADDRESS_BITS | address)]
                        else:
                            del beside[bisect_left(beside, address)]
                        at[address] = block
                        size += preceding.size
                        spare.append(preceding)
                        block.preceding = preceding = preceding.preceding
                        if preceding is not None:
                            preceding.following = block
                    if following is not None and following.free:
                        key = following.address
                        beside = following.beside
                        if beside is None:
                            del keys[bisect_left(keys, following.size << ADDRESS_BITS | key)]
                        else:
                            del beside[bisect_left(beside, key)]
                        size += following.size
                        spare.append(following)
                        block.following = following = following.following
                        if following is not None:
                            following.preceding = block
                    if size != block.size:
                        block.size = size
                        block.beside = beside = regular.get(size)
                        if preceding is following:  # None, both of them
                            block.whole = True
                            unsplit += size
            if beside:
                insort(beside, address)
            elif beside is None:
                insort(keys, size << ADDRESS_BITS | address)
            else:
                beside.append(address)
        self.unsplit = unsplit
        return None

    def _obtain(self, event: int) -> Block | None:
        """A segment of its own for a request, if need be after all free ones are given back."""
        *_, (regular, _, _), needed = self.requests[event]
        if self.reserved + needed > self._most:
            self._release()
            self.retries += 1
            if self.reserved + needed > self._most:
                self.refused = needed
                self._note_growth(event, -1)
                return None
        address = self._top
        self._top = address + needed
        self.reserved += needed
        self.segments += 1
        self._note_growth(event, address)
        block = self._at[address] = Block(address, needed, regular.get(needed))
        return block

    def _note_growth(self, event: int, address: int) -> None:
        self.grown.append(
            Growth(event, len(self.larger), address, self.reserved, self.segments, self.unsplit)
        )

    def _release(self) -> None:
        """Gives back every segment that is free as a whole (``release_cached_blocks``)."""
        for regular, keys, _ in self.pools:
            for beside in regular.values():
                beside[:] = [address for address in beside if not self._given_back(address)]
            keys[:] = [key for key in keys if not self._given_back(key & _ADDRESS)]

    def _given_back(self, address: int) -> bool:
        block = self._at[address]
        if block.whole:
            self.reserved -= block.size
            self.unsplit -= block.size
            self.segments -= 1
        return block.whole
