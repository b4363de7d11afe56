"""Meshes of weightless worlds: alike where ranks stand alike, with the groups of the last world."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh
from torch.testing._internal.distributed.fake_pg import FakeStore

from memplanner.plan.sharding import Sharding
from memplanner.tape import sharding_outcomes
from memplanner.tape.ranks import weightless_ranks
from memplanner.tape.record import record
from memplanner.techniques.parallel.mesh import SHARDS, TENSOR, data_mesh, make_mesh
from tests.estimate.recordings import H100, META, planned, tiny
from tests.tape.test_first_step import in_any_order_at_first

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


def test_meshes_are_joined_once_a_world() -> None:
    joined = []
    for _ in range(2):
        with weightless_ranks(3, 16):
            mesh = make_mesh(SECTION, "cpu")
            parts = mesh[SHARDS], mesh[TENSOR]
            first, second = (DeviceMesh._concatenate(list(parts)) for _ in range(2))
            assert first is second
            assert first.mesh_dim_names == (SHARDS, TENSOR)
            assert first.mesh.tolist() == [[2, 3], [6, 7]]
            assert [ranks_of(first[name]) for name in (SHARDS, TENSOR)] == [[3, 7], [2, 3]]
            assert DeviceMesh._concatenate([parts[0]]) is not first
        joined.append(first)
    assert joined[0] is not joined[1]


@pytest.mark.parametrize("data", ["zero_2", "zero_3"])
def test_another_torch_is_left_to_do_as_it_does(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what is patched has another name or takes something else."""
    model = tiny(
        "llama", num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4,
        hidden_size=32, vocab_size=32,
    )  # fmt: skip
    plan = planned(
        2, 24, sharding__cards_per_node=8, sharding__data=data, sharding__tensor=2, precision="bf16"
    )
    module, target = model.build(META), replace(H100, rank=3)
    told = record(model, plan, target, deepcopy(module))
    for name in ("_init_one_process_group", "_concatenate"):
        monkeypatch.setattr(DeviceMesh, name, staticmethod(taking_anything(DeviceMesh, name)))
    for name in ("_OUTCOME", "_META"):
        monkeypatch.setattr(sharding_outcomes, name, "another_name")
    other = record(model, plan, target, deepcopy(module))
    assert in_any_order_at_first(other) == in_any_order_at_first(told)


def taking_anything(owner: Any, name: str) -> Any:
    made = getattr(owner, name)

    def make(*given: Any, **named: Any) -> Any:
        return made(*given, **named)

    return make
