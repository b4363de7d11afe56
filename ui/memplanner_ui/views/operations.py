"""Torch's operations in the field's words, for the tensors that a module keeps for backward."""

from __future__ import annotations

from memplanner_ui.language import translatable, translate

_WORDS = {
    "addmm": translatable("Views", "linear"),
    "baddbmm": translatable("Views", "matmul"),
    "bmm": translatable("Views", "matmul"),
    "clone": translatable("Views", "copy"),
    "constant_pad_nd": translatable("Views", "padding"),
    "convolution": translatable("Views", "convolution"),
    "div": translatable("Views", "quotient"),
    "embedding": translatable("Views", "embedding"),
    "empty_like": translatable("Views", "new tensor"),
    "ge": translatable("Views", "mask"),
    "gelu": translatable("Views", "GELU"),
    "linear": translatable("Views", "linear"),
    "max_pool2d_with_indices": translatable("Views", "max pooling"),
    "mean": translatable("Views", "mean"),
    "mm": translatable("Views", "matmul"),
    "mul": translatable("Views", "product"),
    "native_batch_norm": translatable("Views", "batch norm"),
    "native_dropout": translatable("Views", "dropout"),
    "native_group_norm": translatable("Views", "group norm"),
    "native_layer_norm": translatable("Views", "layer norm"),
    "new_zeros": translatable("Views", "zeros"),
    "nll_loss_forward": translatable("Views", "loss"),
    "pow": translatable("Views", "power"),
    "relu": translatable("Views", "ReLU"),
    "repeat": translatable("Views", "copy, repeated"),
    "rsqrt": translatable("Views", "1 / square root"),
    "sub": translatable("Views", "difference"),
    "silu": translatable("Views", "SiLU"),
}
_BEGINNINGS = (
    ("_scaled_dot_product", translatable("Views", "attention")),
    ("_flash_attention", translatable("Views", "attention")),
    ("_efficient_attention", translatable("Views", "attention")),
    ("_fused_rms_norm", translatable("Views", translatable("Views", "RMS norm"))),
    ("_log_softmax", translatable("Views", "log-softmax")),
    ("_safe_softmax", translatable("Views", "softmax")),
    ("_softmax", translatable("Views", "softmax")),
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
        return translate("Views", "cast to {dtype}").format(dtype=dtype_words(dtype))
    if operation in _WORDS:
        return translate("Views", _WORDS[operation])
    for beginning, words in _BEGINNINGS:
        if operation.startswith(beginning):
            rest = operation.removeprefix(beginning)
            words = words or _WORDS.get(rest, "")
            return translate("Views", words) if words else rest.replace("_", " ")
    return operation.strip("_").replace("_", " ") or operation
