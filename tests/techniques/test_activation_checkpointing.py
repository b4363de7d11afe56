"""A recomputed block gives the same loss and the same gradients, and keeps less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import OPERATIONS, PRODUCTS
from memplanner.techniques.checkpointed_operations import EVERY_SECOND, NAMES
from memplanner.techniques.prepare import Prepared, prepare
from tests.estimate.recordings import CPU, META, planned, recipe, tiny

REAL = torch.device("cpu")
POLICIES = ["full", "every_n", "selective"]


def prepared(name: str, policy: str, every: int = 2, **values: Any) -> Prepared:
    plan = planned(
        2, 8, activation_checkpointing__policy=policy, activation_checkpointing__every=every,
        **values,
    )  # fmt: skip
    torch.manual_seed(3)
    return prepare(tiny(name), plan, CPU, REAL)


def loss_and_gradients(step: Prepared) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    torch.manual_seed(5)
    batch = step.model.batch(2, 8, REAL)
    loss = step.loss(step.module(**batch))
    loss.backward()
    return loss.detach(), {
        name: part.grad for name, part in step.module.named_parameters() if part.grad is not None
    }


def kept_bytes(step: Prepared) -> int:
    """What autograd saves in a forward beside parameters."""
    own = {part.untyped_storage()._cdata for part in step.module.parameters()}
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage
        return tensor

    batch = step.model.batch(2, 8, REAL)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = step.module(**batch)
    assert output is not None
    return sum(storage.nbytes() for storage in saved.values())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", ["llama", "gpt2", "vit", "swin"])
def test_loss_and_gradients_are_the_same(name: str, policy: str) -> None:
    """GPT-2 with its dropout: the recomputation draws the same numbers."""
    loss, gradients = loss_and_gradients(prepared(name, "none"))
    again, recomputed = loss_and_gradients(prepared(name, policy))
    torch.testing.assert_close(again, loss)
    assert recomputed.keys() == gradients.keys()
    for key, gradient in gradients.items():
        torch.testing.assert_close(recomputed[key], gradient)


def test_adapters_inside_recomputed_blocks_learn_the_same() -> None:
    lora = {"adapters__method": "lora", "adapters__rank": 2}
    _, gradients = loss_and_gradients(prepared("llama", "none", **lora))
    _, recomputed = loss_and_gradients(prepared("llama", "full", **lora))
    assert recomputed.keys() == gradients.keys()
    assert all(".lora_" in key for key in gradients)
    for key, gradient in gradients.items():
        torch.testing.assert_close(recomputed[key], gradient)


def test_more_recomputation_keeps_less() -> None:
    sizes = [
        kept_bytes(prepared("llama", "full")),
        kept_bytes(prepared("llama", "every_n", every=2)),
        kept_bytes(prepared("llama", "every_n", every=3)),
        kept_bytes(prepared("llama", "none")),
    ]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


def test_one_block_in_one_is_every_block() -> None:
    assert kept_bytes(prepared("llama", "every_n", every=1)) == kept_bytes(
        prepared("llama", "full")
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_names_and_state_stay(policy: str) -> None:
    plain = prepared("llama", "none").module
    wrapped = prepared("llama", policy).module
    assert list(wrapped.state_dict()) == list(plain.state_dict())
    assert [name for name, _ in wrapped.named_modules()] == [
        name for name, _ in plain.named_modules()
    ]
    wrapped.load_state_dict(plain.state_dict())


def test_every_nth_block_is_wrapped_from_the_first() -> None:
    module = prepared("llama", "every_n", every=4).module
    layers = module.get_submodule("model.layers")
    assert [index for index, block in enumerate(layers.children()) if "forward" in vars(block)] == [
        0,
        4,
    ]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_model_without_repeated_blocks_is_refused(policy: str, tmp_path: Path) -> None:
    model = recipe(
        tmp_path,
        "import torch\n"
        "def model():\n"
        "    return torch.nn.Linear(2, 2)\n"
        "def batch(batch_size, sequence_length):\n"
        "    return {'input': torch.ones(batch_size, 2)}\n",
    )
    with pytest.raises(
        PlanError,
        match=f"^activation_checkpointing.policy={policy} needs repeated blocks, .*; choose none.$",
    ):
        prepare(model, planned(activation_checkpointing__policy=policy), CPU, META)


def test_selective_keeps_products_and_attention() -> None:
    assert set(PRODUCTS) == {"mm", "addmm", "bmm", "baddbmm", "convolution", "attention"}
    assert isinstance(prepared("llama", "selective").module, nn.Module)


def test_every_operation_is_one_of_torchs() -> None:
    assert {*NAMES.values(), *EVERY_SECOND} == set(OPERATIONS)


@pytest.mark.parametrize(
    "operations",
    ["mm", "every_second_mm", "attention", "mul, add, silu", "softmax, bmm", ", ".join(OPERATIONS)],
)
def test_whatever_is_kept_gradients_are_the_same(operations: str) -> None:
    for name in ("llama", "gpt2", "swin"):
        loss, gradients = loss_and_gradients(prepared(name, "none"))
        chosen = {"activation_checkpointing__operations": operations}
        again, recomputed = loss_and_gradients(prepared(name, "selective", **chosen))
        torch.testing.assert_close(again, loss)
        for key, gradient in gradients.items():
            torch.testing.assert_close(recomputed[key], gradient)


@pytest.mark.parametrize(
    ("named", "nearest"),
    [("atention", "attention"), ("matmul", "mul"), ("layernorm", "layer_norm")],
)
def test_an_unknown_operation_is_refused_with_the_nearest(named: str, nearest: str) -> None:
    with pytest.raises(PlanError, match=f"“{named}”; choose {nearest}, or others of mm, bmm"):
        Plan().with_values({"activation_checkpointing.operations": f"mm, {named}"})


def test_naming_none_is_refused() -> None:
    with pytest.raises(PlanError, match="choose policy=full to keep none"):
        Plan().with_values({"activation_checkpointing.operations": ""})
