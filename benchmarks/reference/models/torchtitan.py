"""torchtitan's Llama 3.1 8B as its benchmarks ran it (commit f6a9daa, December 2024).

It differs from transformers' model where memory is concerned: norms are computed in fp32 and cast
back, rotation is a product of complex numbers, keys and values are repeated for their queries, and
the logits are cast to fp32 for the loss and let go before backward.

Sources, at that commit: ``torchtitan/models/llama/model.py``, ``torchtitan/models/norms.py`` and
``train.py``.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

INPUTS = ("tokens=BxS:int64", "labels=BxS:int64")
VOCABULARY, POSITIONS = 128256, 8192


class RMSNorm(nn.Module):
    """Computed in fp32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The normalized rows."""
        wide = x.float()
        normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)
        return normed.type_as(x) * self.weight


def rotated(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """``x`` (batch, sequence, heads, head size) turned by ``angles`` (sequence, half head size)."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    turned = pairs * angles[: x.shape[1]].view(1, x.shape[1], 1, -1)
    return torch.view_as_real(turned).flatten(3).type_as(x)


class Attention(nn.Module):
    """Causal attention in which several queries share a key."""

    def __init__(self, width: int, heads: int, pairs: int) -> None:
        super().__init__()
        self.size, self.queries = width // heads, heads // pairs
        self.wq = nn.Linear(width, heads * self.size, bias=False)
        self.wk = nn.Linear(width, pairs * self.size, bias=False)
        self.wv = nn.Linear(width, pairs * self.size, bias=False)
        self.wo = nn.Linear(heads * self.size, width, bias=False)

    def forward(self, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        """The block's attention, projected."""
        batch, length, _ = x.shape
        shape = (batch, length, -1, self.size)
        q, k, v = self.wq(x), self.wk(x), self.wv(x)
        q, k, v = q.view(shape), k.view(shape), v.view(shape)
        q, k = rotated(q, angles), rotated(k, angles)
        keys, values = self._repeated(k), self._repeated(v)
        q, k, v = q.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
        output = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        output = output.transpose(1, 2).contiguous().view(batch, length, -1)
        result: torch.Tensor = self.wo(output)
        return result

    def _repeated(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, pairs, size = x.shape
        wide = x.unsqueeze(3).expand(batch, length, pairs, self.queries, size)
        return wide.reshape(batch, length, pairs * self.queries, size)


class FeedForward(nn.Module):
    """Gated."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, inner, bias=False)
        self.w2 = nn.Linear(inner, width, bias=False)
        self.w3 = nn.Linear(width, inner, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's MLP."""
        result: torch.Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return result


class Block(nn.Module):
    """Attention, then MLP."""

    def __init__(self, width: int, inner: int, heads: int, pairs: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads, pairs)
        self.feed_forward = FeedForward(width, inner)
        self.attention_norm = RMSNorm(width)
        self.ffn_norm = RMSNorm(width)

    def forward(self, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        """The residual stream."""
        h = x + self.attention(self.attention_norm(x), angles)
        result: torch.Tensor = h + self.feed_forward(self.ffn_norm(h))
        return result


class Transformer(nn.Module):
    """The model with the training loop's loss."""

    def __init__(
        self,
        *,
        width: int,
        inner: int,
        blocks: int,
        heads: int,
        pairs: int,
        positions: int = POSITIONS,
    ) -> None:
        super().__init__()
        self.tok_embeddings = nn.Embedding(VOCABULARY, width)
        angles = torch.zeros(positions, width // heads // 2, dtype=torch.complex64)
        self.register_buffer("angles", angles, persistent=False)
        self.layers = nn.ModuleList(Block(width, inner, heads, pairs) for _ in range(blocks))
        self.norm = RMSNorm(width)
        self.output = nn.Linear(width, VOCABULARY, bias=False)

    def forward(self, tokens: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss; the loop lets go of the logits before backward."""
        h = self.tok_embeddings(tokens)
        for layer in self.layers:
            h = layer(h, self.angles)
        logits = self.output(self.norm(h))
        return {"loss": F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(0, 1))}


llama_3_8b = partial(Transformer, width=4096, inner=14336, blocks=32, heads=32, pairs=8)
llama_3_8b_long = partial(llama_3_8b, positions=32768)
