"""Blocks compiled under FSDP2: predicted on one rank, measured on two (gloo), by the allocator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

import memplanner as mp
from memplanner.plan import Plan
from tests.rank_world import on_ranks
from tests.techniques.test_compilation_checkpointing import products
from tests.truth.ground_truth import allocator_peak_bytes
from tests.truth.rank_models import MODELS
from tests.truth.real_ranks import _local, _standing

pytestmark = pytest.mark.slow

RANKS, STEADY_STEPS = 2, 3
BACKEND = "aot_eager_decomp_partition"
CASES = {
    "ZeRO-2": ("zero_2", 1.0, "none"),
    "ZeRO-2, inputs alone kept": ("zero_2", 0.0, "none"),
    "ZeRO-3": ("zero_3", 1.0, "none"),
    "ZeRO-3, products kept": ("zero_3", 1.0, "selective"),
}


def _plan(data: str, budget: float, policy: str) -> Plan:
    return Plan.parse(
        {
            "precision": "fp32",
            "training": {"batch_size": 8, "sequence_length": 64, "outputs": "until_loss"},
            "optimizer": {"implementation": "for_loop"},
            "activation_checkpointing": {"policy": policy},
            "compilation": {"mode": "blocks", "backend": BACKEND, "memory_budget": budget},
            "sharding": {"cards_per_node": RANKS, "data": data},
        }
    )


def _peak_bytes(_: int, data: str, budget: float, policy: str) -> int:
    """Of steady steps the lowest: gloo's own thread may hold what it sends a little longer."""
    from torch._functorch import config
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    module = MODELS["llama"].build().train()
    module.config.use_cache = False
    mesh, free = init_device_mesh("cpu", (RANKS,)), data == "zero_3"
    if policy == "selective":
        products(module)
    for block in module.model.layers:
        block.compile(backend=BACKEND, dynamic=False)
        fully_shard(block, mesh=mesh, reshard_after_forward=free)
    fully_shard(module, mesh=mesh, reshard_after_forward=free)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-5, foreach=False)
    batch = MODELS["llama"].batch(_plan(data, budget, policy))

    def step() -> None:
        module(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    peaks_bytes = []
    with config.patch(activation_memory_budget=budget):
        step()
        step()
        for _ in range(STEADY_STEPS):
            dist.barrier()
            standing = [_local(tensor) for tensor in _standing(module, optimizer, batch)]
            peaks_bytes.append(allocator_peak_bytes(step, standing))
    return min(peaks_bytes)


@pytest.mark.parametrize("name", CASES)
def test_compiled_blocks_in_shares_take_what_is_predicted(name: str, tmp_path: Path) -> None:
    config: Any = MODELS["llama"].config()
    config.architectures = [MODELS["llama"].class_name]
    config.save_pretrained(tmp_path)

    predicted = mp.estimate(mp.load(str(tmp_path)), _plan(*CASES[name]), device="cpu")

    measured = on_ranks(RANKS, _peak_bytes, *CASES[name])
    assert [predicted.peak.allocated_bytes] * RANKS == measured
