"""What DTensor is told of shards while a step is recorded is what torch itself finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor._sharding_prop import ShardingPropagator
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils._python_dispatch import TorchDispatchMode

from memplanner.plan.sharding import Sharding
from memplanner.tape.ranks import weightless_ranks
from memplanner.tape.sharding_outcomes import singles, unseen_by_tensor
from memplanner.techniques.parallel.mesh import SHARDS, TENSOR, make_mesh

META = torch.device("meta")
SECTION = Sharding.model_validate({"cards_per_node": 8, "tensor": 2, "data": "zero_3"})
torchs_own = ShardingPropagator.propagate_op_sharding_non_cached
PROPAGATOR = DTensor._op_dispatcher.sharding_propagator


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """In a world of eight ranks: every schema that DTensor is asked for."""
    schemas: list[Any] = []

    def noting(propagator: Any, schema: Any) -> Any:
        schemas.append(schema)
        return torchs_own(propagator, schema)

    PROPAGATOR.propagate_op_sharding.cache_clear()
    torch._C._clear_DTensor_sharding_propagator_cache()
    with weightless_ranks(3, 8):
        monkeypatch.setattr(ShardingPropagator, torchs_own.__name__, noting)
        yield schemas


class Seen(TorchDispatchMode):
    """Counts operations."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def same(schema: Any) -> bool:
    found, expected = (
        unseen_by_tensor(torchs_own)(PROPAGATOR, schema),
        torchs_own(PROPAGATOR, schema),
    )
    return bool(found == expected)


@pytest.mark.parametrize(
    "update",
    [
        lambda each: torch.optim.AdamW(each, foreach=True, amsgrad=True),
        lambda each: torch.optim.SGD(each, momentum=0.9, nesterov=True, foreach=True),
        lambda each: torch.optim.RMSprop(each, centered=True, foreach=True),
        lambda each: torch.optim.Adagrad(each, foreach=True),
        lambda each: torch.optim.Adamax(each, foreach=True),
    ],
    ids=["AdamW", "SGD", "RMSprop", "Adagrad", "Adamax"],
)
def test_an_update_of_shards_of_many_shapes(update: Any, asked: list[Any]) -> None:
    with META:
        model = nn.Sequential(
            *(nn.Sequential(nn.Linear(24, 48), nn.LayerNorm(48), nn.Linear(48, 24, bias=False))
              for _ in range(3)),
            nn.Linear(24, 5),
        )  # fmt: skip
    mesh = make_mesh(SECTION, "cpu")
    for block in list(model)[:3]:
        parallelize_module(block, mesh[TENSOR], {"0": ColwiseParallel(), "2": RowwiseParallel()})
        fully_shard(block, mesh=mesh[SHARDS])
    fully_shard(model, mesh=mesh[SHARDS])
    for parameter in model.parameters():
        parameter.grad = torch.empty_like(parameter)
    update(list(model.parameters())).step()
    lists = [schema for schema in asked if any(True for _ in singles(schema))]
    assert lists
    assert all(same(schema) for schema in lists)


def test_lists_that_are_redistributed(asked: list[Any]) -> None:
    mesh = make_mesh(SECTION, "cpu")[TENSOR]

    def spread(*sizes: int, places: Any) -> DTensor:
        return DTensor.from_local(torch.empty(sizes, device=META), mesh, [places], run_check=False)

    one = [spread(4, 6, places=Shard(0)), spread(8, 6, places=Partial())]
    other = [spread(4, 6, places=Shard(0)), spread(8, 6, places=Replicate())]
    whole = [spread(8, 6, places=Replicate()) for _ in range(2)]
    torch._foreach_mul(one, other)
    torch._foreach_add_(other, whole)
    torch._foreach_norm(other)
    torch._foreach_add(whole, whole, alpha=2)
    torch._foreach_mul_(other, [2.0, 3.0])
    lists = [schema for schema in asked if any(True for _ in singles(schema))]
    assert len(lists) == 5
    assert all(same(schema) for schema in lists)


def test_nothing_is_seen_of_how_it_is_found() -> None:
    counts = []
    for _ in range(2):
        with weightless_ranks(0, 8):
            mesh = make_mesh(SECTION, "cpu")[TENSOR]
            tensor = distribute_tensor(torch.empty(6, 10, device=META), mesh, [Shard(0)])
            with Seen() as seen:
                (tensor @ tensor.t()).relu()
            counts.append(seen.count)
    assert counts[0] == counts[1]  # the second time all is known
