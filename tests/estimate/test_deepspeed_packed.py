"""QLoRA under DeepSpeed: what its ranks hold of weights in NF4, by plain counting."""

from __future__ import annotations

from math import ceil

import pytest
import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.estimate import estimate
from tests.estimate.test_deepspeed import at_end_of, named, planned, smollm, tape

RANKS, LORA_RANK, THRESHOLD = 4, 8, 1_000
TARGETS = ("q_proj", "v_proj")
QLORA: dict[str, object] = {
    "quantization__method": "nf4", "quantization__double_quantization": True,
    "adapters__method": "lora", "adapters__rank": LORA_RANK,
    "adapters__target_modules": TARGETS,
}  # fmt: skip


def linear_layers() -> list[tuple[str, nn.Linear]]:
    """Those of the blocks: the head is the embedding's."""
    module = smollm().build(torch.device("meta"))
    return [
        (name, part)
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) and name != "lm_head"
    ]


def scales_bytes(weights: int) -> int:
    """A byte for 64 weights, an fp32 scale for 256 of these, and their mean."""
    of_blocks = ceil(weights / 64)
    return of_blocks + 4 * ceil(of_blocks / 256) + 4


def adapter_sizes() -> list[int]:
    return [
        LORA_RANK * size
        for name, part in linear_layers()
        if name.endswith(TARGETS)
        for size in (part.in_features, part.out_features)
    ]


def others() -> list[int]:
    """What is neither packed nor an adapter: the embedding and the norms."""
    return [
        part.numel()
        for name, part in smollm().build(torch.device("meta")).named_parameters()
        if "_proj" not in name
    ]


@pytest.mark.parametrize("data", ["zero_1", "zero_2"])
def test_every_rank_has_the_packed_base_and_a_share_of_the_adapters_states(data: str) -> None:
    made = tape(planned(sharding__data=data, **QLORA))
    loaded = at_end_of(made, "load")

    packed = sum(
        part.weight.numel() // 2 + scales_bytes(part.weight.numel()) for _, part in linear_layers()
    )
    trained = sum(adapter_sizes())
    assert trained % (2 * RANKS) == 0  # nothing is filled up
    assert loaded.parameters == packed + 2 * (trained + sum(others()))
    assert loaded.optimizer_state == 12 * trained // RANKS + 4
    (bucket,) = set(named(made, "reduce bucket"))
    assert bucket == 2 * 30_000_000


def test_zero_3_shares_out_what_is_packed_and_leaves_its_scales_whole() -> None:
    made = tape(planned(sharding__data="zero_3", **QLORA))
    loaded = at_end_of(made, "load")

    weights = [part.weight.numel() for _, part in linear_layers()]
    stored = [count // 4 for count in weights]  # four of them in one number of bf16
    whole = [size for size in (*others(), *adapter_sizes()) if size <= THRESHOLD]
    shares = sum(ceil(size / RANKS) for size in (*stored, *others(), *adapter_sizes()))
    assert loaded.parameters == 2 * (shares + sum(whole)) + sum(map(scales_bytes, weights))
    assert loaded.optimizer_state == 12 * sum(ceil(size / RANKS) for size in adapter_sizes()) + 4


def test_zero_3_gathers_packed_weights_by_their_bytes() -> None:
    """One at a time, as large as the largest layer's codes; the embedding is larger than any."""
    made = tape(
        planned(
            sharding__data="zero_3",
            sharding__max_live_parameters=0,
            sharding__max_reuse_distance=0,
            sharding__prefetch_bucket_size=0,
            **QLORA,
        )
    )
    gathered = named(made, "gathered parameters")
    assert made.curve_bytes[-1] == made.curve_bytes[made.phases[0].stop - 1]
    layers = {part.weight.numel() // 2 for _, part in linear_layers()}
    embedding = max(others())
    assert set(gathered) <= layers | {2 * embedding} | {2 * size for size in adapter_sizes()}
    assert layers <= set(gathered)


def test_offloaded_shares_of_packed_weights_lie_on_the_host() -> None:
    made = tape(
        planned(
            sharding__data="zero_3",
            sharding__offload_parameters="host",
            sharding__offload_optimizer="host",
            **QLORA,
        )
    )
    loaded = at_end_of(made, "load")

    weights = [part.weight.numel() for _, part in linear_layers()]
    whole = sum(size for size in (*others(), *adapter_sizes()) if size <= THRESHOLD)
    assert loaded.parameters == 2 * whole + sum(map(scales_bytes, weights))
    shares = sum(
        ceil(size / RANKS)
        for size in (*(count // 4 for count in weights), *others(), *adapter_sizes())
    )
    assert made.host_peak_bytes >= 2 * shares


def test_more_cards_take_less_of_each_down_to_the_scales() -> None:
    def peak(cards: int) -> int:
        plan = planned(sharding__data="zero_3", sharding__cards_per_node=cards, **QLORA)
        return estimate(smollm(), plan, "H100 80GB").peak.by_category.parameters

    two, eight = peak(2), peak(8)
    scales = sum(scales_bytes(part.weight.numel()) for _, part in linear_layers())
    assert scales < eight < two


@pytest.mark.parametrize("method", ["linear", "companding", "fp8"])
def test_other_formats_are_refused(method: str) -> None:
    plan = planned(sharding__data="zero_3", **QLORA | {"quantization__method": method})
    with pytest.raises(PlanError, match=r"choose quantization\.method=nf4 or none"):
        estimate(smollm(), plan, "H100 80GB")


def test_bits_of_single_layers_beside_nf4_are_refused() -> None:
    plan = planned(sharding__data="zero_3", quantization__per_layer=("mlp.down_proj=8",), **QLORA)
    with pytest.raises(PlanError, match=r"8 bits in quantization\.per_layer"):
        estimate(smollm(), plan, "H100 80GB")
