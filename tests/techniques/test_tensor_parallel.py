"""Splitting layers, sequences and experts over ranks: rules, refusals, and the same numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import transformers
from torch import nn
from torch.distributed.tensor import DTensor

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.parallel.split_loss import splitting_loss
from memplanner.techniques.parallel.tensor_rules import rules_of
from memplanner.techniques.parallel.wrapped import unwrapped
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target
from tests.rank_world import on_ranks
from tests.truth.rank_models import MODELS

RANKS = 2
QLORA = {"adapters": {"method": "lora"}, "quantization": {"method": "nf4"}}
SPLITS = {
    "llama": {"tensor": 2},
    "llama, tied": {"tensor": 2},
    "llama, parts of the sequence": {"tensor": 2, "sequence_parallel": True},
    "mixtral": {"tensor": 2},
    "mixtral, experts": {"expert": 2, "data": "zero_2"},
    "mixtral, experts, parts of sequences": {
        "cards": 4,
        "context": 2,
        "expert": 2,
        "data": "zero_2",
    },
    "mixtral, copies": {"cards": 4, "tensor": 2},
    "llama, copies, parts of the sequence and of the logits": {
        "cards": 4,
        "tensor": 2,
        "sequence_parallel": True,
        "loss_parallel": True,
    },
    "vit": {"tensor": 2},
}


def _plan(cards: int = RANKS, **sharding: Any) -> Plan:
    training = {"batch_size": 2, "sequence_length": 16}
    return Plan.parse({"training": training, "sharding": {"cards_per_node": cards, **sharding}})


def _built(name: str) -> Any:
    torch.manual_seed(0)
    model, _, more = name.partition(", ")
    small = MODELS[model]
    config = small.config()
    config.tie_word_embeddings = more == "tied"
    return getattr(transformers, small.class_name)(config)


def _batch(name: str, copy: int) -> dict[str, Any]:
    """Of a data-parallel rank its own; ranks that split layers see the same."""
    torch.manual_seed(1 + copy)
    if name == "vit":
        return {"pixel_values": torch.rand(2, 3, 32, 32), "labels": torch.tensor([0, 3])}
    ids = torch.randint(0, 512, (2, 16))
    return {"input_ids": ids, "labels": ids}


def _whole(name: str) -> dict[str, torch.Tensor]:
    """Loss and gradients of the whole model, the mean over the ranks' batches."""
    module = _built(name)
    copies = range(_plan(**SPLITS[name]).sharding.data_degree)
    losses = [module(**_batch(name, copy)).loss for copy in copies]
    loss = torch.stack(losses).mean()
    loss.backward()
    return {"loss": loss.detach()} | {
        path: weight.grad for path, weight in module.named_parameters() if weight.grad is not None
    }


