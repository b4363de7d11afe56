"""Predicted peaks of pruned models against really measured training steps on the CPU.

The real ones are made without our code: masks by torch's own pruning, smaller models by
transformers from a smaller configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn
from torch.nn.utils import prune

import memplanner as mp
from memplanner.messages.device import Device
from memplanner.messages.estimate import Peak
from memplanner.techniques.sparsity.zeros import Zeros, put_zeros
from tests.truth.real_step import measure
from tests.truth.small_models import SMALL

CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
SHAPES = {"llama": (2, 64), "gpt2 eager": (2, 48), "bert": (4, 32), "vit": (4, 1)}
MASKS = {"structure": "unstructured"}
ZEROS = {"structure": "unstructured", "kept_as": "zeros"}
PACKED = {"structure": "n_m", "kept_as": "packed"}
WIDTH = {"structure": "structured", "mlp_ratio": 0.25}
BLOCKS = {"structure": "structured", "mlp_ratio": 0.0, "block_ratio": 0.34}
HEADS = {"structure": "structured", "mlp_ratio": 0.0, "head_ratio": 0.5}
ALL = {"structure": "structured", "mlp_ratio": 0.5, "head_ratio": 0.5, "block_ratio": 0.34}
LORA = {"method": "lora", "rank": 4, "target_modules": ["q_proj", "v_proj"]}
FULL = {"policy": "full"}
SMALLER: dict[str, dict[str, dict[str, int]]] = {
    "llama": {
        "width": {"intermediate_size": 264},
        "blocks": {"num_hidden_layers": 5},
        "heads": {"num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 16},
        "all": {
            "intermediate_size": 176, "num_hidden_layers": 5, "num_attention_heads": 4,
            "num_key_value_heads": 1, "head_dim": 16,
        },
    },
    "gpt2 eager": {"width": {"n_inner": 384}, "blocks": {"n_layer": 4}},
    "bert": {"width": {"intermediate_size": 384}, "blocks": {"num_hidden_layers": 4}},
    "vit": {
        "width": {"intermediate_size": 384},
        "blocks": {"num_hidden_layers": 4},
        "heads": {"num_attention_heads": 2, "head_dim": 32},
    },
}  # fmt: skip
"""What the configuration says of a model as small as the plan makes it."""
SECTIONS: dict[str, dict[str, Any]] = {
    "width": WIDTH, "blocks": BLOCKS, "heads": HEADS, "all": ALL,
}  # fmt: skip


def planned(name: str, sections: dict[str, Any]) -> mp.Plan:
    batch_size, sequence_length = SHAPES[name]
    return mp.Plan.model_validate(
        {
            "precision": "fp32",
            "attention": {"kernel": SMALL[name].attention.replace("sdpa", "auto")},
            **sections,
            "training": {"batch_size": batch_size, "sequence_length": sequence_length}
            | sections.get("training", {}),
        }
    )


def predicted(model: Any, plan: mp.Plan) -> Peak:
    peak: Peak = mp.estimate(model, plan, device=CPU).peak
    return peak


def check(name: str, sections: dict[str, Any], module: nn.Module, folder: Path) -> None:
    """The plan's peak is that of a step of ``module``, to the byte."""
    plan = planned(name, sections)
    torch.manual_seed(0)
    model = mp.load(SMALL[name].write(folder))
    batch = model.batch(*SHAPES[name], torch.device("cpu"))
    peak = predicted(model, plan)
    measured = measure(module, batch, plan).tensor_bytes
    assert peak.allocated_bytes - peak.by_category.workspaces == measured


def linear_layers(module: nn.Module) -> list[nn.Module]:
    return [
        layer
        for name, layer in module.named_modules()
        if (isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D")
        and name not in ("lm_head", "classifier")
    ]


def masked(name: str) -> nn.Module:
    module = SMALL[name].build()
    for layer in linear_layers(module):
        prune.l1_unstructured(layer, "weight", 0.5)
    return module


def smaller(name: str, changes: dict[str, int]) -> nn.Module:
    """transformers' own model of a smaller configuration."""
    config = SMALL[name].config()
    config.update(changes)
    config._attn_implementation = SMALL[name].attention
    made: nn.Module = getattr(transformers, SMALL[name].model_class)(config)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "others"),
    [
        *((name, {}) for name in SHAPES),
        ("llama", {"precision": "bf16"}),
        ("vit", {"precision": "bf16"}),
        ("llama", {"precision": "bf16_mixed"}),
        ("llama", {"activation_checkpointing": FULL}),
        ("llama", {"training": {"gradient_accumulation_steps": 2}}),
    ],
    ids=str,
)
def test_masks_take_what_torchs_own_take(name: str, others: dict[str, Any], tmp_path: Path) -> None:
    check(name, {"pruning": MASKS, **others}, masked(name), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "others"),
    [
        *((name, kind, {}) for name, kinds in SMALLER.items() for kind in kinds),
        ("llama", "all", {"precision": "bf16"}),
        ("llama", "all", {"precision": "bf16_mixed", "activation_checkpointing": FULL}),
        ("llama", "all", {"adapters": LORA}),
    ],
    ids=str,
)
def test_a_smaller_model_takes_what_transformers_smaller_one_takes(
    name: str, kind: str, others: dict[str, Any], tmp_path: Path
) -> None:
    module = smaller(name, SMALLER[name][kind])
    check(name, {"pruning": SECTIONS[kind], **others}, module, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("others", [{}, {"precision": "bf16"}], ids=str)
def test_packed_weights_take_what_was_predicted(others: dict[str, Any], tmp_path: Path) -> None:
    module = SMALL["llama"].build()
    if others:
        module = module.bfloat16()
    names = [name for name, layer in module.named_modules() if layer in linear_layers(module)]
    put_zeros(module, names, Zeros(n_m=(2, 4), kept_as="packed"))
    check("llama", {"pruning": PACKED, "adapters": LORA, **others}, module, tmp_path)


def test_what_each_way_to_keep_zeros_costs(tmp_path: Path) -> None:
    """A mask and a product as large as the weight; nothing; half and a bit a weight."""
    model = mp.load(SMALL["llama"].write(tmp_path))
    weights = 7 * (2 * 128 * 128 + 2 * 128 * 32 + 3 * 128 * 352)
    found = {
        kind: predicted(model, planned("llama", {"adapters": LORA, "pruning": section}))
        for kind, section in {"none": {}, "masks": MASKS, "zeros": ZEROS, "packed": PACKED}.items()
    }
    kept = {kind: peak.by_category for kind, peak in found.items()}
    assert kept["masks"].buffers - kept["none"].buffers == 4 * weights
    assert found["masks"].allocated_bytes - found["none"].allocated_bytes >= 8 * weights
    assert found["zeros"] == found["none"]
    saved = kept["none"].parameters - kept["packed"].parameters
    assert saved == 4 * weights // 2 - weights // 8
    assert kept["packed"].buffers == kept["none"].buffers
