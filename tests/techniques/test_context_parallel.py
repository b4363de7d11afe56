"""Sequences split over ranks: the same numbers as on one card, rules, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import transformers

import memplanner as mp
from memplanner.errors import MemplannerError
from memplanner.estimate import recorder
from memplanner.plan import Plan
from memplanner.search.largest import largest
from memplanner.techniques.prepare import no_context, transform
from memplanner.techniques.target import Target
from tests.rank_world import on_ranks
from tests.truth.rank_models import MODELS

RANKS, LENGTH = 2, 16
PLANS: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama, one after the other": {"sharding.context_rotation": "all_to_all"},
    "llama, ZeRO-2": {"sharding.data": "zero_2"},
    "llama, ZeRO-3, checkpointed": {
        "sharding.data": "zero_3",
        "activation_checkpointing.policy": "full",
    },
    "llama, loss in chunks": {"loss.method": "chunked"},
    "mixtral": {},
    "gpt2": {},
}

_SMALL: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 2,
    "num_key_value_heads": 2, "num_hidden_layers": 2, "vocab_size": 128,
    "max_position_embeddings": 64,
}  # fmt: skip


def _plan(values: dict[str, Any]) -> Plan:
    plan = Plan.parse(
        {
            "precision": "fp32",
            "training": {"batch_size": 2, "sequence_length": LENGTH},
            "sharding": {"cards_per_node": RANKS, "context": RANKS},
        }
    )
    return plan.with_values(values)


def _config(name: str) -> Any:
    if name == "gpt2":
        return transformers.GPT2Config(
            n_layer=2, n_embd=32, n_head=2, vocab_size=512, n_positions=64,
            attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0, use_cache=False,
            bos_token_id=0, eos_token_id=0,
            architectures=["GPT2LMHeadModel"],
        )  # fmt: skip
    config = MODELS[name].config()
    config.architectures, config.use_cache = [MODELS[name].class_name], False
    return config


def _built(name: str) -> Any:
    torch.manual_seed(0)
    config = _config(name.partition(",")[0])
    return getattr(transformers, config.architectures[0])(config)


def _batch() -> dict[str, torch.Tensor]:
    """With labels that say nothing, more of them on one rank than on the other."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 512, (2, LENGTH), generator=generator)
    labels = ids.clone()
    labels[0, :3] = -100
    return {"input_ids": ids, "labels": labels}


def _loss_and_gradients(rank: int, folder: str, name: str) -> dict[str, torch.Tensor]:
    """The ranks' mean loss and the whole gradients that they came to."""
    model, plan = mp.load(folder), _plan(PLANS[name])
    module = transform(
        _built(name).train(), model, plan, Target(rank=rank), no_context, torch.device("cpu")
    )
    loss = module(**_batch()).loss
    loss.backward()
    loss = loss.detach()
    dist.all_reduce(loss)
    return {"loss": loss / RANKS} | {
        path.removeprefix("module."): _full(weight.grad)
        for path, weight in module.named_parameters()
    }


def _full(tensor: Any) -> torch.Tensor:
    full = getattr(tensor, "full_tensor", None)
    return tensor if full is None else full()


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
def test_ranks_together_compute_what_one_card_does(name: str, tmp_path: Path) -> None:
    _config(name.partition(",")[0]).save_pretrained(tmp_path)
    split, _ = on_ranks(RANKS, _loss_and_gradients, str(tmp_path), name)
    module = _built(name)
    loss = module(**_batch()).loss
    loss.backward()
    whole = {path: weight.grad for path, weight in module.named_parameters()}
    whole["loss"] = loss.detach()
    assert whole.keys() == split.keys()
    for path, value in whole.items():
        torch.testing.assert_close(
            split[path],
            value,
            rtol=1e-4,
            atol=1e-5,
            msg=lambda text, at=path: f"{at}: {text}",
        )


def test_another_attention_is_refused_with_its_reason(tmp_path: Path) -> None:
    configs = {
        "drops out": transformers.LlamaConfig(**_SMALL, attention_dropout=0.1),
        "sees 8 positions back": transformers.MistralConfig(**_SMALL, sliding_window=8),
        "caps its scores": transformers.Gemma2Config(
            **_SMALL, head_dim=32, layer_types=["full_attention"] * 2
        ),
        "attention code of its own": transformers.FalconConfig(
            num_hidden_layers=2, num_attention_heads=2, hidden_size=64, vocab_size=128
        ),
        "no causal language model": transformers.BertConfig(**_SMALL),
        "convolutions over positions": transformers.Lfm2Config(
            **_SMALL, layer_types=["conv", "full_attention"]
        ),
    }
    for words, config in configs.items():
        kind = type(config).__name__.removesuffix("Config")
        config.architectures = [f"{kind}For{'MaskedLM' if kind == 'Bert' else 'CausalLM'}"]
        folder = tmp_path / kind
        config.save_pretrained(folder)
        with pytest.raises(MemplannerError, match=words) as refused:
            mp.estimate(mp.load(str(folder)), _plan({}))
        assert str(refused.value).endswith("choose sharding.context=1.")


