"""Which kernel computes attention: by torch's own rules, and to torch's own results."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from memplanner.tape.attention import attend, choose
from memplanner.techniques.target import Target

CPU = Target()
HALF, FULL = torch.bfloat16, torch.float32


class Operations(TorchDispatchMode):
    """The names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def ran_on_the_cpu(*parts: torch.Tensor, **options: Any) -> str:
    """What torch's own call takes on real tensors: ``flash_for_cpu``, ``math`` or ``error``."""
    with Operations() as operations:
        try:
            F.scaled_dot_product_attention(*parts, **options)
        except RuntimeError:
            return "error"
    fused = "_scaled_dot_product_flash_attention_for_cpu" in operations.names
    return "flash_for_cpu" if fused else "math"


def recorded(
    target: Target, *parts: torch.Tensor, kernel: str = "auto", **options: Any
) -> tuple[str, torch.Tensor | None]:
    with Operations() as operations:
        try:
            result = attend(target, kernel, *(part.to("meta") for part in parts), **options)
        except RuntimeError:
            return "error", None
    fused = [name for name in operations.names if name in FUSED]
    return (FUSED[fused[0]] if fused else "math"), result


FUSED = {
    "_scaled_dot_product_flash_attention_for_cpu": "flash_for_cpu",
    "_scaled_dot_product_flash_attention": "flash",
    "_scaled_dot_product_efficient_attention": "efficient",
    "_scaled_dot_product_cudnn_attention": "cudnn",
}

heads = st.sampled_from([(2, 2), (4, 2), (4, 1), (2, 4), (3, 2)])
masks = st.sampled_from(["none", "2d", "4d", "4d broadcast", "bool", "3d", "trained", "wrong"])


@settings(max_examples=300, deadline=None)
@given(
    heads=heads, length=st.sampled_from([(5, 5), (3, 5)]), width=st.sampled_from([(8, 8), (8, 4)]),
    mask=masks, dropout=st.sampled_from([0.0, 0.25]), causal=st.booleans(), grouped=st.booleans(),
    kind=st.sampled_from([FULL, HALF, torch.float64]), last_stride=st.booleans(),
    dimensions=st.sampled_from([4, 3]), trained=st.booleans(),
)  # fmt: skip
def test_on_the_cpu_the_kernel_is_the_one_torch_takes(
    heads: tuple[int, int], length: tuple[int, int], width: tuple[int, int], mask: str,
    dropout: float, causal: bool, grouped: bool, kind: torch.dtype, last_stride: bool,
    dimensions: int, trained: bool,
) -> None:  # fmt: skip
    query = torch.zeros(2, heads[0], length[0], width[0], dtype=kind, requires_grad=trained)
    key = torch.zeros(2, heads[1], length[1], width[0], dtype=kind)
    value = torch.zeros(2, heads[1], length[1], width[1], dtype=kind)
    if last_stride:
        key = torch.zeros(2, heads[1], width[0], length[1], dtype=kind).transpose(-1, -2)
    parts = [query, key, value]
    if dimensions == 3:
        parts = [part[:, 0] for part in parts]
    bias = {
        "none": None,
        "2d": torch.zeros(length, dtype=kind),
        "4d": torch.zeros(2, heads[0], *length, dtype=kind),
        "4d broadcast": torch.zeros(2, 1, 1, length[1], dtype=kind),
        "bool": torch.ones(2, 1, *length, dtype=torch.bool),
        "3d": torch.zeros(1, *length, dtype=kind),
        "trained": torch.zeros(length, dtype=kind, requires_grad=True),
        "wrong": torch.zeros(length[0], length[1] + 1, dtype=kind),
    }[mask]
    options = {
        "attn_mask": bias, "dropout_p": dropout, "is_causal": causal, "enable_gqa": grouped
    }  # fmt: skip
    # Masks with more dimensions are added in place, unless a mode watches: then they may broadcast.
    assume(dimensions == 4 or mask in {"none", "2d"})
    real = ran_on_the_cpu(*parts, **options)
    weightless = options | {"attn_mask": None if bias is None else bias.to("meta")}
    if mask == "trained" and bias is not None:
        weightless["attn_mask"] = torch.zeros(length, dtype=kind, device="meta", requires_grad=True)

    chosen, result = recorded(CPU, *parts, **weightless)

    assert chosen == real
    if result is not None:
        assert result.shape == F.scaled_dot_product_attention(*parts, **options).shape


