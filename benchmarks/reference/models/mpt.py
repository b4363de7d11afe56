"""MPT as MosaicML's benchmarks trained it (llm-foundry 061f2c7, October 2023).

It differs from transformers' models where memory is concerned: norms are computed in the type of
the products, nothing is dropped, and the loss is one kernel that reads bf16 logits and writes
their gradient. ``mpt_7b_2048`` and the like are the sizes of the published tables, each with a
table of positions for the sequence that it was run with.

Sources, at that commit: ``llmfoundry/models/mpt/modeling_mpt.py``, ``models/layers/blocks.py``,
``attention.py``, ``ffn.py``, ``norm.py``, ``scripts/train/yamls/pretrain``; the kernel's sizes are
those of ``flash_attn/losses/cross_entropy.py`` (1.0.3), not in place. Its attention is a Triton
kernel that keeps what flash attention keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

INPUTS = ("tokens=BxS:int64", "labels=BxS:int64")
VOCABULARY = 50368
SIZES = {
    "125m": (768, 12, 12),
    "350m": (1024, 24, 16),
    "760m": (1536, 24, 12),
    "1b": (2048, 24, 16),
    "3b": (2560, 32, 20),
    "7b": (4096, 32, 32),
    "13b": (5120, 40, 40),
    "30b": (7168, 48, 56),
}
"""Width, blocks and heads."""


class FusedCrossEntropy(torch.autograd.Function):
    """One kernel for each way. Only sizes are of use here: the gradient has no values."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """A loss in fp32 for each position; kept are the logits and as many normalizers."""
        losses = torch.zeros(len(logits), device=logits.device)
        ctx.save_for_backward(logits, labels, torch.empty_like(losses))
        return losses

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Of the logits, in their own type."""
        logits, _, _ = ctx.saved_tensors
        return torch.empty_like(logits), None


class Attention(nn.Module):
    """Causal, queries, keys and values from one product."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.Wqkv = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's attention, projected."""
        batch, length, width = x.shape
        q, k, v = (
            part.view(batch, length, self.heads, -1).transpose(1, 2)
            for part in self.Wqkv(x).chunk(3, dim=2)
        )
        output = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        result: torch.Tensor = self.out_proj(output.transpose(1, 2).reshape(batch, length, width))
        return result


class Block(nn.Module):
    """Attention, then MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.up_proj, self.down_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The residual stream."""
        x = x + self.attn(self.norm_1(x))
        result: torch.Tensor = x + self.down_proj(F.gelu(self.up_proj(self.norm_2(x))))
        return result


class Mpt(nn.Module):
    """The model with composer's loss; the head is the embedding's matrix."""

    def __init__(self, *, width: int, blocks: int, heads: int, positions: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(VOCABULARY, width)
        self.wpe = nn.Embedding(positions, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm_f = nn.LayerNorm(width)

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss and the logits, which composer holds through backward."""
        places = torch.arange(tokens.shape[1], device=tokens.device).unsqueeze(0)
        x = self.wte(tokens) + self.wpe(places)
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm_f(x), self.wte.weight)
        flat = logits.view(-1, VOCABULARY)
        losses = FusedCrossEntropy.apply(flat, labels.view(-1))  # type: ignore[no-untyped-call]  # torch's own
        return {"loss": losses.mean(), "logits": logits}


def __getattr__(name: str) -> Callable[[], Mpt]:
    """What makes ``mpt_SIZE_LENGTH``."""
    prefix, _, rest = name.partition("_")
    size, _, length = rest.partition("_")
    if prefix != "mpt" or size not in SIZES or not length.isdecimal():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    width, blocks, heads = SIZES[size]
    return partial(Mpt, width=width, blocks=blocks, heads=heads, positions=int(length))