def _loss_and_gradients(rank: int, name: str) -> dict[str, torch.Tensor]:
    """The ranks' mean loss and the whole gradients that they came to."""
    from memplanner.techniques.parallel.split import split

    plan = _plan(**SPLITS[name])
    module = split(_built(name), plan, "cpu", on_cpu=True)
    same_batch = plan.sharding.tensor * plan.sharding.context
    with splitting_loss(plan):
        loss = module(**_batch(name, rank // same_batch)).loss
        loss.backward()
    loss = loss.detach()
    if plan.sharding.data_degree > 1:
        dist.all_reduce(loss)
        loss = loss / plan.sharding.ranks
    return {"loss": loss} | {
        path: _full(weight.grad, vars(owner).get(name))
        for owner, path, name, weight in _parameters(unwrapped(module))
        if weight.grad is not None
    }


def _parameters(module: nn.Module) -> Iterator[tuple[nn.Module, str, str, nn.Parameter]]:
    for path, weight in module.named_parameters():
        owner, _, name = path.rpartition(".")
        yield module.get_submodule(owner), path, name, weight


def _full(tensor: Any, whole: DTensor | None) -> torch.Tensor:
    """A gradient over many ranks, or of this rank's part of ``whole``, as one card has it."""
    if whole is not None:
        tensor = DTensor.from_local(
            tensor, whole.device_mesh, whole.placements,
            run_check=False, shape=whole.shape, stride=whole.stride(),
        )  # fmt: skip
    full = getattr(tensor, "full_tensor", None)
    return tensor if full is None else full()


@pytest.mark.slow
@pytest.mark.parametrize("name", SPLITS)
def test_ranks_together_compute_what_one_card_does(name: str) -> None:
    split, *_ = on_ranks(_plan(**SPLITS[name]).sharding.ranks, _loss_and_gradients, name)
    whole = _whole(name)
    assert whole.keys() == split.keys()
    for path, value in whole.items():
        torch.testing.assert_close(
            split[path],
            value,
            rtol=1e-4,
            atol=1e-5,
            msg=lambda text, at=path: f"{at}: {text}",
        )


def test_heads_that_do_not_divide_are_refused_with_the_nearest_degrees() -> None:
    with torch.device("meta"):
        module = _built("llama")
        pictures = _built("vit")
    with pytest.raises(PlanError, match=r"key and value heads .* choose sharding.tensor=2\."):
        rules_of(module, 4)
    with pytest.raises(PlanError, match=r"choose sharding.tensor=2 or 4\."):
        rules_of(pictures, 3)


def test_a_model_without_linear_pairs_is_refused() -> None:
    config = transformers.GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=64)
    for module in (nn.Sequential(nn.Conv2d(3, 4, 3)), transformers.GPT2LMHeadModel(config)):
        with pytest.raises(PlanError, match="no pair of linear layers"):
            rules_of(module, 2)


@pytest.mark.parametrize(
    ("cards", "sharding", "more", "words"),
    [
        (2, {"loss_parallel": True}, {}, "choose sharding.loss_parallel=false"),
        (2, {"sequence_parallel": True}, {}, "choose sharding.sequence_parallel=false"),
        (2, {"expert": 2}, {}, "choose zero_2 or zero_3"),
        (4, {"expert": 2, "data": "zero_3", "replicas": 2}, {}, "choose sharding.replicas=1"),
        (2, {"tensor": 2}, {"adapters": {"method": "lora"}}, "choose adapters.method=none"),
        (2, {"tensor": 2}, {"quantization": {"method": "linear"}}, "quantization.method=none"),
        (2, {"tensor": 2}, {"loss": {"method": "chunked"}}, "choose loss.method=whole"),
        (2, {"context": 2}, {"attention": {"kernel": "eager"}}, "choose attention.kernel=auto"),
        (2, {"context": 2}, {"inference": {"use": "generation"}}, "for training alone"),
        (2, {"context": 2}, {"training": {"sequence_length": 30}}, "choose 28 or 32"),
        (4, {"replicas": 2}, {}, "choose sharding.replicas=1, or sharding.data=zero_2 or zero_3"),
        (4, {"replicas": 2, "data": "zero_1"}, {}, "choose sharding.replicas=1"),
    ],
)
def test_what_cannot_be_joined_is_refused_with_what_can(
    cards: int, sharding: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    plan = Plan.parse({"sharding": {"cards_per_node": cards, **sharding}, **more})
    with pytest.raises(PlanError, match=words):
        check(plan, Target())


@pytest.mark.parametrize("data", ["zero_2", "zero_3"])
def test_every_card_keeps_what_expands_its_weights(data: str, tmp_path: Path) -> None:
    _built("llama").config.save_pretrained(tmp_path)
    model = mp.load(str(tmp_path))

    def parameters_bytes(**changes: Any) -> int:
        plan = Plan.parse({**QLORA, **changes, "sharding": {"cards_per_node": 2, "data": data}})
        return mp.estimate(model, plan).peak.by_category.parameters

    nested = {"quantization": {"method": "nf4", "double_quantization": True}}
    single = {"quantization": {"method": "nf4", "double_quantization": False}}
    with torch.device("meta"):
        layers = [part for part in _built("llama").model.modules() if isinstance(part, nn.Linear)]
    blocks = [-(-part.weight.numel() // 64) for part in layers]  # bitsandbytes' size of a block
    saved = sum(4 * count - (count + 4 * -(-count // 256) + 4) for count in blocks)
    assert parameters_bytes(**single) - parameters_bytes(**nested) == saved


def test_a_parameter_that_is_a_scalar_is_refused_by_name(tmp_path: Path) -> None:
    transformers.CLIPConfig(
        text_config={"num_hidden_layers": 1}, vision_config={"num_hidden_layers": 1},
        architectures=["CLIPModel"],
    ).save_pretrained(tmp_path)  # fmt: skip
    with pytest.raises(PlanError, match=r"cannot share out logit_scale, .*sharding.data=zero_1"):
        mp.estimate(mp.load(str(tmp_path)), _plan(data="zero_2"))


def test_autocast_stays_where_no_card_shares_parameters() -> None:
    """With tensor parallelism over all cards there is nothing for FSDP2 to cast."""
    alone = {"sharding": {"cards_per_node": 2, "tensor": 2, "data": "zero_3"}}
    plan = Plan.parse({"precision": "bf16_mixed", **alone})
    assert autocast_type(plan) is torch.bfloat16
    assert autocast_type(plan.with_values({"sharding.tensor": 1})) is None


def test_a_sequence_that_does_not_divide_is_refused() -> None:
    plan = Plan.parse(
        {
            "training": {"sequence_length": 15},
            "sharding": {"cards_per_node": 2, "tensor": 2, "sequence_parallel": True},
        }
    )
    with pytest.raises(PlanError, match="choose 14 or 16"):
        check(plan, Target())


def test_blocks_of_experts_have_no_parts_of_the_sequence(tmp_path: Path) -> None:
    small = MODELS["mixtral"]
    config = small.config()
    config.architectures = [small.class_name]
    config.save_pretrained(tmp_path)
    with pytest.raises(PlanError, match=r"choose sharding\.sequence_parallel=false"):
        mp.estimate(mp.load(str(tmp_path)), _plan(tensor=2, sequence_parallel=True))