def shaped(
    kind: torch.dtype = HALF, width: int = 64, heads: int = 4, key_heads: int | None = None,
    length: int = 16, key_length: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:  # fmt: skip
    key_shape = (2, key_heads or heads, key_length or length, width)
    query = torch.zeros(2, heads, length, width, dtype=kind, device="meta", requires_grad=True)
    return query, *(torch.zeros(key_shape, dtype=kind, device="meta") for _ in range(2))


A100, H100, T4, V100 = (
    Target("cuda", capability) for capability in ((8, 0), (9, 0), (7, 5), (7, 0))
)
RTX_4090, B200 = Target("cuda", (8, 9)), Target("cuda", (10, 0))
MASK = torch.zeros(16, 16, dtype=HALF, device="meta")
SPREAD_MASK = torch.zeros(16, 1, dtype=HALF, device="meta").expand(16, 16)
"""Its rows do not lie densely: the last stride is 0."""
TRAINED_MASK = torch.zeros(16, 16, dtype=HALF, device="meta", requires_grad=True)

CUDA_CASES: list[tuple[str, Target, str, dict[str, Any], dict[str, Any], str]] = [
    ("half precision on Ampere", A100, "auto", {}, {}, "flash"),
    ("cuDNN comes first on Hopper", H100, "auto", {}, {}, "cudnn"),
    ("and on Blackwell", B200, "auto", {}, {}, "cudnn"),
    ("wide heads are cuDNN's on Hopper", H100, "auto", {"width": 256}, {}, "cudnn"),
    ("but not on Blackwell", B200, "auto", {"width": 256}, {}, "flash"),
    ("fp32 is not flash", H100, "auto", {"kind": FULL}, {}, "efficient"),
    ("a mask is not flash", A100, "auto", {}, {"attn_mask": MASK}, "efficient"),
    ("a mask is cuDNN's on Hopper", H100, "auto", {}, {"attn_mask": MASK}, "cudnn"),
    ("a mask without dense rows is nobody's", H100, "auto", {}, {"attn_mask": SPREAD_MASK}, "math"),
    ("a trained mask is neither's", H100, "auto", {}, {"attn_mask": TRAINED_MASK}, "efficient"),
    ("heads over 256 wide", A100, "auto", {"width": 264}, {}, "efficient"),
    ("heads that are not aligned", A100, "auto", {"width": 60, "kind": FULL}, {}, "efficient"),
    ("nor at all", A100, "auto", {"width": 63, "kind": FULL}, {}, "math"),
    ("flash pads", A100, "auto", {"width": 60}, {}, "flash"),
    ("fp16 on Turing", T4, "auto", {"kind": torch.float16}, {}, "efficient"),
    ("bf16 before Ampere", V100, "auto", {}, {}, "math"),
    ("double precision", A100, "auto", {"kind": torch.float64}, {}, "math"),
    ("grouped queries", A100, "auto", {"key_heads": 2}, {"enable_gqa": True}, "flash"),
    ("causal and not square", A100, "auto", {"key_length": 32}, {"is_causal": True}, "efficient"),
    ("not square", A100, "auto", {"key_length": 32}, {}, "flash"),
    ("wide heads train not on Ada", RTX_4090, "auto", {"width": 200}, {}, "efficient"),
    ("asked for math", A100, "math", {}, {}, "math"),
    ("asked for eager", A100, "eager", {}, {}, "math"),
    ("asked for efficient", A100, "efficient", {}, {}, "efficient"),
    ("asked for cuDNN", A100, "cudnn", {}, {}, "cudnn"),
    ("asked for flash with fp32", A100, "flash", {"kind": FULL}, {}, "math"),
    ("cuDNN with dropout of a tenth", H100, "auto", {}, {"dropout_p": 0.1}, "flash"),
    ("cuDNN with dropout of an eighth", H100, "auto", {}, {"dropout_p": 0.125}, "cudnn"),
]


@pytest.mark.parametrize(
    ("target", "kernel", "shape", "options", "expected"),
    [pytest.param(*case[1:], id=case[0]) for case in CUDA_CASES],
)
def test_on_cuda_the_kernel_follows_torchs_rules(
    target: Target, kernel: str, shape: dict[str, Any], options: dict[str, Any], expected: str
) -> None:
    parts = shaped(**shape)
    chosen, result = recorded(target, *parts, kernel=kernel, **options)
    assert chosen == expected
    assert result is not None
    assert result.shape == (*parts[0].shape[:-1], parts[2].size(-1))
    assert result.dtype is parts[0].dtype


def test_every_kernel_has_a_backward_on_meta() -> None:
    for target, kernel in (
        (CPU, "auto"), (A100, "flash"), (A100, "efficient"), (A100, "cudnn"), (A100, "math"),
    ):  # fmt: skip
        query, key, value = shaped()
        _, result = recorded(target, query, key, value, kernel=kernel)
        assert result is not None
        result.sum().backward()
        assert query.grad is not None
        assert query.grad.shape == query.shape


def test_only_known_names_are_chosen() -> None:
    query, key, value = shaped()
    for target in (CPU, A100, H100, T4):
        for kernel in ("auto", "eager", "math", "flash", "efficient", "cudnn"):
            assert choose(target, kernel, query, key, value, None, 0.0, False) in {
                "math", *FUSED.values()
            }  # fmt: skip