def test_a_window_as_long_as_the_sequence_is_causal(tmp_path: Path) -> None:
    config = transformers.MistralConfig(**_SMALL, sliding_window=LENGTH)
    config.architectures = ["MistralForCausalLM"]
    config.save_pretrained(tmp_path)
    assert mp.estimate(mp.load(str(tmp_path)), _plan({})).peak.allocated_bytes


@pytest.mark.parametrize(
    ("capability", "precision", "kernel"),
    [((9, 0), "bf16", "cudnn"), ((8, 0), "bf16", "flash"), ((8, 0), "fp32", "efficient")],
)
def test_the_ring_takes_the_kernel_of_its_card(
    capability: tuple[int, int], precision: str, kernel: str, tmp_path: Path
) -> None:
    _config("llama").save_pretrained(tmp_path)
    model = mp.load(str(tmp_path))
    target = Target("cuda", capability)
    plan = _plan({"precision": precision, "training.sequence_length": 128})
    tape, _ = recorder(model).tape(plan, target)
    made_by = {info.operation for info in tape.storages if "dot_product" in info.operation}
    assert made_by
    assert all(kernel in operation for operation in made_by)


def test_what_a_ring_sends_is_what_its_shapes_say(tmp_path: Path) -> None:
    """Of each block: keys and values once forward and once backward, their gradients in fp32."""
    config = _config("llama")
    config.save_pretrained(tmp_path)
    degree, local = 4, 2 * 32 // 4  # batch × positions of a rank
    heads = config.num_key_value_heads * config.hidden_size // config.num_attention_heads
    pair_bytes = 2 * local * heads * 2  # bf16
    blocks, hops = config.num_hidden_layers, degree - 1
    found = {}
    for rotation in ("all_gather", "all_to_all"):
        plan = _plan(
            {
                "precision": "bf16",
                "training.sequence_length": 32,
                "sharding.cards_per_node": degree,
                "sharding.context": degree,
                "sharding.context_rotation": rotation,
            }
        )
        traffic = mp.estimate(mp.load(str(tmp_path)), plan).traffic
        found[rotation] = {part.kind: part.sent_bytes for part in traffic}
    gradients_bytes = 2 * pair_bytes * degree * blocks
    rounds_bytes = 2 * pair_bytes * hops * blocks
    gathered, sent = found["all_gather"], found["all_to_all"]
    assert gathered["send"] == gradients_bytes
    assert gathered["all_gather"] == rounds_bytes
    assert sent["send"] == gradients_bytes + rounds_bytes
    assert "all_gather" not in sent


def test_other_lengths_follow_forms(tmp_path: Path) -> None:
    """Lengths that pieces do not divide are not asked of the recorder."""
    config = _config("llama")
    config.max_position_embeddings = 4096
    config.save_pretrained(tmp_path)
    target = Target("cuda", (8, 0))  # whose kernels pad
    short = _plan({"precision": "bf16", "training.sequence_length": 512})
    model, other = mp.load(str(tmp_path)), mp.load(str(tmp_path))
    recorder(model).tape(short, target)
    points = [(2, 512), (3, 1024), (5, 768)]
    peaks = recorder(model).peaks_bytes(short, target, points)
    assert recorder(model).step_at(short, target, points) is not None
    for (batch, length), peak in zip(points, peaks, strict=True):
        plan = short.with_values({"training.batch_size": batch, "training.sequence_length": length})
        alone = recorder(other).exact(plan, target).without_scratch()
        assert peak == alone.curve_bytes.max()


def test_the_longest_sequence_is_one_that_can_be_dealt_out(tmp_path: Path) -> None:
    config = _config("gpt2")
    config.n_positions = 1000
    config.save_pretrained(tmp_path)

    found = largest(
        mp.load(str(tmp_path)),
        _plan({"precision": "bf16"}),
        "H100 80GB",
        contexts=[16],
        batches=[1],
    )

    (row,) = found.by_batch
    assert row.bounded
    assert row.sequence_length == 1000 // 4 * 4
