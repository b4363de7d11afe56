"""Torch's operations in the field's words, for the tensors that a module keeps for backward."""

from __future__ import annotations

_WORDS = {
    "addmm": "linear",
    "baddbmm": "matmul",
    "bmm": "matmul",
    "clone": "copy",
    "constant_pad_nd": "padding",
    "convolution": "convolution",
    "div": "quotient",
    "embedding": "embedding",
    "empty_like": "new tensor",
    "ge": "mask",
    "gelu": "GELU",
    "linear": "linear",
    "max_pool2d_with_indices": "max pooling",
    "mean": "mean",
    "mm": "matmul",
    "mul": "product",
    "native_batch_norm": "batch norm",
    "native_dropout": "dropout",
    "native_group_norm": "group norm",
    "native_layer_norm": "layer norm",
    "new_zeros": "zeros",
    "nll_loss_forward": "loss",
    "pow": "power",
    "relu": "ReLU",
    "repeat": "copy, repeated",
    "rsqrt": "1 / square root",
    "sub": "difference",
    "silu": "SiLU",
}
_BEGINNINGS = (
    ("_scaled_dot_product", "attention"),
    ("_flash_attention", "attention"),
    ("_efficient_attention", "attention"),
    ("_fused_rms_norm", "RMS norm"),
    ("_log_softmax", "log-softmax"),
    ("_safe_softmax", "softmax"),
    ("_softmax", "softmax"),
    ("_thnn_fused_", ""),
    ("cudnn_", ""),
    ("miopen_", ""),
)


_DTYPES = {"float32": "fp32", "float64": "fp64", "bfloat16": "bf16", "float16": "fp16"}


def dtype_words(dtype: str) -> str:
    """A dtype as plans name it: ``bf16`` for ``bfloat16``."""
    return _DTYPES.get(dtype, dtype)


def operation_words(operation: str, dtype: str) -> str:
    """What made a tensor, as it is called in the field; torch's own name where there is no other.

    ``_scaled_dot_product_flash_attention`` is ``attention``.
    """
    if operation == "_to_copy":
        return f"cast to {dtype_words(dtype)}"
    if operation in _WORDS:
        return _WORDS[operation]
    for beginning, words in _BEGINNINGS:
        if operation.startswith(beginning):
            rest = operation.removeprefix(beginning)
            return words or _WORDS.get(rest, rest.replace("_", " "))
    return operation.strip("_").replace("_", " ") or operation
