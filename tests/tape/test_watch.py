"""What a watch sees of real tensors: births, deaths, whose they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing._internal.two_tensor import TwoTensor
from torch.utils.checkpoint import checkpoint

from memplanner.tape.watch import StorageWatch


class Nothing(nn.Module):
    """A root module for steps without modules."""


def watch() -> StorageWatch:
    return StorageWatch(Nothing())


def names(seen: StorageWatch, storages: range | list[int]) -> list[str]:
    return [seen.module_names[seen.module[index]] for index in storages]


def test_a_tensor_is_born_and_dies_once() -> None:
    with watch() as seen:
        one = torch.zeros(10)
        two = torch.zeros(5, dtype=torch.float64)
        del one
        three = two + 1
        del two
    assert seen.events == [1, 2, -1, 3, -2]
    assert seen.size_bytes == [40, 40, 40]
    assert seen.live_bytes == three.nbytes
    assert seen.highest_bytes == 80
    del three
    assert seen.live_bytes == 0


def test_views_and_work_in_place_make_nothing() -> None:
    with watch() as seen:
        tensor = torch.zeros(4, 6)
        view = tensor.view(24)[3:].unsqueeze(0)
        tensor.add_(1).mul_(2)
        transposed = tensor.t()
        del tensor, view
        assert seen.live_bytes == 96
        del transposed
    assert seen.events == [1, -1]


def test_several_results_are_several_births() -> None:
    with watch() as seen:
        values, indices = torch.zeros(3, 4).max(dim=1)
        parts = torch.zeros(6).split(2)
    assert [seen.operation[index].split(".")[1] for index in range(len(seen.size_bytes))] == [
        "zeros", "max", "max", "zeros"
    ]  # fmt: skip
    assert seen.live_bytes == values.nbytes + indices.nbytes + sum(part.nbytes for part in parts)


@pytest.mark.parametrize("longer", [True, False])
def test_a_resized_storage_has_its_new_size(longer: bool) -> None:
    with watch() as seen:
        tensor = torch.zeros(10)
        tensor.resize_(20 if longer else 10)
        assert seen.live_bytes == tensor.untyped_storage().nbytes()
        torch.mm(torch.ones(3, 2), torch.ones(2, 4), out=tensor.resize_(0))
        assert seen.live_bytes == tensor.untyped_storage().nbytes()
        del tensor
    assert seen.live_bytes == 0
    assert min(running(seen)) >= 0


def running(seen: StorageWatch) -> list[int]:
    live, sums = 0, []
    for event in seen.events:
        live += seen.size_bytes[abs(event) - 1] * (1 if event > 0 else -1)
        sums.append(live)
    return sums


actions = st.lists(st.tuples(st.sampled_from("make drop view add".split()), st.integers(0, 9)))


@settings(max_examples=60, deadline=None)
@given(actions)
def test_live_bytes_are_the_storages_that_live(made: list[tuple[str, int]]) -> None:
    with watch() as seen:
        alive: list[torch.Tensor] = []
        for action, number in made:
            if action == "make":
                alive.append(torch.zeros(number))
            elif alive and action == "drop":
                alive.pop(number % len(alive))
            elif alive and action == "view":
                alive.append(alive[number % len(alive)].view(-1))
            elif alive:
                alive.append(alive[number % len(alive)] + 1)
        storages = {part.untyped_storage()._cdata: part.untyped_storage() for part in alive}
        assert seen.live_bytes == sum(storage.nbytes() for storage in storages.values())
        sums = running(seen)
        assert seen.highest_bytes == max(sums, default=0)
        assert seen.live_bytes == (sums[-1] if sums else 0)
        assert len(seen.events) == len(seen.event_module)


def test_what_was_there_before_counts_once() -> None:
    layer = nn.Linear(3, 4)
    tied = nn.Sequential(layer, layer)
    seen = StorageWatch(tied)
    with seen:
        seen.see_all((part, "parameter", 0) for part in tied.parameters())
        seen.see_all((part.detach(), "again", 0) for part in tied.parameters())
    assert seen.live_bytes == (12 + 4) * 4
    assert seen.index_of(layer.weight) == 0
    assert seen.index_of(torch.zeros(1)) is None


def test_a_subclass_counts_by_the_tensors_inside_it() -> None:
    pair = TwoTensor(torch.zeros(4), torch.zeros(4))
    with watch() as seen:
        seen.see(pair, "given")
        assert seen.live_bytes == 32
        total = pair + 1
        assert seen.live_bytes == 64
        del total
        assert seen.live_bytes == 32


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).relu()).sum()


def test_forward_and_backward_belong_to_the_module_at_work() -> None:
    module = Two()
    x = torch.zeros(3, 4)
    seen = StorageWatch(module)
    with seen:
        seen.see_all((part, "parameter", 0) for part in module.parameters())
        before = len(seen.size_bytes)
        seen.phase("forward", 0)
        loss = module(x)
        forward = len(seen.size_bytes)
        seen.phase("backward", 0)
        loss.backward()
    assert names(seen, range(before, forward)) == ["first", "", "second", ""]
    born = {
        seen.shape[index]: seen.module_names[seen.module[index]]
        for index in range(forward, len(seen.size_bytes))
    }
    assert born[2, 8] == born[1, 2] == "second"  # gradients of its weight and bias
    assert born[8, 4] == born[1, 8] == "first"
    assert [phase[:2] for phase in seen.phases] == [("forward", 0), ("backward", 0)]
    assert not any(seen.recomputed)


def test_recomputation_belongs_to_the_modules_inside_the_block() -> None:
    module = Two()
    seen = StorageWatch(module)
    with seen:
        seen.see_all((part, "parameter", 0) for part in module.parameters())
        seen.phase("forward", 0)
        loss = checkpoint(module, torch.zeros(3, 4, requires_grad=True), use_reentrant=False)
        forward = len(seen.size_bytes)
        seen.phase("backward", 0)
        loss.backward()
    again = [index for index in range(len(seen.size_bytes)) if seen.recomputed[index]]
    assert min(again) >= forward
    assert names(seen, again) == ["first", ""]  # no further than what backward needs


def test_shapes_are_those_of_the_first_call() -> None:
    module = Two()
    seen = StorageWatch(module)
    with seen:
        module(torch.zeros(3, 4))
        module(torch.zeros(5, 4))
    assert seen.shapes[seen.module_index("first")] == (((3, 4),), ((3, 8),))
    assert seen.shapes[seen.module_index("")] == (((3, 4),), ((),))


def test_hooks_are_gone_afterwards_even_when_the_step_failed() -> None:
    module = Two()
    seen = StorageWatch(module)
    with pytest.raises(RuntimeError), seen:
        module(torch.zeros(3, 5))
    events = len(seen.events)
    kept = module(torch.zeros(3, 4))
    assert kept.requires_grad
    assert len(seen.events) == events
    assert seen.shapes.keys() <= {seen.module_index(""), seen.module_index("first")}


@pytest.mark.parametrize("foreach", [False, True])
def test_the_optimizer_works_for_the_modules_whose_parameters_it_updates(foreach: bool) -> None:
    module = Two()
    optimizer = torch.optim.AdamW(module.parameters(), foreach=foreach)
    module(torch.zeros(3, 4)).backward()
    optimizer.step()
    seen = StorageWatch(module)
    owners: dict[str, Any] = {"first": module.first, "second": module.second}
    with seen:
        for name, owner in owners.items():
            seen.see_all(
                (part, "parameter", seen.module_index(name)) for part in owner.parameters()
            )
            seen.see_all(
                (part, "state", seen.module_index(name))
                for parameter in owner.parameters()
                for part in (*optimizer.state[parameter].values(), parameter.grad)
            )
        before = len(seen.size_bytes)
        seen.phase("optimizer_step", 0)
        optimizer.step()
    large = [index for index in range(before, len(seen.size_bytes)) if seen.shape[index]]
    assert large
    for index in large:
        owner = owners[seen.module_names[seen.module[index]]]
        assert seen.shape[index] in {tuple(part.shape) for part in owner.parameters()}
