"""Scaled dot-product attention as the target device would compute it.

On meta tensors torch takes the unfused path. These are torch's own selection rules
(``aten/src/ATen/native/transformers/sdp_utils_cpp.cpp`` and ``cuda/sdp_utils.cpp``), leading to
the operation that the device would call; all of them run on meta tensors with autograd.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch.nn.attention import SDPBackend

from memplanner.techniques.target import Target

aten = torch.ops.aten
_HALVES = frozenset({torch.float16, torch.bfloat16})
_BACKENDS = {
    "math": SDPBackend.MATH,
    "flash": SDPBackend.FLASH_ATTENTION,
    "flash_for_cpu": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
}
"""Torch's names for the kernels."""
_BIAS_ALIGNMENT = 8
"""Elements (``mem_eff_alignment``)."""


def attend(
    target: Target,
    kernel: str,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """``F.scaled_dot_product_attention`` through the target's kernel; same arguments and result."""
    chosen = choose(
        target, kernel, query, key, value, attn_mask, dropout_p, enable_gqa, is_causal
    )  # fmt: skip
    if chosen == "math":
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
    bias = additive(attn_mask, query.dtype)
    output: Any
    if chosen == "flash_for_cpu":
        output = aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, dropout_p, is_causal, attn_mask=bias, scale=scale
        )
    elif chosen == "flash":
        width = query.size(-1)
        padded = [_pad(part, 8) for part in (query, key, value)]
        output = aten._scaled_dot_product_flash_attention(
            *padded, dropout_p, is_causal, False, scale=_scale(scale, width)
        )
        attended: torch.Tensor = output[0]
        return attended[..., :width] if attended.size(-1) != width else attended
    elif chosen == "cudnn":
        output = aten._scaled_dot_product_cudnn_attention(
            query, key, value, bias, _wants_grad(query, key, value), dropout_p, is_causal,
            False, scale=scale,
        )  # fmt: skip
    else:
        output = aten._scaled_dot_product_efficient_attention(
            query, key, value, _aligned(bias, query, key), _wants_grad(query, key, value),
            dropout_p, is_causal, scale=scale,
        )  # fmt: skip
    result: torch.Tensor = output[0]
    return result


def choose(
    target: Target,
    kernel: str,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
    dropout_p: float = 0.0,
    enable_gqa: bool = False,
    is_causal: bool = False,
) -> str:
    """``flash_for_cpu``, ``flash``, ``efficient``, ``cudnn`` or ``math``."""
    if kernel in {"math", "eager"} or not _fusable(query, key, value, enable_gqa):
        return "math"
    if target.kind == "cpu":
        return "flash_for_cpu" if _cpu_flash(query, key, value, attn_mask, dropout_p) else "math"
    usable = {
        "flash": _cuda_flash(target, query, key, value, attn_mask)
        and not (is_causal and query.size(2) != key.size(2))
        and _trains_with_flash(target, query, key, value, dropout_p),
        "efficient": _cuda_efficient(target, query, key, value, attn_mask, enable_gqa)
        and _rows_are_dense(attn_mask),
        "cudnn": _cudnn(target, query, key, value, dropout_p)
        and _mask_fits(query, key, attn_mask)
        and _rows_are_dense(attn_mask),
    }
    order = _order(target) if kernel == "auto" else (kernel,)
    return next((name for name in order if usable[name]), "math")


def choice(
    target: Target,
    kernel: str,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> int:
    """``torch._fused_sdp_choice`` as the target would answer; same arguments and result."""
    chosen = choose(
        target, kernel, query, key, value, attn_mask, dropout_p, enable_gqa, is_causal
    )  # fmt: skip
    return _BACKENDS[chosen].value


def _order(target: Target) -> tuple[str, ...]:
    """What torch tries first: cuDNN's on Hopper and Blackwell (with cuDNN 9.15.1 or later)."""
    fused = ("flash", "efficient")
    return ("cudnn", *fused) if target.capability[0] in (9, 10) else fused


def _fusable(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, enable_gqa: bool) -> bool:
    parts = (query, key, value)
    return (
        all(part.dim() == 4 for part in parts)
        and query.dtype == key.dtype == value.dtype
        and query.size(0) == key.size(0) == value.size(0)
        and key.size(1) == value.size(1)
        and (query.size(1) % key.size(1) == 0 if enable_gqa else query.size(1) == key.size(1))
        and all(part.stride(-1) == 1 for part in parts)
        and query.size(2) > 0
        and key.size(2) > 0
    )


def _cpu_flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
    dropout_p: float,
) -> bool:
    return (
        dropout_p == 0.0
        and query.size(-1) == key.size(-1) == value.size(-1)
        and _mask_fits(query, key, attn_mask)
    )


