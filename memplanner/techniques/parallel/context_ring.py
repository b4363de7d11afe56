"""Ring attention: queries stay on their rank, keys and values of the others pass by.

The ring is torch's (``torch/distributed/tensor/experimental/_context_parallel/_attention.py``,
after Liu et al. 2023, arXiv:2310.01889): ``context_parallel`` hands it CUDA's three kernels, here
the CPU's is handed to it as well, so that ranks of both kinds compute with the same code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.tensor.experimental._context_parallel import _attention as torch_ring
from torch.nn.attention import SDPBackend

from memplanner.errors import PlanError

aten = torch.ops.aten
_LENGTH = 2
"""The dimension of the positions: tensors are (batch, heads, positions, head size)."""
_ROTATIONS = {
    "all_gather": torch_ring._RotateMethod.ALL_GATHER,
    "all_to_all": torch_ring._RotateMethod.ALL_TO_ALL,
}
_FLASH_WIDTHS = 8
"""CUDA's flash kernel takes heads of multiples of it; torch's ring does not pad."""
_EFFICIENT_PIECES = 32
"""``kAlignLSE`` of CUDA's memory-efficient kernel (``cuda/mem_eff_attention/kernel_forward.h``)."""


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A kernel and its backward, and how torch calls both (``derivatives.yaml``)."""

    forward: Any
    backward: Any
    gradient: str = "grad_out"
    """What backward calls the gradient of its output."""
    given: dict[str, Any] = field(default_factory=dict)
    given_back: dict[str, Any] = field(default_factory=dict)
    """Arguments beside the tensors, of forward and of backward."""
    kept: tuple[str, ...] = ()
    """What backward calls forward's results behind the output and its log-sum-exp."""


_COUNTS = ("cum_seq_q", "cum_seq_k", "max_q", "max_k", "philox_seed", "philox_offset")
_NO_BIAS: dict[str, Any] = {"attn_bias": None}
_ON_CUDA = {
    SDPBackend.FLASH_ATTENTION: _Kernel(
        aten._scaled_dot_product_flash_attention.default,
        aten._scaled_dot_product_flash_attention_backward.default,
        kept=_COUNTS,
    ),
    SDPBackend.EFFICIENT_ATTENTION: _Kernel(
        aten._scaled_dot_product_efficient_attention.default,
        aten._scaled_dot_product_efficient_attention_backward.default,
        gradient="grad_out_",
        given={"compute_log_sumexp": True, **_NO_BIAS},
        given_back={"grad_input_mask": [True, True, True, False], **_NO_BIAS},
        kept=("philox_seed", "philox_offset"),
    ),
    SDPBackend.CUDNN_ATTENTION: _Kernel(
        aten._scaled_dot_product_cudnn_attention.default,
        aten._scaled_dot_product_cudnn_attention_backward.default,
        given={"compute_log_sumexp": True, **_NO_BIAS},
        given_back=_NO_BIAS,
        kept=_COUNTS,
    ),
}
_ON_CPU = {
    SDPBackend.FLASH_ATTENTION: _Kernel(
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        aten._scaled_dot_product_flash_attention_for_cpu_backward.default,
    )
}


