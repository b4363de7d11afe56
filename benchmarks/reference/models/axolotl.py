"""QLoRA with cut cross-entropy, as axolotl's examples train it.

A plan has NF4 and LoRA, but no autocast over a bf16 base: here adapters are fp32 and compute in
bf16, as autocast makes them do (peft ``tuners/lora/bnb.py: Linear4bit.forward`` casts no input
then, and copies the frozen layer's result). Embeddings, norms and head are bf16.

The plugin computes the loss from the hidden states and the head's weight without ever making the
logits; for backward it keeps the hidden states and one fp32 number a token (Wijmans et al. 2024,
arXiv:2411.09009). Packed samples are one row of ``micro_batch_size`` × ``sequence_len`` tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn
from transformers import (
    ArceeConfig,
    ArceeForCausalLM,
    Olmo3Config,
    Olmo3ForCausalLM,
    SeedOssConfig,
    SeedOssForCausalLM,
)

from benchmarks.reference.models.four_bit import FourBitLinear
from benchmarks.reference.models.kept_types import KeepsTypes

INPUTS = ("ids=BxS:int64",)


class QloraLinear(nn.Module):
    """A frozen NF4 product, and an adapter of rank 32 beside it."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        inputs, outputs = linear.in_features, linear.out_features
        self.base = FourBitLinear(
            inputs,
            outputs,
            bias=linear.bias is not None,
            double=True,
            expanded_type=torch.bfloat16,
            keeps_input=False,
        )
        self.base.to(torch.bfloat16)
        self.dropout = nn.Dropout(0.05)
        self.lora_a = nn.Parameter(torch.empty(32, inputs))
        self.lora_b = nn.Parameter(torch.empty(outputs, 32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both."""
        result = self.base(x).clone()
        down = F.linear(self.dropout(x), self.lora_a.to(x.dtype))
        update = F.linear(down, self.lora_b.to(x.dtype)) * 0.5
        total: torch.Tensor = result + update
        return total


class CutCrossEntropy(KeepsTypes):
    """A causal model whose loss needs no logits."""

    def __init__(self, causal: Any) -> None:
        super().__init__()
        self.model = causal.model
        self.lm_head = causal.lm_head
        for name, child in list(self.model.named_modules()):
            if isinstance(child, nn.Linear):
                parent, _, own = name.rpartition(".")
                setattr(self.model.get_submodule(parent), own, QloraLinear(child))
        for name, parameter in self.named_parameters():
            parameter.requires_grad_("lora_" in name)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """The loss."""
        hidden = self.model(input_ids=ids, use_cache=False).last_hidden_state
        loss: torch.Tensor = _Cut.apply(hidden, self.lm_head.weight)  # type: ignore[no-untyped-call]  # torch's own lack of types
        return loss


class _Cut(torch.autograd.Function):
    """What the fused kernels allocate: one number a token, and the gradient of the states."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        normalizers = torch.zeros(hidden.shape[:-1], device=hidden.device)
        ctx.save_for_backward(hidden, weight, normalizers)
        return normalizers.mean()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        hidden, _, _ = ctx.saved_tensors
        return torch.zeros_like(hidden), None


def _maker(model_class: Any, config_class: Any, **values: Any) -> Callable[[], CutCrossEntropy]:
    return partial(_make, model_class, config_class, values)


def _make(model_class: Any, config_class: Any, values: dict[str, Any]) -> CutCrossEntropy:
    causal = model_class(config_class(**values, use_cache=False))
    return CutCrossEntropy(causal.to(torch.bfloat16))


afm_4_5b = _maker(
    ArceeForCausalLM,
    ArceeConfig,
    vocab_size=128004,
    hidden_size=2560,
    intermediate_size=18432,
    num_hidden_layers=36,
    num_attention_heads=20,
    num_key_value_heads=4,
    head_dim=128,
    max_position_embeddings=65536,
)
olmo_3_7b = _maker(
    Olmo3ForCausalLM,
    Olmo3Config,
    vocab_size=100278,
    hidden_size=4096,
    intermediate_size=11008,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=32,
    max_position_embeddings=65536,
    # Three of four blocks look back 4,096 tokens; flash attention 2 needs no mask for that.
    layer_types=["full_attention"] * 32,
)
seed_oss_36b = _maker(
    SeedOssForCausalLM,
    SeedOssConfig,
    vocab_size=155136,
    hidden_size=5120,
    intermediate_size=27648,
    num_hidden_layers=64,
    num_attention_heads=80,
    num_key_value_heads=8,
    head_dim=128,
)
