"""Autocast for meta tensors, which have no autocast key of their own.

The lists are torch's (``aten/src/ATen/autocast_mode.h``), by the names of the functions that reach
a function mode.
"""

from __future__ import annotations

from typing import Any

import torch

from memplanner.techniques.target import Target

_HALVES = frozenset({torch.float16, torch.bfloat16})

_LOWER_EVERYWHERE = frozenset(
    """conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d conv_tbc bmm mm
    baddbmm addmm addbmm linear matmul __matmul__ __rmatmul__ scaled_dot_product_attention
    _convolution linalg_vecdot linalg_matmul linalg_multi_dot chain_matmul einsum prelu
    """.split()
)
_LOWER_CPU = frozenset("tensordot inner".split())
"""On no list, but made of products, which are; as are einsum and chains of products."""
_LOWER_CUDA = frozenset("addmv addr mv lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell".split())
_FULL_EVERYWHERE = frozenset(
    """binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy ctc_loss
    hinge_embedding_loss huber_loss kl_div l1_loss margin_ranking_loss mse_loss
    multi_margin_loss multilabel_margin_loss nll_loss poisson_nll_loss smooth_l1_loss
    soft_margin_loss triplet_margin_loss cdist""".split()
)
_FULL_CPU = frozenset(
    "avg_pool3d binary_cross_entropy grid_sample polar prod quantile nanquantile stft trace".split()
)
_FULL_CUDA = frozenset(
    """__pow__ __rdiv__ __rpow__ __rtruediv__ acos asin cosh cosine_similarity cumprod cumsum dist
    erfinv exp expm1 frobenius_norm nuclear_norm group_norm layer_norm log log10 log1p log2
    log_softmax logsumexp normalize pdist pow reciprocal renorm rms_norm rsqrt sinh softmax softmin
    softplus tan
    upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d
    _upsample_bilinear2d_aa upsample_trilinear3d upsample_bicubic2d
    _upsample_bicubic2d_aa""".split()
)
_TYPED_CUDA = frozenset("sum prod norm linalg_vector_norm linalg_matrix_norm".split())
"""These compute in fp32 by their argument ``dtype``; their input is not copied."""
_PROMOTE_CPU = frozenset("cat stack concat concatenate index_copy".split())
_PROMOTE_CUDA = frozenset(
    """addcdiv addcmul atan2 bilinear cross dot vdot grid_sampler grid_sample index_put scatter_add
    tensordot""".split()
)


class Autocast:
    """The casts of one forward: which functions cast, and the weights cast so far."""

    def __init__(self, target: Target, dtype: torch.dtype) -> None:
        self.dtype = dtype
        cuda = target.kind != "cpu"
        self.lower = _LOWER_EVERYWHERE | (_LOWER_CUDA if cuda else _LOWER_CPU)
        self.full = _FULL_EVERYWHERE | (_FULL_CUDA if cuda else _FULL_CPU)
        self.typed = _TYPED_CUDA if cuda else frozenset()
        self.promote = _PROMOTE_CUDA if cuda else _PROMOTE_CPU
        self._weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def casts(self, name: str) -> bool:
        """Whether a function of this name is on one of the lists."""
        lists = (self.lower, self.full, self.typed, self.promote)
        return any(name in names for names in lists)

    def arguments(self, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments of a function called ``name``, cast as autocast casts them."""
        if name in self.lower:
            return self._cast_all(args, kwargs, self.dtype)
        if name in self.full:
            return self._cast_all(args, kwargs, torch.float32)
        if name in self.typed:
            return args, self._with_type(args, kwargs)
        if name in self.promote:
            widest = self._widest(args)
            if widest is not None:
                return self._cast_all(args, kwargs, widest)
        return args, kwargs

    @staticmethod
    def _with_type(args: Any, kwargs: Any) -> Any:
        """``kwargs`` with fp32 as the type of the result, unless one is given."""
        narrow = any(part.dtype in _HALVES for part in _tensors(args))
        given = kwargs.get("dtype") is not None or any(
            isinstance(part, torch.dtype) for part in args
        )
        return {**kwargs, "dtype": torch.float32} if narrow and not given else kwargs

    def forget(self) -> None:
        """The forward ended: drops the cached casts of weights."""
        self._weights.clear()

    def _cast_all(self, args: Any, kwargs: Any, dtype: torch.dtype) -> tuple[Any, Any]:
        """The last argument first: so torch's own builds, by GCC, evaluate the casts."""
        named = {name: self._cast(part, dtype) for name, part in reversed(kwargs.items())}
        placed = [self._cast(part, dtype) for part in reversed(args)]
        return tuple(reversed(placed)), named

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if isinstance(value, torch.Tensor):
            return self._cast_tensor(value, dtype)
        if isinstance(value, dict):
            return {key: self._cast(part, dtype) for key, part in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self._cast(part, dtype) for part in value)
        return value

    def _cast_tensor(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if not tensor.is_floating_point() or tensor.dtype is dtype or tensor.dtype is torch.float64:
            return tensor
        cacheable = (
            dtype is self.dtype
            and tensor.dtype is torch.float32
            and tensor.requires_grad
            and tensor.is_leaf
            and not tensor._is_view()
        )
        if not cacheable:
            return tensor.to(dtype)
        known = self._weights.get(id(tensor))
        if known is None:
            known = self._weights[id(tensor)] = (tensor, tensor.to(dtype))
        return known[1]

    def _widest(self, args: Any) -> torch.dtype | None:
        kinds = {part.dtype for part in _tensors(args) if part.is_floating_point()}
        if len(kinds) < 2:
            return None
        return torch.float32 if torch.float32 in kinds else None


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for part in value for tensor in _tensors(part)]
    return []
