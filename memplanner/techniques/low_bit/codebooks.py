"""The levels that codes stand for: NF4's, those of companding curves, and the dynamic map."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch

NF4_BLOCK = 64
"""Weights that share a scale (QLoRA, Dettmers et al. 2023, section 3; bitsandbytes' default)."""
DYNAMIC_BLOCK = 256
"""Numbers that share a scale in 8 bits (bitsandbytes/functional.py: ``quantize_blockwise``)."""

_NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
    -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""Quantiles of the normal distribution, scaled to ±1 (QLoRA, appendix E)."""


@cache
def nf4() -> torch.Tensor:
    """The 16 levels of NF4 in fp32, ascending."""
    return torch.tensor(_NF4, dtype=torch.float32)


@cache
def dynamic_map() -> torch.Tensor:
    """The 256 levels of signed dynamic 8 bits in fp32, ascending.

    Source: Dettmers 2016, arXiv:1511.04561; bitsandbytes/functional.py: ``create_dynamic_map``.
    """
    levels = [0.0, 1.0]
    for exponent in range(7):
        edges = torch.linspace(0.1, 1.0, 2**exponent + 1, dtype=torch.float32)
        means = (10.0 ** (exponent - 6)) * ((edges[:-1] + edges[1:]) / 2.0)
        levels += means.tolist() + (-means).tolist()
    return torch.tensor(sorted(levels), dtype=torch.float32)


def even_levels(bits: int, *, symmetric: bool) -> torch.Tensor:
    """What each code of ``bits`` stands for in steps, in fp32.

    Asymmetric: 0 to N − 1 from the lower limit up. Symmetric: −(N/2 − 1) to N/2 − 1; code 0,
    which would have no partner, stands for the lowest too.
    """
    codes = torch.arange(2**bits, dtype=torch.float32)
    if not symmetric:
        return codes
    half = 2 ** (bits - 1)
    levels: torch.Tensor = (codes - half).clamp(min=1 - half)
    return levels


Curve = Literal["mu_law", "sigmoid"]


def compress(values: torch.Tensor, curve: Curve, curvature: float) -> torch.Tensor:
    """The curve: ``values`` in [−1, 1] to [−1, 1], steep around zero.

    µ-law: sign(x) ln(1 + µ|x|) / ln(1 + µ) (ITU-T G.711). Sigmoid: the logistic curve
    2 σ(kx) − 1 = tanh(kx / 2), divided by its value at 1.
    """
    strength = torch.tensor(curvature, dtype=values.dtype)
    if curve == "mu_law":
        return values.sign() * torch.log1p(values.abs() * strength) / torch.log1p(strength)
    return torch.tanh(values * strength / 2) / torch.tanh(strength / 2)


def expand(values: torch.Tensor, curve: Curve, curvature: float) -> torch.Tensor:
    """The inverse of ``compress``."""
    strength = torch.tensor(curvature, dtype=values.dtype)
    if curve == "mu_law":
        return values.sign() * torch.expm1(values.abs() * torch.log1p(strength)) / strength
    return torch.atanh(values * torch.tanh(strength / 2)) * 2 / strength


def companded_levels(bits: int, curve: Curve, curvature: float) -> torch.Tensor:
    """What each code stands for: even levels behind the curve, in fp32, within [−1, 1]."""
    largest = 2 ** (bits - 1) - 1
    even = even_levels(bits, symmetric=True).double() / largest
    # the sigmoid of a steep curve saturates at ±1 even in fp64
    return expand(even, curve, curvature).nan_to_num(posinf=1, neginf=-1).clamp(-1, 1).float()
