"""A model of torch's CUDA caching allocator, without a card.

Source: ``DeviceCachingAllocator`` in ``c10/cuda/CUDACachingAllocator.cpp``; the function that a
method follows is named in its docstring. Sizes and addresses are counted in units of 512 bytes,
of which all of them are multiples. What only the driver knows, the addresses of new segments, is
taken as rising; among free blocks of one size the lowest address is chosen, so that this can only
matter there.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator

from memplanner.errors import PlanError
from memplanner.estimate.allocator.rounding import SMALL_BYTES, SMALLEST_BLOCK_BYTES, segment_bytes
from memplanner.estimate.allocator.settings import AllocatorSettings

UNIT_BYTES = SMALLEST_BLOCK_BYTES
SMALL_UNITS = SMALL_BYTES // UNIT_BYTES
ADDRESS_BITS = 42
"""Of a key ``size << ADDRESS_BITS | address``: more than a 49-bit address in units needs."""
UNLIMITED = 1 << 60

IN_USE, FREE, UNMAPPED = range(3)


class Block:
    """A stretch of a segment; its neighbours in the segment are linked (``struct Block``)."""

    __slots__ = (
        "address",
        "following",
        "pool",
        "preceding",
        "searched",
        "segment",
        "size",
        "state",
    )

    def __init__(
        self,
        address: int,
        size: int,
        pool: Pool,
        preceding: Block | None,
        following: Block | None,
        segment: Segment | None,
    ) -> None:
        self.address = address
        self.size = size
        self.pool = pool
        self.preceding = preceding
        self.following = following
        self.segment = segment
        self.state = IN_USE
        self.searched = 0
        """How often the large pool had been searched when it became free (``gc_count_base``)."""

    @property
    def whole(self) -> bool:
        """Whether it is a segment by itself (not ``is_split``)."""
        return self.preceding is None and self.following is None

    @property
    def key(self) -> int:
        """Its place among free blocks: by size, then by address (``BlockComparatorSize``)."""
        return self.size << ADDRESS_BITS | self.address


class Segment:
    """An expandable segment: address space that is mapped page by page."""

    __slots__ = ("address", "page", "size")

    def __init__(self, address: int, size: int, page: int) -> None:
        self.address, self.size, self.page = address, size, page


class Pool:
    """Free blocks of one stream, small or large (``BlockPool``)."""

    __slots__ = ("blocks", "keys", "small", "smallest_rest", "unmapped")

    def __init__(self, *, small: bool, smallest_rest: int) -> None:
        self.small = small
        self.smallest_rest = smallest_rest
        """A block is split if at least this much is left over (``should_split``)."""
        self.keys: list[int] = []
        self.blocks: dict[int, Block] = {}
        self.unmapped: list[tuple[int, Block]] = []
        """Unmapped parts of expandable segments, by address."""

    def add(self, block: Block) -> None:
        """Takes a block in (``insert_into_blocks``)."""
        key = block.size << ADDRESS_BITS | block.address
        block.state = FREE
        insort(self.keys, key)
        self.blocks[key] = block

    def remove(self, block: Block) -> None:
        """Hands a block out."""
        key = block.size << ADDRESS_BITS | block.address
        del self.keys[bisect_left(self.keys, key)]
        del self.blocks[key]
        block.state = IN_USE


class CachingAllocator:
    """The allocator of one card.

    ``limit_bytes`` is what the driver can still give to it, ``device_bytes`` the card's whole
    memory, of which the memory fraction and the address space of expandable segments are taken.
    Raises ``PlanError`` for a backend that is not torch's own.
    """

    def __init__(
        self,
        settings: AllocatorSettings | None = None,
        *,
        limit_bytes: int | None = None,
        device_bytes: int | None = None,
    ) -> None:
        self.settings = settings or AllocatorSettings()
        if self.settings.backend != "native":
            raise PlanError(
                "Reserved memory is known for torch's own allocator only: leave out "
                f"backend:{self.settings.backend} or choose backend:native."
            )
        self.reserved = 0
        self.allocated = 0
        """Units in blocks handed out, what was not worth splitting off included."""
        self.unsplit = 0
        """Units in free blocks that are whole segments."""
        self.segments = 0
        self.retries = 0
        """Allocations that needed all cached blocks released (``num_alloc_retries``)."""
        self.refused = 0
        """Units last asked of the driver that it, or the memory fraction, did not grant."""
        self.place: Callable[[int], int] = self._next_address
        """Gives the address of a new segment of so many units."""
        self._top = 0
        self._limit = UNLIMITED if limit_bytes is None else limit_bytes // UNIT_BYTES
        self._allowed = UNLIMITED
        fraction = self.settings.per_process_memory_fraction
        if fraction < 1:  # setMemoryFraction
            total = device_bytes if device_bytes is not None else limit_bytes
            if total is not None:
                self._allowed = int(fraction * total) // UNIT_BYTES
        split = self.settings.max_split_size_bytes
        self._max_split = UNLIMITED if split is None else split // UNIT_BYTES
        self._rounding = self.settings.max_non_split_rounding_bytes // UNIT_BYTES
        self._collects = (
            self.settings.garbage_collection_threshold > 0 and self._allowed < UNLIMITED
        )
        self._searches = 0
        self.plain = split is None and not self._collects
        """Whether ``plain.PlainAllocator`` does the same, quicker."""
        self.most = min(self._limit, self._allowed)
        """Units that it can reserve."""
        self._splits_below = self._max_split
        self._pools: dict[int, tuple[Pool, Pool]] = {}
        self._small, self._large = self._pools_of(0)

    def allocate(self, size: int, stream: int = 0) -> Block | None:
        """A block of at least ``size`` units, already rounded; None where memory runs out.

        Follows ``malloc`` and ``alloc_found_block``.
        """
        if stream:
            small, large = self._pools_of(stream)
            pool = small if size <= SMALL_UNITS else large
        else:
            pool = self._small if size <= SMALL_UNITS else self._large
        block: Block | None
        if self.plain:
            keys = pool.keys
            place = bisect_left(keys, size << ADDRESS_BITS)
            block = pool.blocks.pop(keys.pop(place)) if place < len(keys) else None
        else:
            block = self._best_fit(pool, size)
        preceding: Block | None
        if block is None:
            block = self._obtain(pool, size)
            if block is None:
                return None
            preceding = block.preceding
        else:
            preceding = block.preceding
            if preceding is None and block.following is None:
                self.unsplit -= block.size
        rest_size = block.size - size
        if rest_size >= pool.smallest_rest and size < self._splits_below:
            rest = block
            address = rest.address
            block = Block(address, size, pool, preceding, rest, rest.segment)
            if preceding is not None:
                preceding.following = block
            rest.preceding = block
            rest.address = address = address + size
            rest.size = rest_size
            rest.state = FREE
            rest.searched = self._searches
            key = rest_size << ADDRESS_BITS | address
            insort(pool.keys, key)
            pool.blocks[key] = rest
            self.allocated += size
        else:
            block.state = IN_USE
            self.allocated += block.size
        return block

    def free(self, block: Block) -> None:
        """Takes a block back and joins it to free neighbours (``free_block``)."""
        size = block.size
        self.allocated -= size
        pool = block.pool
        keys = pool.keys
        blocks = pool.blocks
        preceding = block.preceding
        following = block.following
        if preceding is not None and preceding.state == FREE:  # try_merge_blocks
            key = preceding.size << ADDRESS_BITS | preceding.address
            del keys[bisect_left(keys, key)]
            del blocks[key]
            block.address = preceding.address
            size += preceding.size
            preceding = block.preceding = preceding.preceding
            if preceding is not None:
                preceding.following = block
        if following is not None and following.state == FREE:
            key = following.size << ADDRESS_BITS | following.address
            del keys[bisect_left(keys, key)]
            del blocks[key]
            size += following.size
            following = block.following = following.following
            if following is not None:
                following.preceding = block
        block.size = size
        block.state = FREE
        block.searched = self._searches
        key = size << ADDRESS_BITS | block.address
        insort(keys, key)
        blocks[key] = block
        if preceding is None and following is None:
            self.unsplit += size

    def empty_cache(self) -> None:
        """Gives back to the driver all it can (``release_cached_blocks``)."""
        for small, large in self._pools.values():
            self._release_pool(large)
            self._release_pool(small)

    @property
    def inactive_split(self) -> int:
        """Units that are free but stuck in segments partly in use (``inactive_split_bytes``)."""
        return self.reserved - self.allocated - self.unsplit

    def free_blocks(self) -> Iterator[Block]:
        """Every free block."""
        for pools in self._pools.values():
            for pool in pools:
                yield from pool.blocks.values()

    def shape(self) -> tuple[tuple[int, ...], ...]:
        """What is free, and where: equal shapes and equal blocks in use behave alike."""
        return tuple(
            part
            for pools in self._pools.values()
            for pool in pools
            for part in (tuple(pool.keys), tuple(block.key for _, block in pool.unmapped))
        )

    @property
    def ages(self) -> bool:
        """Whether what happens depends on more than ``shape``."""
        return self._collects

    def _pools_of(self, stream: int) -> tuple[Pool, Pool]:
        pools = self._pools.get(stream)
        if pools is None:
            rest = 1 if self.settings.expandable_segments else SMALL_UNITS + 1
            pools = Pool(small=True, smallest_rest=1), Pool(small=False, smallest_rest=rest)
            self._pools[stream] = pools
        return pools

    def _next_address(self, size: int) -> int:
        address = self._top
        self._top = address + size
        return address

    def _best_fit(self, pool: Pool, size: int) -> Block | None:
        """The whole of ``get_free_block``."""
        if self._collects and not pool.small:
            self._searches += 1
        place = bisect_left(pool.keys, size << ADDRESS_BITS)
        if place == len(pool.keys):
            return None
        block = self._preferred(pool, place)
        if size < self._max_split <= block.size:
            return None  # an oversize block is kept for oversize requests
        if size >= self._max_split and block.size >= size + self._rounding:
            return None
        pool.remove(block)
        return block

    def _preferred(self, pool: Pool, place: int) -> Block:
        """Of the blocks that are large enough, from ``place`` on, the one to take."""
        return pool.blocks[pool.keys[place]]

    def _obtain(self, pool: Pool, size: int) -> Block | None:
        """A new block from the driver, with all that ``malloc`` tries to get one."""
        if self._collects:
            self._collect_garbage()
        block = self._new_block(pool, size)
        if block is None and self._release_oversize(pool, size):
            block = self._new_block(pool, size)
        if block is None:
            self.empty_cache()
            self.retries += 1
            block = self._new_block(pool, size)
        return block

    def _new_block(self, pool: Pool, size: int) -> Block | None:
        """``alloc_block``."""
        needed = segment_bytes(size * UNIT_BYTES, self.settings) // UNIT_BYTES
        if self.reserved + needed > self._allowed:
            self.refused = needed
            return None
        return self._segment(pool, size, needed)

    def _segment(self, pool: Pool, size: int, needed: int) -> Block | None:
        """A segment of its own (``cudaMalloc``)."""
        if self.reserved + needed > self._limit:
            self.refused = needed
            return None
        self.reserved += needed
        self.segments += 1
        return Block(self.place(needed), needed, pool, None, None, None)

    def _release(self, block: Block) -> None:
        """Gives a segment back (``release_block``)."""
        block.pool.remove(block)
        self.reserved -= block.size
        self.unsplit -= block.size
        self.segments -= 1

    def _release_pool(self, pool: Pool) -> None:
        """``release_blocks``."""
        for block in list(pool.blocks.values()):
            if block.whole:
                self._release(block)

    def _release_oversize(self, pool: Pool, size: int) -> bool:
        """Frees enough oversize blocks for the request (``release_available_cached_blocks``)."""
        if self._max_split == UNLIMITED:
            return False
        wanted = max(size, self._max_split)
        place = bisect_left(pool.keys, wanted << ADDRESS_BITS)
        if place < len(pool.keys) and pool.blocks[pool.keys[place]].segment is None:
            self._release(pool.blocks[pool.keys[place]])
            return True
        released = 0
        while place > 0 and released < wanted:
            place -= 1
            block = pool.blocks[pool.keys[place]]
            if block.size < self._max_split:
                break
            if block.segment is None:
                released += block.size
                self._release(block)
        return released >= wanted

    def _collect_garbage(self) -> None:
        """Frees what was long not used (``garbage_collect_cached_blocks``)."""
        threshold = int(self.settings.garbage_collection_threshold * (self._allowed * UNIT_BYTES))
        target = self.reserved * UNIT_BYTES - threshold
        if target <= 0:
            return
        whole = [
            block for _, large in self._pools.values() for block in large.blocks.values()
            if block.whole
        ]  # fmt: skip
        count = len(whole)
        total_age = sum(self._searches - block.searched for block in whole)
        reclaimed = 0
        freed = True
        while reclaimed < target and freed and count:
            oldest = total_age / count
            freed = False
            for block in list(whole):
                age = self._searches - block.searched
                if block.segment is None and age >= oldest:
                    freed = True
                    reclaimed += block.size * UNIT_BYTES
                    total_age -= age
                    count -= 1
                    whole.remove(block)
                    self._release(block)
