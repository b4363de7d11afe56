"""FSDP2's offload: what is predicted in host memory, held against real ranks (gloo).

A CPU rank's card is its host: torch's copies between the two are none there. What lies where is
told apart by name: shares, gradients and states are the host's, buffers and the batch the card's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from memplanner.estimate import recorder
from memplanner.plan import Plan
from memplanner.techniques.offload import Offload
from memplanner.techniques.target import Target
from tests.rank_world import on_ranks
from tests.truth.rank_models import MODELS
from tests.truth.real_ranks import RankBirths, _standing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RANKS, STEPS = 2, 3
CARD = Target(kind="cuda", capability=(9, 0))


def _plan(place: str) -> Plan:
    return Plan.parse(
        {
            "precision": "fp32",
            "training": {"batch_size": 8, "sequence_length": 64, "outputs": "until_loss"},
            "offload": {"optimizer": place, "parameters": place},
            "sharding": {"cards_per_node": RANKS, "data": "zero_3"},
        }
    )


def _trained(rank: int) -> tuple[tuple[int, list[float]], tuple[int, list[float]]]:
    """Of steps without offload and with it."""
    return _steps(offloaded=False), _steps(offloaded=True)


def _steps(*, offloaded: bool) -> tuple[int, list[float]]:
    """The most that a steady optimizer step takes beside the batch and buffers, and the losses."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy, fully_shard

    torch.manual_seed(0)
    module = MODELS["llama"].build().train()
    mesh = init_device_mesh("cpu", (RANKS,))
    place = CPUOffloadPolicy(pin_memory=False) if offloaded else OffloadPolicy()
    for block in module.model.layers:
        fully_shard(block, mesh=mesh, offload_policy=place)
    fully_shard(module, mesh=mesh, offload_policy=place)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, foreach=False)
    batch = MODELS["llama"].batch(_plan("host"))
    watch: Any = RankBirths([])
    losses = []
    with watch, watch.resizes():
        for tensor in _standing(module, optimizer, batch):
            watch._see(tensor, "standing")
        for _ in range(STEPS):
            loss = module(**batch).loss
            loss.backward()
            losses.append(float(loss))
            del loss
            watch.highest_bytes = watch.live_bytes
            optimizer.step()
            highest = watch.highest_bytes
            optimizer.zero_grad(set_to_none=True)
    own = [*module.buffers(), *batch.values()]
    storages = {each.untyped_storage()._cdata: each.untyped_storage().nbytes() for each in own}
    return highest - sum(storages.values()), losses


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> mp.Model:
    """The small Llama, opened from its folder as a user would."""
    folder: Path = tmp_path_factory.mktemp("model")
    config: Any = MODELS["llama"].config()
    config.architectures = [MODELS["llama"].class_name]
    config.save_pretrained(folder)
    return mp.load(str(folder))


def test_shares_gradients_and_states_take_what_is_predicted_of_the_host(model: mp.Model) -> None:
    tape, _ = recorder(model).tape(_plan("host"), CARD)
    for here, there in on_ranks(RANKS, _trained):
        assert there[0] == tape.host_peak_bytes
        assert there[1] == here[1]  # it changes no loss


def test_a_card_keeps_no_share(model: mp.Model) -> None:
    here, there = (
        mp.estimate(model, _plan(place), device="h100").peak for place in ("none", "host")
    )
    assert (there.by_category.parameters, there.by_category.optimizer_state) == (0, 0)
    gone = here.by_category.parameters + here.by_category.optimizer_state
    assert here.allocated_bytes - there.allocated_bytes == gone


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sharding.data": "zero_1"}, "choose sharding.data=zero_2 or zero_3"),
        ({"offload.optimizer": "none"}, "choose offload.optimizer=host too"),
        ({"offload.parameters": "none"}, "choose offload.parameters=host too"),
        ({"sharding.cards_per_node": 4, "sharding.pipeline": 2}, "choose sharding.pipeline=1"),
    ],
)
def test_what_fsdp2_has_no_policy_for_is_refused(changes: dict[str, Any], words: str) -> None:
    (reason,) = Offload().conflicts(_plan("host").with_values(changes), CARD)
    assert words in reason


def test_the_host_holds_the_shares_of_all_its_cards(model: mp.Model) -> None:
    one = mp.estimate(model, _plan("host"), device="h100").host_bytes
    tape, _ = recorder(model).tape(_plan("host"), CARD)
    assert one == RANKS * tape.host_peak_bytes
