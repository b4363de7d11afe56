"""Formats and weights of every kind, for property tests."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from memplanner.techniques.low_bit.encoding import encode
from memplanner.techniques.low_bit.expansion import expand_weight, tables
from memplanner.techniques.low_bit.formats import Format

LINEAR = st.builds(
    Format,
    method=st.just("linear"),
    bits=st.integers(2, 8),
    granularity=st.sampled_from(["group", "channel", "tensor"]),
    group_size=st.sampled_from([8, 24, 32, 64]),
    symmetric=st.booleans(),
    clipping=st.just(False),
)
COMPANDED = st.builds(
    Format,
    method=st.just("companding"),
    bits=st.integers(2, 8),
    granularity=st.sampled_from(["group", "channel", "tensor"]),
    group_size=st.sampled_from([8, 24, 32, 64]),
    symmetric=st.just(True),
    curve=st.sampled_from(["mu_law", "sigmoid"]),
    curvature=st.floats(0.1, 10),
)
NF4 = st.builds(Format, method=st.just("nf4"), bits=st.just(4), double_quantization=st.booleans())
FORMATS = st.one_of(LINEAR, COMPANDED, NF4)
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 70))


def weights(shape: tuple[int, int], seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Normally distributed, some rows far from zero, one of them constant."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator) * 0.05
    values[:: max(shape[0] // 3, 1)] += 1.0
    values[-1] = 0.25
    return values.to(dtype)


def round_trip(weight: torch.Tensor, kept: Format, dtype: torch.dtype) -> torch.Tensor:
    """The weight encoded and expanded again."""
    shape = (weight.shape[0], weight.shape[1])
    return expand_weight(encode(weight, kept), tables(kept, weight.device), kept, shape, dtype)


def by_weight(each: torch.Tensor, kept: Format, shape: tuple[int, int]) -> torch.Tensor:
    """A number a block, repeated for every weight of it."""
    count = shape[0] * shape[1]
    return each.float().repeat_interleave(kept.block(shape))[:count].view(shape)
