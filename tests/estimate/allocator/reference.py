"""torch's allocator once more, slow and plain: the C++ read line by line, nothing shared.

Source: ``c10/cuda/CUDACachingAllocator.cpp``. Functions keep their names; sets are lists that are
sorted when read; sizes are bytes. ``cudaMalloc`` gives rising addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from memplanner.estimate.allocator.settings import AllocatorSettings

MIB = 2**20
NEVER = 2**64 - 1


@dataclass(eq=False)
class Block:
    ptr: int
    size: int
    pool: BlockPool
    expandable: Segment | None = None
    allocated: bool = False
    mapped: bool = True
    prev: Block | None = None
    next: Block | None = None
    gc_count_base: int = 0

    def is_split(self) -> bool:
        return self.prev is not None or self.next is not None


@dataclass(eq=False)
class Segment:
    ptr: int
    size: int
    page: int


@dataclass(eq=False)
class BlockPool:
    is_small: bool
    blocks: list[Block] = field(default_factory=list)
    unmapped: list[Block] = field(default_factory=list)
    calls: int = 0

    def insert_into_blocks(self, block: Block) -> None:
        block.gc_count_base = self.calls
        self.blocks.append(block)

    def ordered(self) -> list[Block]:
        return sorted(self.blocks, key=lambda block: (block.size, block.ptr))


class Reference:
    def __init__(
        self, settings: AllocatorSettings, limit_bytes: int | None, device_bytes: int
    ) -> None:
        self.settings = settings
        self.limit = limit_bytes if limit_bytes is not None else NEVER
        self.device_bytes = device_bytes
        fraction = settings.per_process_memory_fraction
        self.allowed = int(fraction * device_bytes) if fraction < 1 else None
        self.max_split = settings.max_split_size_bytes or NEVER
        self.small, self.large = BlockPool(True), BlockPool(False)
        self.total = 0
        self.top = 0
        self.allocated = 0
        self.inactive_split = 0

    def malloc(self, size: int) -> Block | None:
        pool = self.small if size <= MIB else self.large
        block = self.get_free_block(pool, size)
        if block is None:
            if self.allowed is not None and self.settings.garbage_collection_threshold > 0:
                self.garbage_collect_cached_blocks()
            block = self.alloc_block(pool, size)
            if block is None and self.release_available_cached_blocks(pool, size):
                block = self.alloc_block(pool, size)
            if block is None:
                self.release_cached_blocks()
                block = self.alloc_block(pool, size)
        if block is None:
            return None
        return self.alloc_found_block(block, pool, size, self.should_split(block, size))

    def alloc_found_block(self, block: Block, pool: BlockPool, size: int, split: bool) -> Block:
        already_split = block.is_split()
        if split:
            remaining = block
            block = Block(remaining.ptr, size, pool, remaining.expandable)
            block.prev = remaining.prev
            if block.prev:
                block.prev.next = block
            block.next = remaining
            remaining.prev = block
            remaining.ptr += size
            remaining.size -= size
            pool.insert_into_blocks(remaining)
            if not block.expandable:
                self.inactive_split += -block.size if already_split else remaining.size
        elif already_split and not block.expandable:
            self.inactive_split -= block.size
        block.allocated = True
        self.allocated += block.size
        return block

    def free(self, block: Block) -> None:
        block.allocated = False
        self.allocated -= block.size
        change = 0
        for candidate in (block.prev, block.next):
            change -= self.try_merge_blocks(block, candidate, block.pool)
        block.pool.insert_into_blocks(block)
        if block.is_split():
            change += block.size
        if not block.expandable:
            self.inactive_split += change

    def try_merge_blocks(self, dst: Block, src: Block | None, pool: BlockPool) -> int:
        if src is None or src.allocated or dst.mapped != src.mapped:
            return 0
        if dst.prev is src:
            dst.ptr = src.ptr
            dst.prev = src.prev
            if dst.prev:
                dst.prev.next = dst
        else:
            dst.next = src.next
            if dst.next:
                dst.next.prev = dst
        dst.size += src.size
        (pool.blocks if src.mapped else pool.unmapped).remove(src)
        return src.size

    def should_split(self, block: Block, size: int) -> bool:
        remaining = block.size - size
        if block.pool.is_small or self.settings.expandable_segments:
            return remaining >= 512
        return size < self.max_split and remaining > MIB

    def get_allocation_size(self, size: int) -> int:
        if size <= MIB:
            return 2 * MIB
        if size < 10 * MIB:
            return self.settings.large_segment_size_bytes
        return 2 * MIB * ((size + 2 * MIB - 1) // (2 * MIB))

    def get_free_block(self, pool: BlockPool, size: int) -> Block | None:
        if self.allowed is not None and self.settings.garbage_collection_threshold > 0:
            pool.calls += 1
        blocks = [block for block in pool.ordered() if block.size >= size]
        if not blocks:
            return None
        at = 0
        if self.settings.expandable_segments:

            def expandable_size(block: Block) -> int:
                following = block.next
                return block.size + (following.size if following and not following.mapped else 0)

            while at + 1 < len(blocks) and (
                expandable_size(blocks[at + 1]) < expandable_size(blocks[at])
            ):
                at += 1
        block = blocks[at]
        if size < self.max_split and block.size >= self.max_split:
            return None
        rounding = self.settings.max_non_split_rounding_bytes
        if size >= self.max_split and block.size >= size + rounding:
            return None
        pool.blocks.remove(block)
        return block

    def alloc_block(self, pool: BlockPool, size: int) -> Block | None:
        alloc_size = self.get_allocation_size(size)
        if self.allowed is not None and self.total + alloc_size > self.allowed:
            return None
        if self.settings.expandable_segments:
            return self.try_allocate_expandable_block(pool, size)
        if self.total + alloc_size > self.limit:
            return None
        self.total += alloc_size
        block = Block(self.top, alloc_size, pool)
        self.top += alloc_size
        return block

    def try_allocate_expandable_block(self, pool: BlockPool, size: int) -> Block | None:
        candidate = self.find_expandable_block(pool, size)
        if not candidate.mapped and not self.map_block(candidate, min(candidate.size, size)):
            return None
        while candidate.size < size:
            following = candidate.next
            assert following is not None
            if not self.map_block(following, min(size - candidate.size, following.size)):
                return None
            candidate = following
        pool.blocks.remove(candidate)
        return candidate

    def find_expandable_block(self, pool: BlockPool, size: int) -> Block:
        for unmapped in sorted(pool.unmapped, key=lambda block: block.ptr):
            start = unmapped
            if start.prev and not start.prev.allocated:
                start = start.prev
            room, block = 0, start
            while room < size and block and not block.allocated:
                room += block.size
                block = block.next  # type: ignore[assignment]  # the loop ends there
            if room >= size:
                return start
        page = 2 * MIB if pool.is_small else self.settings.large_segment_size_bytes
        space = self.device_bytes + self.device_bytes // 8
        space = (space + page - 1) // page * page
        segment = Segment(self.top, space, page)
        self.top += space
        candidate = Block(segment.ptr, space, pool, segment, mapped=False)
        pool.unmapped.append(candidate)
        return candidate

    def map_block(self, block: Block, size: int) -> bool:
        segment, pool = block.expandable, block.pool
        assert segment is not None
        begin = (block.ptr - segment.ptr) // segment.page
        end = (block.ptr + size - segment.ptr + segment.page - 1) // segment.page
        mapped = (end - begin) * segment.page
        if self.total + mapped > self.limit:
            return False
        pool.unmapped.remove(block)
        block.mapped = True
        if mapped < block.size:
            rest = Block(block.ptr + mapped, block.size - mapped, pool, segment, mapped=False)
            self.splice(rest, block, block.next)
            pool.unmapped.append(rest)
            block.size = mapped
        self.try_merge_blocks(block, block.prev, pool)
        self.try_merge_blocks(block, block.next, pool)
        pool.insert_into_blocks(block)
        self.total += mapped
        return True

    @staticmethod
    def splice(block: Block, before: Block | None, after: Block | None) -> None:
        if before:
            before.next = block
        block.prev = before
        if after:
            after.prev = block
        block.next = after

    def garbage_collect_cached_blocks(self) -> None:
        assert self.allowed is not None
        threshold = int(self.settings.garbage_collection_threshold * self.allowed)
        if self.total <= threshold:
            return
        target, reclaimed = self.total - threshold, 0
        pool = self.large
        freeable = [block for block in pool.blocks if not block.is_split()]
        total_age = sum(pool.calls - block.gc_count_base for block in freeable)
        count = len(freeable)
        freed = True
        while reclaimed < target and freed and count > 0:
            threshold_age = total_age / count
            freed = False
            for block in pool.ordered():
                age = pool.calls - block.gc_count_base
                if not block.is_split() and not block.expandable and age >= threshold_age:
                    freed = True
                    reclaimed += block.size
                    total_age -= age
                    count -= 1
                    self.release_block(block)

    def release_available_cached_blocks(self, pool: BlockPool, size: int) -> bool:
        if self.max_split == NEVER:
            return False
        key = max(size, self.max_split)
        blocks = pool.ordered()
        at = next((i for i, block in enumerate(blocks) if block.size >= key), len(blocks))
        if at < len(blocks) and not blocks[at].expandable:
            self.release_block(blocks[at])
            return True
        released = 0
        while at > 0:
            at -= 1
            if released >= key or blocks[at].size < self.max_split:
                break
            if not blocks[at].expandable:
                released += blocks[at].size
                self.release_block(blocks[at])
        return released >= key

    def release_cached_blocks(self) -> None:
        for pool in (self.large, self.small):
            to_unmap = [block for block in pool.ordered() if block.expandable]
            for block in pool.ordered():
                if not block.expandable and not block.is_split():
                    self.release_block(block)
            for block in to_unmap:
                self.unmap_block(block)
                if not block.is_split():
                    pool.unmapped.remove(block)

    def release_block(self, block: Block) -> None:
        self.total -= block.size
        block.pool.blocks.remove(block)

    def unmap_block(self, block: Block) -> None:
        segment, pool = block.expandable, block.pool
        assert segment is not None
        begin = (block.ptr - segment.ptr + segment.page - 1) // segment.page
        end = (block.ptr + block.size - segment.ptr) // segment.page
        if begin >= end:
            return
        ptr, size = segment.ptr + begin * segment.page, (end - begin) * segment.page
        pool.blocks.remove(block)
        before = ptr - block.ptr
        if before > 0:
            part = Block(block.ptr, before, pool, segment)
            self.splice(part, block.prev, block)
            pool.insert_into_blocks(part)
        after = block.size - (before + size)
        if after > 0:
            part = Block(ptr + size, after, pool, segment)
            self.splice(part, block, block.next)
            pool.insert_into_blocks(part)
        block.ptr, block.size, block.mapped = ptr, size, False
        self.try_merge_blocks(block, block.prev, pool)
        self.try_merge_blocks(block, block.next, pool)
        pool.unmapped.append(block)
        self.total -= size
