"""LitGPT's fine-tuning with LoRA as it ran for its resource table (October 2023).

It differs from transformers' models where memory is concerned: query, key and value come from one
product with one adapter beside it, whose update is padded with zeros for the key; the head's
logits are made in chunks of 128 positions, cast to fp32 by Fabric, and their loss is chunked too;
adapters are bf16 like the rest. Rotary tables are fp32, so the rotation is. With NF4, every linear
layer is quantized, the head too; Lightning quantizes from fp16 (``_quantize_weight``).

The table names commit 8641822. Its Llama rows were measured with the RMS norm of commit 6178c7c,
which was made in the week between; the older one is at hand for comparison.

Sources, at these commits: ``lit_gpt/lora.py``, ``lit_gpt/model.py``, ``lit_gpt/rmsnorm.py``,
``lit_gpt/utils.py: chunked_cross_entropy``, ``finetune/lora.py``; Lightning 2.1
``fabric/wrappers.py: _FabricModule.forward`` and ``fabric/plugins/precision``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

from benchmarks.reference.models.four_bit import FourBitLinear

INPUTS = ("ids=BxS:int64", "targets=BxS:int64")
CHUNK = 128
"""Positions of the head and of the loss that are computed at once (``lm_head_chunk_size``)."""
RANK, DROPOUT = 8, 0.05

Weights = Literal["bf16", "nf4", "nf4-dq"]


@dataclass(frozen=True, slots=True)
class Config:
    """The lines of ``lit_gpt/config.py`` that decide sizes."""

    vocabulary: int
    blocks: int
    width: int
    inner: int
    rotary: float = 0.25
    heads: int = 32
    parallel: bool = True
    shared_norm: bool = False
    biased: bool = True
    head_biased: bool = False
    llama: bool = False
    """RMS norm and a gated MLP instead of layer norm and GELU."""
    approximate: str = "none"
    norm_in_fp32: bool = True
    weights: Weights = "bf16"

    @property
    def head_size(self) -> int:
        """Of one attention head."""
        return self.width // self.heads


PHI_1_5 = Config(
    vocabulary=51200,
    blocks=24,
    width=2048,
    inner=8192,
    rotary=0.5,
    shared_norm=True,
    head_biased=True,
    approximate="tanh",
)
STABLELM_3B = Config(vocabulary=50688, blocks=16, width=4096, inner=16384)
LLAMA_2_7B = Config(
    vocabulary=32000,
    blocks=32,
    width=4096,
    inner=11008,
    rotary=1.0,
    parallel=False,
    biased=False,
    llama=True,
)


class RMSNorm(nn.Module):
    """In fp32 since commit 6178c7c, keeping four bytes a number; before, in its input's type."""

    def __init__(self, width: int, *, in_fp32: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.in_fp32 = in_fp32

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The normalized rows."""
        given = x.dtype
        if self.in_fp32:
            x = x.float()
        mean = torch.mean(x * x, dim=-1, keepdim=True)
        return (self.weight * (x * torch.rsqrt(mean + 1e-5))).to(given)


class QueryKeyValue(nn.Module):
    """One product for all three, with an adapter for query and value (``LoRAQKVLinear``)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.width = width
        self.linear = _linear(config, width, 3 * width, bias=config.biased)
        self.lora_a = nn.Parameter(torch.zeros(2 * RANK, width))
        self.lora_b = nn.Parameter(torch.zeros(2 * width, RANK))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The three side by side."""
        frozen = self.linear(x)
        down = F.linear(self.dropout(x), self.lora_a)
        up = F.conv1d(down.transpose(-2, -1), self.lora_b.unsqueeze(-1), groups=2).transpose(-2, -1)
        result: torch.Tensor = frozen + self._padded(up) * 2.0
        return result

    def _padded(self, update: torch.Tensor) -> torch.Tensor:
        """``update`` of query and value with zeros for the key between them (``zero_pad``)."""
        update = update.transpose(0, 1)
        whole = update.new_zeros((*update.shape[:-1], 3 * self.width)).view(-1, 3 * self.width)
        columns = torch.ones(2 * self.width, dtype=torch.int64, device=whole.device)
        whole = whole.index_copy(1, columns, update.reshape(-1, 2 * self.width))
        return whole.view((*update.shape[:-1], 3 * self.width)).transpose(0, 1)


class Attention(nn.Module):
    """Causal attention over all heads."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.head_size = config.heads, config.head_size
        self.rotated = int(config.rotary * config.head_size)
        self.attn = QueryKeyValue(config)
        self.proj = _linear(config, config.width, config.width, bias=config.biased)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """The block's attention, projected."""
        batch, length, width = x.size()
        qkv = self.attn(x).view(batch, length, self.heads, 3, self.head_size)
        qkv = qkv.permute(0, 2, 3, 1, 4)
        parts = qkv.split((1, 1, 1), dim=2)
        q, k, v = (part.reshape(batch, -1, length, self.head_size) for part in parts)
        q = self._rotate(q, cos, sin)
        k = self._rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        joined: torch.Tensor = self.proj(y.transpose(1, 2).reshape(batch, length, width))
        return joined

    def _rotate(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        turned = x[..., : self.rotated]
        half = self.rotated // 2
        swapped = torch.cat((-turned[..., half:], turned[..., :half]), dim=-1)
        roped = ((turned * cos) + (swapped * sin)).type_as(turned)
        return torch.cat((roped, x[..., self.rotated :]), dim=-1)


class Mlp(nn.Module):
    """GELU between two products."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.fc = _linear(config, config.width, config.inner, bias=config.biased)
        self.proj = _linear(config, config.inner, config.width, bias=config.biased)
        self.approximate = config.approximate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's MLP."""
        y: torch.Tensor = self.proj(F.gelu(self.fc(x), approximate=self.approximate))
        return y


class GatedMlp(nn.Module):
    """Llama's."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.fc_1 = _linear(config, config.width, config.inner, bias=config.biased)
        self.fc_2 = _linear(config, config.width, config.inner, bias=config.biased)
        self.proj = _linear(config, config.inner, config.width, bias=config.biased)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's MLP."""
        first = self.fc_1(x)
        second = self.fc_2(x)
        x = F.silu(first) * second
        y: torch.Tensor = self.proj(x)
        return y


class Block(nn.Module):
    """Attention and MLP, one after the other or side by side."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.parallel = config.parallel
        self.norm_1 = _norm(config)
        self.attn = Attention(config)
        self.norm_2 = None if config.shared_norm else _norm(config)
        self.mlp = GatedMlp(config) if config.llama else Mlp(config)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """The residual stream."""
        first = self.norm_1(x)
        h = self.attn(first, cos, sin)
        if self.parallel:
            second = first if self.norm_2 is None else self.norm_2(x)
            x = self.mlp(second) + h + x
            return x
        x = h + x
        assert self.norm_2 is not None
        x = self.mlp(self.norm_2(x)) + x
        return x


class LitGpt(nn.Module):
    """The model with its loss; only the adapters are trained."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocabulary, config.width)
        self.h = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.ln_f = _norm(config)
        self.lm_head = _linear(config, config.width, config.vocabulary, bias=config.head_biased)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_("lora_" in name)

    def forward(self, ids: torch.Tensor, targets: torch.Tensor) -> dict[str, Any]:
        """The loss, and the chunks of logits, which the training loop keeps."""
        length, rotated = ids.size(1), int(self.config.rotary * self.config.head_size)
        cos, sin = (torch.ones(length, rotated, device=ids.device) for _ in range(2))
        chunks = [self.lm_head(part) for part in self._hidden(ids, cos, sin).split(CHUNK, dim=1)]
        logits = [chunk.float() for chunk in chunks]  # Fabric's convert_output
        del chunks
        logits[-1] = logits[-1][..., :-1, :]
        return {"loss": _chunked_loss(logits, targets[..., 1:]), "logits": logits}

    def _hidden(self, ids: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        x = self.wte(ids)
        for block in self.h:
            x = block(x, cos, sin)
        y: torch.Tensor = self.ln_f(x)
        return y


def _chunked_loss(logits: list[torch.Tensor], targets: torch.Tensor) -> torch.Tensor:
    """``chunked_cross_entropy`` of a head in chunks."""
    parts = zip(logits, targets.split(logits[0].size(1), dim=1), strict=True)
    losses = [
        F.cross_entropy(
            chunk.reshape(-1, chunk.size(-1)), wanted.reshape(-1), ignore_index=-1, reduction="none"
        )
        for chunk, wanted in parts
    ]
    return torch.cat(losses).mean()


def _linear(config: Config, inputs: int, outputs: int, *, bias: bool) -> nn.Module:
    if config.weights == "bf16":
        return nn.Linear(inputs, outputs, bias=bias)
    return FourBitLinear(
        inputs,
        outputs,
        bias=bias,
        double=config.weights == "nf4-dq",
        expanded_type=torch.float16,
        keeps_input=True,
    )


def _norm(config: Config) -> nn.Module:
    return (
        RMSNorm(config.width, in_fp32=config.norm_in_fp32)
        if config.llama
        else nn.LayerNorm(config.width)
    )


def _older_norm(weights: Weights) -> Callable[[], LitGpt]:
    """Llama 2 7B at the commit that the table names."""
    return partial(LitGpt, replace(LLAMA_2_7B, weights=weights, norm_in_fp32=False))


def _makers(config: Config) -> tuple[Callable[[], LitGpt], ...]:
    """What makes the model in bf16, NF4, and NF4 with double quantization."""
    kinds: tuple[Weights, ...] = ("bf16", "nf4", "nf4-dq")
    return tuple(partial(LitGpt, replace(config, weights=kind)) for kind in kinds)


phi_1_5, phi_1_5_nf4, phi_1_5_nf4_dq = _makers(PHI_1_5)
stablelm_3b, stablelm_3b_nf4, stablelm_3b_nf4_dq = _makers(STABLELM_3B)
llama_2_7b, llama_2_7b_nf4, llama_2_7b_nf4_dq = _makers(LLAMA_2_7B)
older_llama_2_7b = _older_norm("bf16")
older_llama_2_7b_nf4 = _older_norm("nf4")
older_llama_2_7b_nf4_dq = _older_norm("nf4-dq")
