"""A pipeline's plan carried out on real CPU ranks: it learns what the whole model learns."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import memplanner as mp
from memplanner.plan import Plan
from memplanner.techniques.prepare import Prepared, prepare
from memplanner.techniques.step import Held, run_step
from memplanner.techniques.target import Target
from tests.rank_world import on_ranks

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
MICRO_BATCHES = 4


class _Plain:
    """Runs the parts of a step as they are; no phase is told to anyone."""

    def forward_context(self) -> AbstractContextManager[object]:
        return nullcontext()

    def backward(self, loss: torch.Tensor) -> None:
        (loss / MICRO_BATCHES).backward()

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        optimizer.step()

    def phase(self, phase: Any, micro_batch: int) -> None:
        pass


def _plan(precision: str = "bf16", **sharding: Any) -> Plan:
    return Plan.parse(
        {
            "precision": precision,
            "training": {
                "batch_size": 2,
                "sequence_length": 16,
                "gradient_accumulation_steps": MICRO_BATCHES,
            },
            "optimizer": {"name": "sgd"},
            "sharding": sharding,
        }
    )


PLANS = {
    "1f1b": _plan(cards_per_node=2, pipeline=2),
    "gpipe": _plan(cards_per_node=2, pipeline=2, schedule="gpipe"),
    "interleaved": _plan(cards_per_node=2, pipeline=2, schedule="interleaved_1f1b"),
    "zero bubble": _plan(cards_per_node=2, pipeline=2, schedule="zero_bubble"),
}


def _learn(rank: int, folder: str, plan: Plan) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Weights after two steps on fixed tokens, and the losses of the last."""
    model = mp.load(folder)
    torch.manual_seed(0)
    module = model.build(CPU)
    prepared: Prepared = prepare(model, plan, Target(rank=rank), CPU, module=module)
    tokens = torch.arange(2 * MICRO_BATCHES * 16).reshape(MICRO_BATCHES, 2, 16) % 96
    backend, losses = _Plain(), []
    for _ in range(2):
        batches = ({"input_ids": each, "labels": each} for each in tokens)
        losses = [float(loss) for loss in run_step(prepared, batches, backend, backend, Held())]
    weights = {name: part.detach().clone() for name, part in prepared.module.named_parameters()}
    return weights, losses


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small Llama whose embedding and head share their weight."""
    folder = tmp_path_factory.mktemp("model")
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=96, max_position_embeddings=64, tie_word_embeddings=True,
    )  # fmt: skip
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    return str(folder)


INSIDE = {
    "layers, sequence and logits": _plan(
        "fp32", cards_per_node=4, pipeline=2, tensor=2, sequence_parallel=True, loss_parallel=True
    ),
    "sequences": _plan("fp32", cards_per_node=4, pipeline=2, context=2, data="zero_2"),
    "sequences, interleaved": _plan(
        "fp32", cards_per_node=4, pipeline=2, context=2, schedule="interleaved_1f1b"
    ),
}
"""What the cards of a stage have parts of: sums in another order, which bf16 would round."""


def _losses(rank: int, folder: str, plan: Plan) -> list[float]:
    return _learn(rank, folder, plan)[1]


@pytest.mark.parametrize("name", INSIDE)
def test_stages_of_two_ranks_lose_what_one_card_does(
    name: str, folder: str, tmp_path: Path
) -> None:
    config = transformers.AutoConfig.from_pretrained(folder)
    config.tie_word_embeddings = False
    config.save_pretrained(tmp_path)

    expected = _losses(0, str(tmp_path), _plan("fp32"))
    *early, first, second = on_ranks(4, _losses, str(tmp_path), INSIDE[name])

    assert early == [[], []]
    means = [(one + other) / 2 for one, other in zip(first, second, strict=True)]
    assert means == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", PLANS)
def test_two_ranks_learn_what_one_card_learns(name: str, folder: str) -> None:
    expected, losses = _learn(0, folder, _plan())
    ranks = on_ranks(2, _learn, folder, PLANS[name])
    weights = {**ranks[0][0], **ranks[1][0]}
    head = weights.pop("lm_head.weight")
    assert weights.keys() == expected.keys()
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(head, weights["model.embed_tokens.weight"], rtol=0, atol=0)
    assert ranks[0][1] == []
    assert ranks[1][1] == pytest.approx(losses)
