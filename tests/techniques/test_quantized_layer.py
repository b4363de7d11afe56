"""A linear layer in few bits: its product, its gradients, what it keeps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import QuantizedLinear
from tests.techniques.formats import weights

LINEAR = Format("linear")


def layer(kept: Format = LINEAR) -> QuantizedLinear:
    return QuantizedLinear(weights((24, 64), 7), nn.Parameter(torch.arange(24.0) / 24), kept)


FORMATS = (
    LINEAR,
    Format("linear", bits=8, granularity="channel", symmetric=True),
    Format("linear", bits=3, granularity="tensor"),
    Format("nf4", double_quantization=True),
    Format("companding", bits=2),
)


@pytest.mark.parametrize("kept", FORMATS, ids=str)
def test_forward_and_backward_are_those_of_the_expanded_weight(kept: Format) -> None:
    own = layer(kept)
    plain = nn.Linear(64, 24)
    plain.weight = nn.Parameter(own.weight, requires_grad=False)
    plain.bias = nn.Parameter(own.bias.detach().clone())
    results = []
    for each in (own, plain):
        given = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(1))
        given.requires_grad_(True)
        output = each(given)
        output.square().sum().backward()
        results.append((output.detach(), given.grad, each.bias.grad))
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-5)


def test_neither_input_nor_weight_is_kept_for_backward() -> None:
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda part: kept.append(part), lambda _: None):
        layer()(torch.randn(3, 64, requires_grad=True))
    assert kept == []


@pytest.mark.parametrize(
    ("given", "computed"), [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.float32)]
)
def test_products_in_another_type_come_back_in_the_inputs(
    given: torch.dtype, computed: torch.dtype
) -> None:
    own = QuantizedLinear(weights((24, 64), 7), None, Format("nf4"), compute_type=computed)
    value = torch.randn(3, 64, dtype=given, requires_grad=True)
    output = own(value)
    expected = (value.detach().to(computed) @ own.expanded(computed).t()).to(given)
    assert output.dtype is given
    assert torch.equal(output, expected)
    output.sum().backward()
    assert value.grad is not None
    assert value.grad.dtype is given


def test_four_bits_are_half_a_byte() -> None:
    own = layer(Format("nf4"))
    assert own.codes.numel() * 2 == 24 * 64
    assert sum(part.nbytes for part in own.parameters()) == 24 * 64 // 2 + 24 * 4 + 24 * 4
    assert own.weight.shape == (24, 64)
    assert "nf4, 4 bits" in repr(own)


def test_a_checkpoint_of_a_layer_brings_it_back() -> None:
    own, other = layer(Format("nf4")), layer(Format("nf4"))
    with torch.no_grad():
        other.codes.zero_()
    assert not torch.equal(own.weight, other.weight)
    other.load_state_dict(own.state_dict())
    assert torch.equal(own.weight, other.weight)