def _mask_fits(query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None) -> bool:
    """Torch's ``check_attn_mask_shape``: no gradient, and each size is whole or 1."""
    if mask is None:
        return True
    whole = (query.size(0), query.size(1), query.size(2), key.size(2))[-mask.dim() :]
    return (
        mask.dim() in {2, 4}
        and not mask.requires_grad
        and all(size in (1, full) for size, full in zip(mask.shape, whole, strict=True))
    )


def _cuda_flash(
    target: Target,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
) -> bool:
    return (
        target.capability >= (8, 0)
        and query.dtype in _HALVES
        and attn_mask is None
        and query.size(-1) == key.size(-1) == value.size(-1)
        and query.size(-1) <= 256
    )


def _rows_are_dense(mask: torch.Tensor | None) -> bool:
    """Torch's ``check_last_dim_stride_equals_1_dense``, of a mask."""
    return mask is None or mask.stride(-1) == 1


def _trains_with_flash(
    target: Target,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout_p: float,
) -> bool:
    """Flash has no backward for some widths on consumer cards."""
    consumer = (8, 6) <= target.capability <= (8, 9) or target.capability >= (12, 0)
    if not consumer or not _wants_grad(query, key, value):
        return True
    width = query.size(-1)
    return width <= 192 or (width > 224 and dropout_p == 0.0)


def _cudnn(
    target: Target,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    dropout_p: float,
) -> bool:
    widths = (query.size(-1), value.size(-1))
    widest = 256 if target.capability == (9, 0) else 128
    latent = target.capability[0] == 10 and widths == (192, 128)  # as DeepSeek's attention has
    return (
        target.capability >= (8, 0)
        and query.dtype in _HALVES
        and (latent or all(width <= widest and width % 8 == 0 for width in widths))
        and (dropout_p * 16).is_integer()
        and key.size(2) != 1
        and not (dropout_p and query.size(2) == 1)
    )


def _cuda_efficient(
    target: Target,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
    enable_gqa: bool,
) -> bool:
    half = query.dtype in _HALVES
    alignment = 8 if half else 4 if target.capability >= (8, 0) else 1
    if half and target.capability < (7, 0):
        alignment = 1
    return (
        target.capability >= (5, 0)
        and (half or query.dtype is torch.float32)
        and not (enable_gqa and query.size(1) != key.size(1))
        and query.size(-1) == key.size(-1)
        and query.size(-1) % alignment == 0
        and value.size(-1) % alignment == 0
        and (query.dtype is not torch.bfloat16 or target.capability >= (8, 0))
        and (attn_mask is None or attn_mask.dim() in {2, 4})
    )


def additive(mask: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
    """The mask as torch hands it to a kernel: booleans become 0 and −∞ (a new tensor)."""
    if mask is None or mask.dtype is not torch.bool:
        return mask
    low = torch.scalar_tensor(float("-inf"), dtype=dtype, device=mask.device)
    zero = torch.scalar_tensor(0.0, dtype=dtype, device=mask.device)
    return torch.where(mask, zero, low)


def _wants_grad(*parts: torch.Tensor) -> bool:
    return torch.is_grad_enabled() and any(part.requires_grad for part in parts)


def _scale(scale: float | None, width: int) -> float:
    return width**-0.5 if scale is None else scale


def _pad(part: torch.Tensor, multiple: int) -> torch.Tensor:
    missing = -part.size(-1) % multiple
    return F.pad(part, (0, missing)) if missing else part


def _aligned(
    bias: torch.Tensor | None, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor | None:
    """The bias expanded to every head, its rows padded where they do not begin at multiples of 8.

    As ``preprocess_mask`` and ``pad_bias`` do it (``native/transformers/attention.cpp``).
    """
    if bias is None:
        return None
    strides = bias.stride()
    if strides[-1] != 1 or any(stride % _BIAS_ALIGNMENT for stride in strides[:-1]):
        more = _BIAS_ALIGNMENT - bias.size(-1) % _BIAS_ALIGNMENT
        bias = F.pad(bias, (0, more))[..., : bias.size(-1)]
    return bias.expand(query.size(0), query.size(1), query.size(2), key.size(2))
