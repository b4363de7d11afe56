"""Meshes of weightless worlds: alike where ranks stand alike, with the groups of the last world."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from memplanner.plan.sharding import Sharding
from memplanner.tape.ranks import weightless_ranks
from memplanner.techniques.parallel.mesh import SHARDS, TENSOR, data_mesh, make_mesh

SECTION = Sharding.model_validate(
    {"cards_per_node": 8, "nodes": 2, "pipeline": 2, "tensor": 2, "context": 2, "data": "zero_3"}
)


def ranks_of(mesh: Any) -> list[int]:
    return dist.get_process_group_ranks(mesh.get_group())


def test_ranks_that_stand_alike_have_one_mesh_to_torch() -> None:
    with weightless_ranks(3, 16):
        first = make_mesh(SECTION, "cpu")
        parts = {name: first[name] for name in (SHARDS, TENSOR)}
        shares = data_mesh(first, SECTION)
        assert ranks_of(parts[TENSOR]) == [2, 3]
        assert ranks_of(shares) == [1, 3, 5, 7]
    with weightless_ranks(11, 16):
        second = make_mesh(SECTION, "cpu")
        assert second != first  # another stage
        for name, part in parts.items():
            again = second[name]
            assert again == part
            assert hash(again) == hash(part)
            assert ranks_of(part) == ranks_of(again)
        assert ranks_of(parts[TENSOR]) == [10, 11]
        assert ranks_of(parts[SHARDS]) == [11, 15]
        assert data_mesh(second, SECTION) == shares
        assert ranks_of(shares) == [9, 11, 13, 15]
    with weightless_ranks(10, 16):
        assert make_mesh(SECTION, "cpu")[TENSOR] != parts[TENSOR]  # the other half
    with weightless_ranks(3, 32):
        wider = SECTION.model_copy(update={"nodes": 4})
        assert make_mesh(wider, "cpu")[TENSOR] != parts[TENSOR]


def test_no_other_mesh_is_like_one_of_them() -> None:
    with weightless_ranks(3, 16):
        own = make_mesh(SECTION, "cpu")
        parts = [own, own[TENSOR], own[SHARDS]]
    dist.init_process_group("fake", store=FakeStore(), rank=3, world_size=16)
    try:
        other = make_mesh(SECTION, "cpu")
        pairs = zip(parts, [other, other[TENSOR], other[SHARDS]], strict=True)
        assert not any(one == two for one, two in pairs)
        assert ranks_of(other[TENSOR]) == [2, 3]
    finally:
        dist.destroy_process_group()


def test_only_groups_of_the_rank_are_made(monkeypatch: Any) -> None:
    made: list[Any] = []
    new_group = dist.new_group

    def noting(ranks: Any, **named: Any) -> Any:
        made.append(tuple(ranks))
        return new_group(ranks, **named)

    monkeypatch.setattr(dist, "new_group", noting)
    with weightless_ranks(3, 16):
        first, second = (make_mesh(SECTION, "cpu") for _ in range(2))
        assert sorted(made) == [(1, 3), (2, 3), (3,), (3, 7), (3, 11)]
        assert ranks_of(first[SHARDS]) == ranks_of(second[SHARDS]) == [3, 7]
