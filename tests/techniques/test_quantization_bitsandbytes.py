"""Beside bitsandbytes, where it is installed: the same codes, the same scales, the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from memplanner.techniques.low_bit import codebooks
from memplanner.techniques.low_bit.bitsandbytes import expand_nf4
from memplanner.techniques.low_bit.encoding import encode
from memplanner.techniques.low_bit.expansion import expand_weight, tables
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import QuantizedLinear
from tests.techniques.formats import weights

SHAPES = ((48, 64), (256, 320), (1, 128), (512, 64))
"""Whole blocks a row: for others the CPU kernel of bitsandbytes 0.50 gives wrong weights."""


@pytest.fixture
def functional() -> Any:
    return pytest.importorskip("bitsandbytes.functional", reason="an optional requirement")


def test_the_dynamic_map_is_the_same(functional: Any) -> None:
    assert torch.equal(codebooks.dynamic_map(), functional.create_dynamic_map(signed=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_nf4_bit_for_bit(
    functional: Any, shape: tuple[int, int], dtype: torch.dtype, seed: int
) -> None:
    weight = weights(shape, seed, dtype)
    weight[0] = 0
    kept = Format("nf4")
    own = encode(weight, kept)
    codes, state = functional.quantize_4bit(weight, quant_type="nf4")
    assert torch.equal(own["codes"], codes.view(-1))
    assert torch.equal(own["scale"], state.absmax)
    back = expand_weight(own, tables(kept, weight.device), kept, shape, dtype)
    assert torch.equal(back, functional.dequantize_4bit(codes, state))


@pytest.mark.parametrize("shape", [(48, 64), (256, 320), (512, 64)])
def test_double_quantization_reads_bitsandbytes_scales(
    functional: Any, shape: tuple[int, int]
) -> None:
    """Its CPU kernel takes the farther level where two are equally near but for some 1e-5."""
    weight = weights(shape, 5)
    kept = Format("nf4", double_quantization=True)
    own = encode(weight, kept)
    codes, state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    assert torch.equal(own["codes"], codes.view(-1))
    assert torch.equal(own["scale_scale"], state.state2.absmax)
    assert torch.equal(own["scale_mean"], state.offset)
    scale = encode(weight, Format("nf4"))["scale"].double()
    each = own["scale_scale"].double().repeat_interleave(256)[: len(scale)]
    inside = (scale - own["scale_mean"]) / each
    distances = [
        (codebooks.dynamic_map()[found.long()] - inside).abs()
        for found in (own["scale_codes"], state.absmax)
    ]
    assert bool((distances[0] <= distances[1] + 1e-7).all())
    assert bool((distances[1] - distances[0] < 1e-4).all())
    assert float((own["scale_codes"] != state.absmax).float().mean()) < 0.02
    theirs = {**own, "scale_codes": state.absmax}
    back = expand_weight(theirs, tables(kept, weight.device), kept, shape, torch.float32)
    assert torch.equal(back, functional.dequantize_4bit(codes, state))


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.usefixtures("functional")
def test_its_kernels_expand_what_we_encoded(dtype: torch.dtype, double: bool) -> None:
    kept = Format("nf4", double_quantization=double)
    shape = (128, 192)
    own = encode(weights(shape, 6), kept)
    constants = tables(kept, torch.device("cpu"))
    theirs = expand_nf4(own, constants, kept, shape, dtype)
    assert torch.equal(theirs, expand_weight(own, constants, kept, shape, dtype))


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.usefixtures("functional")
def test_its_kernels_run_on_weightless_tensors(double: bool) -> None:
    kept = Format("nf4", double_quantization=double)
    layer = QuantizedLinear(torch.empty(128, 192, device="meta"), None, kept, use_bitsandbytes=True)
    given = torch.empty(3, 192, device="meta", requires_grad=True)
    output = layer(given)
    assert output.shape == (3, 128)
    output.sum().backward()
    assert given.grad is not None
    assert given.grad.shape == (3, 192)


def test_its_layer_computes_the_same(functional: Any) -> None:
    from bitsandbytes.nn import Linear4bit

    weight = weights((128, 192), 8)
    theirs = Linear4bit(192, 128, bias=False, quant_type="nf4", compress_statistics=False)
    theirs.load_state_dict({"weight": weight})
    theirs = theirs.to("cpu")
    own = QuantizedLinear(weight, None, Format("nf4"))
    given = torch.randn(5, 192, generator=torch.Generator().manual_seed(1))
    gradients = []
    for layer in (own, theirs):
        value = given.clone().requires_grad_(True)
        assert isinstance(layer, nn.Linear)
        layer(value).square().sum().backward()
        gradients.append(value.grad)
    assert torch.allclose(own(given), theirs(given), atol=1e-5)
    assert torch.allclose(*gradients, atol=1e-3)
