"""Small models that are sharded: a Llama, a mixture of experts and a ViT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from memplanner.plan import Plan

_WIDTH = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}
_TEXT = {**_WIDTH, "num_key_value_heads": 2, "vocab_size": 512, "max_position_embeddings": 256}


@dataclass(frozen=True)
class RankModel:
    """How to build a small model, and its batch under a plan."""

    config: Callable[[], Any]
    class_name: str
    batch: Callable[[Plan], dict[str, Any]]

    def build(self) -> Any:
        """The model with random weights."""
        return getattr(transformers, self.class_name)(self.config())


def _tokens(plan: Plan) -> dict[str, Any]:
    ids = torch.ones(plan.training.batch_size, plan.training.sequence_length, dtype=torch.int64)
    return {"input_ids": ids, "labels": ids}


def _pictures(plan: Plan) -> dict[str, Any]:
    size = plan.training.batch_size
    return {
        "pixel_values": torch.ones(size, 3, 32, 32),
        "labels": torch.zeros(size, dtype=torch.int64),
    }


MODELS = {
    "llama": RankModel(
        lambda: transformers.LlamaConfig(**_TEXT, num_hidden_layers=6), "LlamaForCausalLM", _tokens
    ),
    "mixtral": RankModel(
        lambda: transformers.MixtralConfig(
            **_TEXT, num_hidden_layers=4, num_local_experts=4, num_experts_per_tok=2
        ),
        "MixtralForCausalLM",
        _tokens,
    ),
    "vit": RankModel(
        lambda: transformers.ViTConfig(
            **_WIDTH, num_hidden_layers=6, image_size=32, patch_size=8, num_labels=5
        ),
        "ViTForImageClassification",
        _pictures,
    ),
}
