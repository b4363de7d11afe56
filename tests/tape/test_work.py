"""The work that a recording notes: arithmetic as torch counts it on real steps, and bytes moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from memplanner.estimate.recorder import Recorder
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.work import (
    CAUSAL_ATTENTION,
    COMMUNICATION,
    KINDS,
    OPTIMIZER,
    PARTS,
    RECOMPUTATION,
    TRANSFER,
    Work,
)
from memplanner.tape.work_facts import facts_of
from memplanner.techniques.target import Target
from tests.estimate.recordings import H100, planned, record_whole, tiny
from tests.truth import real_step

EAGER: dict[str, Any] = {"attention__kernel": "eager"}
LORA = {"adapters__method": "lora", "adapters__target_modules": ("q_proj", "down_proj")}
aten = torch.ops.aten


def recorded(model: Model, plan: Plan, target: Target = H100) -> Work:
    return Recorder(model).tape(plan, target)[0].work


def times(work: Work, plan: Plan) -> npt.NDArray[np.int64]:
    """How often a step does each row: of many micro-batches the first stands for all but one."""
    more = plan.training.gradient_accumulation_steps - 1
    last = int(work.micro_batch.max())
    first = (work.micro_batch == 0) & (work.part != OPTIMIZER) & (last > 0)
    return np.where(first, work.count * more, work.count)


def counted_flops(model: Model, plan: Plan) -> int:
    """What torch counts while the same step is run for real, written plainly."""
    device = torch.device("cpu")
    module: Any = model.build(device)
    module.set_attn_implementation("eager")
    module = real_step.planned(module, plan)
    batch = model.batch(plan.training.batch_size, plan.training.sequence_length, device)
    with FlopCounterMode(display=False) as counter:
        for _ in range(plan.training.gradient_accumulation_steps):
            model.loss(module(**batch)).backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("llama", EAGER),
        ("llama", {**EAGER, "activation_checkpointing__policy": "full"}),
        ("llama", {**EAGER, **LORA}),
        ("llama", {**EAGER, "training__gradient_accumulation_steps": 3}),
        ("gpt2", EAGER),
        ("bert", EAGER),
        ("t5", EAGER),
        ("vit", EAGER),
    ],
)
def test_arithmetic_is_what_torch_counts_on_the_real_step(name: str, values: Any) -> None:
    model, plan = tiny(name), planned(**values)
    work = recorded(model, plan)
    assert int(work.flops @ times(work, plan)) == counted_flops(model, plan)


def test_recomputation_is_the_arithmetic_of_a_blocks_forward_again() -> None:
    model = tiny("llama")
    plain, again = (
        recorded(model, planned(**EAGER, activation_checkpointing__policy=policy))
        for policy in ("none", "full")
    )
    repeated = (again.flops * again.count)[again.part == RECOMPUTATION].sum()
    assert repeated == (again.flops @ again.count) - (plain.flops @ plain.count) > 0
    assert not (plain.part == RECOMPUTATION).any()


def test_fused_attention_counts_two_products_forward_and_five_backward() -> None:
    model, plan = tiny("llama"), planned(precision="bf16")
    work = recorded(model, plan, H100)
    causal = work.kind == CAUSAL_ATTENTION
    one_product = 2 * 2 * 2 * 12 * 12 * 8  # batch, heads, 12 × 12 scores of width 8
    assert (work.flops * work.count)[causal].sum() == 6 * 7 * one_product


@pytest.mark.parametrize(
    ("name", "values", "target"),
    [
        ("llama", {"attention__kernel": "math"}, H100),
        ("llama", {"precision": "bf16_mixed"}, H100),
        ("llama", {"optimizer__implementation": "foreach"}, H100),
        ("llama", {"optimizer__update": "in_backward"}, H100),
        ("llama", {"adapters__method": "lora", "training__gradient_accumulation_steps": 2}, H100),
        ("long llama", {"activation_checkpointing__policy": "every_n"}, H100),
        ("gemma2", {}, H100),
        ("gpt2", {"optimizer__implementation": "fused"}, H100),
        ("t5", {}, H100),
        ("mixtral", {}, H100),
        ("swin", {}, H100),
    ],
)
def test_folded_work_is_the_whole_models(name: str, values: Any, target: Target) -> None:
    model, plan = tiny(name), planned(**values)
    folded, whole = recorded(model, plan, target), record_whole(model, plan, target).work
    assert sums(folded) == sums(whole)
    assert len(folded) < len(whole)


def sums(work: Work) -> dict[tuple[str, str], tuple[int, int, int]]:
    """By kind and part: arithmetic, bytes and launches."""
    found = {}
    for kind, kind_name in enumerate(KINDS):
        for part, part_name in enumerate(PARTS):
            inside = (work.kind == kind) & (work.part == part)
            if inside.any():
                count = work.count[inside]
                found[kind_name, part_name] = (
                    int(work.flops[inside] @ count),
                    int(work.moved_bytes[inside] @ count),
                    # lists of a whole model's parameters are started once
                    0 if part == OPTIMIZER else int(work.launches[inside] @ count),
                )
    return found


def test_an_optimizer_reads_gradients_and_states_and_writes_what_it_changes() -> None:
    model = tiny("llama")
    plan = planned(optimizer__implementation="fused")
    work = recorded(model, plan, H100)
    update = work.part == OPTIMIZER
    moved = (work.moved_bytes * work.count)[update].sum()
    parameters = 4 * sum(part.numel() for part in model.build(torch.device("meta")).parameters())
    steps = moved - 7 * parameters  # parameters and two states twice, gradients once
    assert 0 <= steps < 0.02 * moved


def test_offloaded_activations_cross_the_bus_twice() -> None:
    model = tiny("llama")
    work = recorded(model, planned(activation_offload__to="host"), H100)
    crossing = work.kind == TRANSFER
    phases = work.phase[crossing]
    moved = work.moved_bytes[crossing] * work.count[crossing]
    forward, backward = (moved[phases == phase].sum() for phase in np.unique(phases))
    assert forward == backward > 0
    plain = recorded(model, planned(), H100)
    assert not (plain.kind == TRANSFER).any()


def test_what_is_sent_is_noted_as_it_is_counted() -> None:
    plan = planned(sharding__cards_per_node=2, sharding__data="zero_3")
    work = recorded(tiny("llama"), plan, H100)
    sent = work.kind == COMMUNICATION
    assert sent.any()
    assert {work.collectives[place].kind for place in work.peers[sent].tolist()} >= {
        "all_gather",
        "reduce_scatter",
    }


@pytest.mark.parametrize(
    "func", [aten.view.default, aten.t.default, aten.detach.default, aten.empty.memory_format,
             aten._unsafe_view.default, aten.expand.default],
)  # fmt: skip
def test_views_and_empty_memory_are_no_work(func: Any) -> None:
    assert facts_of(func) is None


def test_in_place_operations_read_and_write_what_they_change() -> None:
    added, copied, looked_up = map(
        facts_of, (aten.add_.Tensor, aten.copy_.default, aten.embedding.default)
    )
    assert added is not None
    assert added.passes[:2] == (2, 1)
    assert copied is not None
    assert copied.passes[:2] == (1, 1)
    assert looked_up is not None
    assert looked_up.passes[0] == 0
    assert looked_up.new
