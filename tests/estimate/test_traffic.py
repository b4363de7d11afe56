"""What ranks send: counted calls of a recorded step against what each strategy has to send.

Every number of bytes is written out from parameters, hidden states and the plan alone.
"""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from memplanner.estimate import estimate
from memplanner.estimate.traffic import KINDS, link_of, rate_bytes, sent_bytes
from memplanner.hardware.catalogue import cards
from memplanner.messages.estimate import CollectiveKind, Traffic
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.tape.collectives import Collective

H100 = next(card for card in cards() if card.name == "H100 80GB")
SOURCE = "preset:smollm2-135m"


@cache
def model() -> Model:
    return load(SOURCE)


@cache
def parameters() -> nn.Module:
    return model().build(torch.device("meta"))


def traffic(changes: dict[str, object]) -> dict[tuple[str, str], Traffic]:
    plan = Plan().with_values({"precision": "fp32", "training.sequence_length": 64, **changes})
    return {(row.kind, row.link): row for row in estimate(model(), plan).traffic}


def gathered_bytes(ranks: int, element_bytes: int = 4) -> int:
    """All parameters as FSDP2 gathers them: each one's first dimension padded to the ranks."""
    return sum(
        math.ceil(part.shape[0] / ranks) * ranks * math.prod(part.shape[1:]) * element_bytes
        for part in parameters().parameters()
    )


@given(st.sampled_from(KINDS), st.integers(1, 2**40), st.integers(2, 4096))
def test_no_ring_sends_more_than_twice_the_whole(
    kind: CollectiveKind, payload: int, ranks: int
) -> None:
    sent = sent_bytes(kind, payload, ranks)
    assert 0 <= sent <= 2 * payload
    assert sent_bytes("all_reduce", payload, ranks) - 2 * sent_bytes(
        "reduce_scatter", payload, ranks
    ) in (0, 1)


def test_groups_are_placed_on_nodes_in_order() -> None:
    section = Sharding(nodes=2, cards_per_node=4)
    within = Collective("all_reduce", 1, 4, first=4, last=7)
    across = Collective("all_reduce", 1, 2, first=3, last=7)
    assert (link_of(within, section), link_of(across, section)) == ("card", "node")


def test_rates_are_the_plan_s_then_the_maker_s() -> None:
    section = Sharding(cards_per_node=2)
    assert rate_bytes(section, "card", H100) == 450e9  # NVLink 4 is 900 both ways together
    assert rate_bytes(section, "card", None) is None
    assert rate_bytes(section, "node", H100) is None
    told = Sharding(cards_per_node=2, card_link=100.0, node_link=50.0)
    assert rate_bytes(told, "card", H100) == 100e9
    assert rate_bytes(told, "node", H100) == 50e9


def test_one_card_sends_nothing() -> None:
    assert traffic({}) == {}


@pytest.mark.parametrize("accumulation", [1, 2, 5])
def test_zero_3_gathers_twice_a_micro_batch_and_scatters_once(accumulation: int) -> None:
    rows = traffic(
        {
            "sharding.cards_per_node": 4,
            "sharding.data": "zero_3",
            "sharding.card_link": 100,
            "training.gradient_accumulation_steps": accumulation,
        }
    )
    whole = gathered_bytes(4)
    assert set(rows) == {("all_gather", "card"), ("reduce_scatter", "card")}
    gather = rows["all_gather", "card"]
    root = gather.sent_bytes / (whole * 3 / 4) / accumulation
    assert root == 2.0
    assert rows["reduce_scatter", "card"].sent_bytes == accumulation * whole * 3 // 4
    assert gather.seconds == gather.sent_bytes / 100e9


def test_zero_2_gathers_once() -> None:
    rows = traffic({"sharding.cards_per_node": 4, "sharding.data": "zero_2"})
    assert rows["all_gather", "card"].sent_bytes == gathered_bytes(4) * 3 // 4


def test_gradients_that_wait_for_the_last_micro_batch_are_sent_once() -> None:
    rows = traffic(
        {
            "sharding.cards_per_node": 4,
            "sharding.data": "zero_3",
            "sharding.reduction": "last_micro_batch",
            "training.gradient_accumulation_steps": 5,
        }
    )
    assert rows["reduce_scatter", "card"].sent_bytes == gathered_bytes(4) * 3 // 4
    assert rows["all_gather", "card"].sent_bytes == 5 * 2 * gathered_bytes(4) * 3 // 4


def test_mixed_precision_gathers_halves_and_reduces_whole_floats() -> None:
    rows = traffic(
        {"precision": "bf16_mixed", "sharding.cards_per_node": 4, "sharding.data": "zero_3"}
    )
    assert rows["all_gather", "card"].sent_bytes == 2 * gathered_bytes(4, 2) * 3 // 4
    assert rows["reduce_scatter", "card"].sent_bytes == gathered_bytes(4, 4) * 3 // 4


def test_replicas_reduce_their_shares_between_nodes() -> None:
    rows = traffic(
        {
            "sharding.nodes": 2,
            "sharding.cards_per_node": 4,
            "sharding.data": "zero_3",
            "sharding.replicas": 2,
        }
    )
    whole = gathered_bytes(4)
    assert rows["reduce_scatter", "card"].sent_bytes == whole * 3 // 4
    assert rows["all_reduce", "node"].sent_bytes == whole // 4  # 2 (n − 1) / n of a quarter


def test_ddp_reduces_every_gradient_once_a_micro_batch() -> None:
    rows = traffic({"sharding.cards_per_node": 4, "training.gradient_accumulation_steps": 3})
    whole = sum(part.nbytes for part in parameters().parameters())
    assert rows["all_reduce", "card"].sent_bytes == 3 * 2 * whole * 3 // 4


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_zero_1_sends_updated_parameters_as_well() -> None:
    rows = traffic({"sharding.cards_per_node": 4, "sharding.data": "zero_1"})
    whole = sum(part.nbytes for part in parameters().parameters())
    buffers = sum(part.nbytes for part in parameters().buffers())
    assert rows["all_reduce", "card"].sent_bytes == 2 * whole * 3 // 4
    told = rows["broadcast", "card"].sent_bytes - whole - buffers
    # DDP agrees on its buckets anew in the recorded step: a number of four bytes for each
    # parameter, for how many there are, and for each bucket's size.
    count = len(list(parameters().parameters()))
    assert 4 * (count + 1) <= told <= 4 * (2 * count + 1)
