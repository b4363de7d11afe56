"""FSDP2 steps predicted here and by torch's own ``FSDPMemTracker`` on fake tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import memplanner as mp
from memplanner.estimate import recorder
from memplanner.plan import Plan
from memplanner.techniques.target import Target
from tests.truth.rank_models import MODELS

CASES = {
    "ZeRO-3 on 2": {"cards_per_node": 2, "data": "zero_3"},
    "ZeRO-2 on 2": {"cards_per_node": 2, "data": "zero_2"},
    "ZeRO-3 on 8": {"cards_per_node": 8, "data": "zero_3"},
    "ZeRO-2 on 64": {"cards_per_node": 8, "nodes": 8, "data": "zero_2"},
}


def _plan(sharding: dict[str, Any]) -> Plan:
    return Plan.parse(
        {
            "precision": "fp32",
            "training": {"batch_size": 2, "sequence_length": 16, "outputs": "until_loss"},
            "optimizer": {"implementation": "for_loop"},
            "sharding": sharding,
        }
    )


@pytest.fixture
def rank_of() -> Iterator[Any]:
    """Makes this process rank 0 of so many, none of which is there but this one."""
    from torch.testing._internal.distributed.fake_pg import FakeStore

    def start(ranks: int) -> None:
        dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=ranks)

    yield start
    dist.destroy_process_group()


def _tracked_bytes(plan: Plan) -> int:
    section, small = plan.sharding, MODELS["llama"]
    mesh = init_device_mesh("cpu", (section.ranks,))
    free = section.data == "zero_3"
    with FakeTensorMode():
        module = small.build().train()
        for block in module.model.layers:
            fully_shard(block, mesh=mesh, reshard_after_forward=free)
        fully_shard(module, mesh=mesh, reshard_after_forward=free)
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-5, foreach=False)
        batch = small.batch(plan)
        tracker = FSDPMemTracker(module, optimizer)
        tracker.track_inputs((batch["input_ids"],))
        with tracker:
            for _ in range(2):
                module(**batch).loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                tracker.reset_mod_stats()
        peak: int = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    return peak


@pytest.mark.parametrize("name", CASES)
def test_the_peak_is_what_torch_tracks(name: str, rank_of: Any, tmp_path: Any) -> None:
    plan = _plan(CASES[name])
    config = MODELS["llama"].config()
    config.architectures = [MODELS["llama"].class_name]
    config.save_pretrained(tmp_path)
    model = mp.load(str(tmp_path))
    tape, _ = recorder(model).tape(plan, Target())
    rank_of(plan.sharding.ranks)
    assert _tracked_bytes(plan) == tape.without_scratch().curve_bytes.max()
