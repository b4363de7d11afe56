"""torchtune's Llama 2 7B with LoRA as its tutorial ran it (commit 56e8917, April 2024).

It differs from transformers' model where memory is concerned: adapters are bf16 like the rest,
rotation and norms are in fp32, each block has a table of angles for 4,096 positions, and the
logits are cast to fp32 whole, then cut and copied before the loss.

Sources, at that commit: ``torchtune/modules/transformer.py``, ``attention.py``,
``position_embeddings.py``, ``rms_norm.py``, ``peft/lora.py`` and
``recipes/lora_finetune_single_device.py``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

INPUTS = ("tokens=BxS:int64", "labels=BxS:int64")
VOCABULARY, BLOCKS, WIDTH, INNER, HEADS, POSITIONS = 32000, 32, 4096, 11008, 32, 4096
RANK, SCALE, DROPOUT = 8, 2.0, 0.05


class LoraLinear(nn.Module):
    """A frozen product and a low-rank one beside it."""

    def __init__(self, inputs: int, outputs: int, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.lora_a = nn.Linear(inputs, RANK, bias=False)
        self.lora_b = nn.Linear(RANK, outputs, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both."""
        out = self.linear(x)
        update = SCALE * self.lora_b(self.lora_a(self.dropout(x)))
        result: torch.Tensor = out + update
        return result


class RMSNorm(nn.Module):
    """Computed in fp32."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The normalized rows."""
        wide = x.float()
        normed = (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)).type_as(x)
        return normed * self.scale


class Rotation(nn.Module):
    """Rotary positions. The fp32 table is kept as bytes, so that a cast of the module leaves it."""

    def __init__(self) -> None:
        super().__init__()
        half = WIDTH // HEADS // 2
        table = torch.zeros(POSITIONS * half * 2 * 4, dtype=torch.uint8)
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` (batch, sequence, heads, head size) rotated."""
        length, half = x.size(1), x.size(3) // 2
        table: Any = self.table
        cache = table.view(torch.float32).view(POSITIONS, half, 2)[:length]
        pairs = x.float().reshape(*x.shape[:-1], -1, 2)
        cache = cache.view(1, length, 1, half, 2)
        rotated = torch.stack(
            [
                pairs[..., 0] * cache[..., 0] - pairs[..., 1] * cache[..., 1],
                pairs[..., 1] * cache[..., 0] + pairs[..., 0] * cache[..., 1],
            ],
            -1,
        )
        return rotated.flatten(3).type_as(x)


class Attention(nn.Module):
    """Causal attention."""

    def __init__(self, *, every: bool) -> None:
        super().__init__()
        self.q_proj, self.v_proj = LoraLinear(WIDTH, WIDTH), LoraLinear(WIDTH, WIDTH)
        self.k_proj, self.output_proj = (_linear(WIDTH, WIDTH, adapted=every) for _ in range(2))
        self.pos_embeddings = Rotation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's attention, projected."""
        batch, length, _ = x.shape
        shape = (batch, length, HEADS, WIDTH // HEADS)
        q = self.q_proj(x)
        k = self.k_proj(x)
        v = self.v_proj(x)
        q, k, v = q.view(shape), k.view(shape), v.view(shape)
        q = self.pos_embeddings(q)
        k = self.pos_embeddings(k)
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        output = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        output = output.transpose(1, 2).contiguous().view(batch, length, -1)
        result: torch.Tensor = self.output_proj(output)
        return result


class Mlp(nn.Module):
    """Gated."""

    def __init__(self, *, every: bool) -> None:
        super().__init__()
        self.w1 = _linear(WIDTH, INNER, adapted=every)
        self.w2 = _linear(INNER, WIDTH, adapted=every)
        self.w3 = _linear(WIDTH, INNER, adapted=every)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's MLP."""
        result: torch.Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return result


class Block(nn.Module):
    """Attention, then MLP."""

    def __init__(self, *, every: bool) -> None:
        super().__init__()
        self.sa_norm = RMSNorm()
        self.attn = Attention(every=every)
        self.mlp_norm = RMSNorm()
        self.mlp = Mlp(every=every)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The residual stream."""
        attended = self.attn(self.sa_norm(x))
        h = attended + x
        more = self.mlp(self.mlp_norm(h))
        result: torch.Tensor = h + more
        return result


class Llama2(nn.Module):
    """The model with the recipe's loss; only the adapters are trained."""

    def __init__(self, *, every: bool) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Block(every=every) for _ in range(BLOCKS))
        self.norm = RMSNorm()
        # The builder gives the head's adapter no dropout.
        self.output = (
            LoraLinear(WIDTH, VOCABULARY, 0.0)
            if every
            else nn.Linear(WIDTH, VOCABULARY, bias=False)
        )
        for name, parameter in self.named_parameters():
            parameter.requires_grad_("lora_" in name)

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss, and the logits as the training loop keeps them."""
        logits = self._logits(tokens)
        logits = logits[..., :-1, :].contiguous()
        labels = labels[..., 1:].contiguous()
        logits = logits.transpose(1, 2)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}

    def _logits(self, tokens: torch.Tensor) -> torch.Tensor:
        h = self.tok_embeddings(tokens)
        for layer in self.layers:
            h = layer(h)
        h = self.norm(h)
        result: torch.Tensor = self.output(h).float()
        return result


def _linear(inputs: int, outputs: int, *, adapted: bool) -> nn.Module:
    return LoraLinear(inputs, outputs) if adapted else nn.Linear(inputs, outputs, bias=False)


llama_2_7b_query_value = partial(Llama2, every=False)
llama_2_7b_every_layer = partial(Llama2, every=True)