@dataclass(slots=True)
class RingAttention:
    """Causal attention of positions that are dealt out over a group, head and tail to each rank.

    Called as transformers calls its attentions, with queries, keys and values of this rank's
    positions, shaped (batch, heads, positions, head size); the result is shaped (batch, positions,
    heads, head size). Raises ``PlanError`` for an attention that is more than causal.
    """

    group: dist.ProcessGroup
    rotation: str
    on_cpu: bool
    calls: int = 0
    """How often it was called."""

    def __call__(
        self,
        module: nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        is_causal: bool | None = None,
        **given: Any,
    ) -> tuple[torch.Tensor, None]:
        """The attention of this rank's positions to all before them, and no weights."""
        self.calls += 1
        causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        window = given.get("sliding_window")
        whole = query.size(_LENGTH) * dist.get_world_size(self.group)
        for more, words in (
            (not causal or query.size(_LENGTH) != key.size(_LENGTH), "attends to later positions"),
            (attention_mask is not None, "has a mask of its own"),
            (dropout > 0, "drops out attention weights"),
            (window is not None and window < whole, f"sees {window} positions back only"),
            (given.get("softcap") is not None, "caps its scores"),
            (given.get("s_aux") is not None, "has sinks"),
            (given.get("position_bias") is not None, "adds a bias for positions"),
        ):
            if more:
                raise PlanError(
                    f"{type(module).__name__} {words}, and torch's ring attention is causal and no "
                    "more; choose sharding.context=1."
                )
        # under autocast values come from a product, while rotations widen queries and keys
        query, key = query.to(value.dtype), key.to(value.dtype)
        backend = _choice(query, key, value, scaling)
        if backend == SDPBackend.MATH and query.size(1) != key.size(1):
            times = query.size(1) // key.size(1)
            key, value = (part.repeat_interleave(times, dim=1) for part in (key, value))
            backend = _choice(query, key, value, scaling)
        kernel = (_ON_CPU if self.on_cpu else _ON_CUDA).get(backend)
        padded = backend == SDPBackend.FLASH_ATTENTION and query.size(-1) % _FLASH_WIDTHS
        if kernel is None or (padded and not self.on_cpu):
            raise PlanError(
                f"No fused kernel of the device takes {type(module).__name__}'s heads of "
                f"{query.size(-1)} in {str(query.dtype).removeprefix('torch.')}, and torch's ring "
                "attention needs one; choose sharding.context=1, or precision=bf16."
            )
        piece = query.size(_LENGTH) // 2
        if backend == SDPBackend.EFFICIENT_ATTENTION and piece % _EFFICIENT_PIECES:
            raise PlanError(
                "The memory-efficient kernel pads its statistics to "
                f"{_EFFICIENT_PIECES} positions, which torch's ring does not expect of pieces of "
                f"{piece}; choose a training.sequence_length that is a multiple of "
                f"{whole // piece * _EFFICIENT_PIECES}, or precision=bf16."
            )
        output: torch.Tensor = _Ring.apply(  # type: ignore[no-untyped-call]  # torch's own lack of types
            query, key, value, self, kernel, scaling
        )
        return output.transpose(1, 2).contiguous(), None


def _choice(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
) -> SDPBackend:
    """The kernel that torch's own call would take; a recording answers for its target."""
    grouped = query.size(1) != key.size(1)
    found = torch._fused_sdp_choice(
        query, key, value, None, 0.0, True, scale=scaling, enable_gqa=grouped
    )
    return SDPBackend(found)


class _Ring(torch.autograd.Function):
    """What DTensor's handlers for the kernels do, for any kernel."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        ring: RingAttention,
        kernel: _Kernel,
        scaling: float | None,
    ) -> torch.Tensor:
        with _set(ring.rotation):
            output, statistics, *rest = torch_ring._templated_ring_attention(
                ring.group, _LENGTH, kernel.forward, query, key, value,
                is_causal=True, dropout_p=0.0, scale=scaling, **kernel.given,
            )  # fmt: skip
        kept = dict(zip(kernel.kept, rest, strict=False))  # the last is for debugging
        ctx.numbers = {name: part for name, part in kept.items() if isinstance(part, int)}
        ctx.names = [name for name in kept if name not in ctx.numbers]
        ctx.save_for_backward(
            query, key, value, output, statistics, *(kept[name] for name in ctx.names)
        )
        ctx.ring, ctx.kernel, ctx.scaling = ring, kernel, scaling
        return output

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        query, key, value, output, statistics, *kept = ctx.saved_tensors
        with _set(ctx.ring.rotation):
            gradients = torch_ring._templated_ring_attention_backward(
                ctx.ring.group, _LENGTH, ctx.kernel.backward, gradient, ctx.kernel.gradient,
                query, key, value, output, statistics, is_causal=True,
                dropout_p=0.0, scale=ctx.scaling, **ctx.kernel.given_back, **ctx.numbers,
                **dict(zip(ctx.names, kept, strict=True)),
            )  # fmt: skip
        return *gradients[:3], None, None, None


@contextmanager
def _set(rotation: str) -> Iterator[None]:
    """Torch's ring asks variables of its module."""
    options = torch_ring._cp_options
    before = options.rotate_method, options.enable_load_balance
    options.rotate_method, options.enable_load_balance = _ROTATIONS[rotation], True
    try:
        yield
    finally:
        options.rotate_method, options.enable_load_balance = before
