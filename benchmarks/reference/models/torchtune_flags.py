"""torchtune's Llama 3.2 3B as the table of optimization flags had it (commit 1814feb, Nov. 2024).

It differs from transformers' model where memory is concerned: norms and rotation are computed in
fp32, packed samples look up their angles in every block, keys and values are repeated for their
queries, and the head is the embedding's matrix. The loss is one of two. The whole one casts all
logits to fp32. The one in chunks keeps the logits of all chunks in bf16 and casts them inside of
a function of a chunk, which alone of the loss is compiled, so that no fp32 copy is kept; and since
all chunks leave the head before any enters the loss, backward has the gradients of all logits
together.

Sources, at that commit: ``torchtune/modules/transformer.py``, ``attention.py``,
``position_embeddings.py``, ``rms_norm.py``, ``tied_linear.py``,
``loss/ce_chunked_output_loss.py``, ``training/_compile.py``, ``models/llama3_2`` and
``recipes/full_finetune_single_device.py``. The mask of packed samples is left out: flex attention
keeps what flash attention keeps, and its block mask is small.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

INPUTS = ("tokens=BxS:int64", "labels=BxS:int64", "input_pos=BxS:int64")
VOCABULARY, BLOCKS, WIDTH, INNER, POSITIONS = 128256, 28, 3072, 8192, 131072
HEADS, PAIRS, SIZE = 24, 8, 128
CHUNKS = 8


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


class Attention(nn.Module):
    """Causal attention in which several queries share a key."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, HEADS * SIZE, bias=False)
        self.k_proj = nn.Linear(WIDTH, PAIRS * SIZE, bias=False)
        self.v_proj = nn.Linear(WIDTH, PAIRS * SIZE, bias=False)
        self.output_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(
        self, x: torch.Tensor, angles: torch.Tensor, input_pos: torch.Tensor
    ) -> torch.Tensor:
        """The block's attention, projected."""
        batch, length, _ = x.shape
        q = self.q_proj(x).view(batch, length, HEADS, SIZE)
        q = rotated(q, angles[input_pos]).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, PAIRS, SIZE)
        v = self.v_proj(x).view(batch, length, PAIRS, SIZE)
        k = rotated(k, angles[input_pos]).transpose(1, 2)
        v = v.transpose(1, 2)
        shape = (batch, PAIRS, HEADS // PAIRS, -1, SIZE)
        k = k.unsqueeze(2).expand(shape).flatten(1, 2)
        v = v.unsqueeze(2).expand(shape).flatten(1, 2)
        output = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        output = output.transpose(1, 2).contiguous().view(batch, length, -1)
        result: torch.Tensor = self.output_proj(output)
        return result


def rotated(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """``x`` (batch, sequence, heads, head size) turned by ``angles`` (batch, sequence, half, 2)."""
    pairs = x.float().reshape(*x.shape[:-1], -1, 2)
    cache = angles.view(-1, pairs.size(1), 1, pairs.size(3), 2)
    turned = torch.stack(
        [
            pairs[..., 0] * cache[..., 0] - pairs[..., 1] * cache[..., 1],
            pairs[..., 1] * cache[..., 0] + pairs[..., 0] * cache[..., 1],
        ],
        -1,
    )
    return turned.flatten(3).type_as(x)


class FeedForward(nn.Module):
    """Gated."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Linear(WIDTH, INNER, bias=False)
        self.w2 = nn.Linear(INNER, WIDTH, bias=False)
        self.w3 = nn.Linear(WIDTH, INNER, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's MLP."""
        h = F.silu(self.w1(x))
        h = h * self.w3(x)
        result: torch.Tensor = self.w2(h)
        return result


class Block(nn.Module):
    """Attention, then MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.sa_norm, self.mlp_norm = RMSNorm(), RMSNorm()
        self.attn, self.mlp = Attention(), FeedForward()

    def forward(
        self, x: torch.Tensor, angles: torch.Tensor, input_pos: torch.Tensor
    ) -> torch.Tensor:
        """The residual stream."""
        h = self.sa_norm(x)
        attended = self.attn(h, angles, input_pos)
        h = attended + x
        more = self.mlp(self.mlp_norm(h))
        result: torch.Tensor = h + more
        return result


class ChunkLoss(torch.autograd.Function):
    """The loss of a chunk as inductor's kernels make it: each reads bf16 and writes its result.

    Only sizes are of use here: the gradient has no values.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum in fp32; kept are the logits and a number for each position."""
        normalizers = torch.empty(len(logits), device=logits.device)
        ctx.save_for_backward(logits, labels, normalizers)
        return torch.zeros((), device=logits.device)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Of the logits, in bf16."""
        logits, _, _ = ctx.saved_tensors
        return torch.empty_like(logits), None


class Llama32(nn.Module):
    """The model with the recipe's loss."""

    def __init__(self, *, chunks: int) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(VOCABULARY, WIDTH)
        # In fp32 whatever type the module is cast to: the recipe never casts, it builds in bf16.
        table = torch.zeros(POSITIONS * SIZE * 4, dtype=torch.uint8)
        self.register_buffer("table", table, persistent=False)
        self.layers = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = RMSNorm()
        self.chunks = chunks

    def forward(
        self, tokens: torch.Tensor, labels: torch.Tensor, input_pos: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The loss; the recipe lets go of the logits before backward."""
        table: Any = self.table
        angles = table.view(torch.float32).view(POSITIONS, SIZE // 2, 2)
        h = self.tok_embeddings(tokens)
        for layer in self.layers:
            h = layer(h, angles, input_pos)
        h = self.norm(h)
        weight = self.tok_embeddings.weight
        if not self.chunks:
            logits = F.linear(h, weight).float()
            return {"loss": F.cross_entropy(logits.flatten(0, 1), labels.flatten(0, 1))}
        parts = [F.linear(part, weight) for part in h.chunk(self.chunks, dim=1)]
        wanted = [part.reshape(-1) for part in labels.chunk(self.chunks, dim=1)]
        loss = torch.zeros((), device=h.device)
        for logits, part in zip(parts, wanted, strict=True):
            loss = loss + _summed(logits.reshape(-1, VOCABULARY), part)
        return {"loss": loss / labels.numel()}


def _summed(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    loss: torch.Tensor = ChunkLoss.apply(logits, labels)  # type: ignore[no-untyped-call]  # torch's own
    return loss


llama_3_2_3b = partial(Llama32, chunks=0)
llama_3_2_3b_in_chunks = partial(Llama32, chunks=CHUNKS)
