"""Expandable segments: one address range for each pool, mapped page by page as it grows.

Source: Note [Expandable Segments], ``ExpandableSegment`` and what uses it in
``c10/cuda/CUDACachingAllocator.cpp``.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from memplanner.estimate.allocator.caching import (
    FREE,
    IN_USE,
    UNIT_BYTES,
    UNMAPPED,
    Block,
    CachingAllocator,
    Pool,
    Segment,
)
from memplanner.estimate.allocator.rounding import SMALL_SEGMENT_BYTES
from memplanner.estimate.allocator.settings import AllocatorSettings

ADDRESS_SPACE_BYTES = 2**44
"""Of a segment, where the card's memory is not given: more than any plan takes."""


class ExpandableAllocator(CachingAllocator):
    """The allocator with ``expandable_segments:True``."""

    def __init__(
        self,
        settings: AllocatorSettings,
        *,
        limit_bytes: int | None = None,
        device_bytes: int | None = None,
    ) -> None:
        super().__init__(settings, limit_bytes=limit_bytes, device_bytes=device_bytes)
        total = device_bytes if device_bytes is not None else limit_bytes
        space = ADDRESS_SPACE_BYTES if total is None else total + total // 8
        self._space = space // UNIT_BYTES
        self.plain = False
        self._splits_below = 1 << 60  # should_split knows no largest size here

    @property
    def inactive_split(self) -> int:
        """Nothing: torch leaves expandable segments out, whose free pages can be given back."""
        return 0

    def _preferred(self, pool: Pool, place: int) -> Block:
        """Counts an unmapped stretch behind a block as part of it (``expandable_size``)."""
        keys, blocks = pool.keys, pool.blocks
        block = blocks[keys[place]]
        size = _expandable(block)
        while size > block.size and place + 1 < len(keys):
            place += 1
            other = blocks[keys[place]]
            if _expandable(other) >= size:
                break
            block, size = other, _expandable(other)
        return block

    def _segment(self, pool: Pool, size: int, needed: int) -> Block | None:
        """``try_allocate_expandable_block``."""
        block = self._room(pool, size)
        if block.state == UNMAPPED and not self._map(block, min(block.size, size)):
            return None
        while block.size < size:
            following = block.following
            assert following is not None
            if not self._map(following, min(size - block.size, following.size)):
                return None
            block = following
        pool.remove(block)
        return block

    def _room(self, pool: Pool, size: int) -> Block:
        """The lowest free or unmapped block with enough room behind (``find_expandable_block``)."""
        for _, unmapped in pool.unmapped:
            first = unmapped
            if first.preceding is not None and first.preceding.state != IN_USE:
                first = first.preceding
            room = 0
            block: Block | None = first
            while room < size and block is not None and block.state != IN_USE:
                room += block.size
                block = block.following
            if room >= size:
                return first
        page = (
            SMALL_SEGMENT_BYTES if pool.small else self.settings.large_segment_size_bytes
        ) // UNIT_BYTES
        space = -(-self._space // page) * page
        segment = Segment(self.place(space), space, page)
        self.segments += 1
        block = Block(segment.address, space, pool, None, None, segment)
        block.state = UNMAPPED
        insort(pool.unmapped, (block.address, block))
        return block

    def _map(self, block: Block, size: int) -> bool:
        """Maps pages for the first ``size`` units of an unmapped block (``map_block``)."""
        segment, pool = block.segment, block.pool
        assert segment is not None
        mapped = -(-size // segment.page) * segment.page
        if self.reserved + mapped > self._limit:
            self.refused = mapped
            return False
        _drop(pool, block)
        if mapped < block.size:
            rest = Block(
                block.address + mapped, block.size - mapped, pool, block, block.following, segment
            )
            if rest.following is not None:
                rest.following.preceding = rest
            block.following = rest
            rest.state = UNMAPPED
            insort(pool.unmapped, (rest.address, rest))
            block.size = mapped
        self.reserved += mapped
        block.state = FREE
        self._join(block, FREE)
        block.searched = self._searches
        pool.add(block)
        return True

    def _join(self, block: Block, state: int) -> None:
        """Joins a block to its neighbours of the same ``state`` (``try_merge_blocks``)."""
        pool = block.pool
        for neighbour in (block.preceding, block.following):
            if neighbour is None or neighbour.state != state:
                continue
            if state == FREE:
                pool.remove(neighbour)
            else:
                _drop(pool, neighbour)
            if neighbour is block.preceding:
                block.address = neighbour.address
                block.preceding = neighbour.preceding
                if block.preceding is not None:
                    block.preceding.following = block
            else:
                block.following = neighbour.following
                if block.following is not None:
                    block.following.preceding = block
            block.size += neighbour.size

    def _release_pool(self, pool: Pool) -> None:
        """Unmaps every page that is free as a whole (``release_blocks``)."""
        for block in list(pool.blocks.values()):
            self._unmap(block)
            if block.whole and block.state == UNMAPPED:
                _drop(pool, block)
                self.segments -= 1

    def _unmap(self, block: Block) -> None:
        """``unmap_block``."""
        segment, pool = block.segment, block.pool
        assert segment is not None
        offset, page = block.address - segment.address, segment.page
        start = segment.address + -(-offset // page) * page
        stop = segment.address + (offset + block.size) // page * page
        if start >= stop:
            return
        pool.remove(block)
        before, after = start - block.address, block.address + block.size - stop
        if before:
            part = Block(block.address, before, pool, block.preceding, block, segment)
            if part.preceding is not None:
                part.preceding.following = part
            block.preceding = part
            part.searched = self._searches
            pool.add(part)
        if after:
            part = Block(stop, after, pool, block, block.following, segment)
            if part.following is not None:
                part.following.preceding = part
            block.following = part
            part.searched = self._searches
            pool.add(part)
        block.address, block.size = start, stop - start
        self.reserved -= block.size
        block.state = UNMAPPED
        self._join(block, UNMAPPED)
        insort(pool.unmapped, (block.address, block))


def _expandable(block: Block) -> int:
    following = block.following
    if following is not None and following.state == UNMAPPED:
        return block.size + following.size
    return block.size


def _drop(pool: Pool, block: Block) -> None:
    """Takes an unmapped block out."""
    del pool.unmapped[bisect_left(pool.unmapped, (block.address,))]


def caching_allocator(
    settings: AllocatorSettings,
    *,
    limit_bytes: int | None = None,
    device_bytes: int | None = None,
) -> CachingAllocator:
    """The allocator that ``settings`` asks for."""
    kind = ExpandableAllocator if settings.expandable_segments else CachingAllocator
    return kind(settings, limit_bytes=limit_bytes, device_bytes=device_bytes)
