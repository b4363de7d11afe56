"""Laws of the formats: what is stored, how near it comes, how much it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.techniques.low_bit import codebooks, expansion
from memplanner.techniques.low_bit.encoding import encode
from memplanner.techniques.low_bit.expansion import block_scales, expand_weight, tables
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.packing import ALIGNMENT, code_tables, pack, packed_bytes, read
from memplanner.techniques.low_bit.packing import unpack as unpacked
from tests.techniques.formats import (
    COMPANDED,
    FORMATS,
    LINEAR,
    SHAPES,
    by_weight,
    round_trip,
    weights,
)

FP32 = torch.float32
SEEDS = st.integers(0, 1000)
ROUNDING = 1e-5
"""Of fp32, for weights of magnitude one."""


@given(st.integers(1, 8), st.integers(1, 300), SEEDS)
def test_packing_loses_nothing_and_leaves_no_gaps(bits: int, count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 2**bits, (count,), generator=generator, dtype=torch.uint8)
    packed = pack(codes, bits)
    assert packed.dtype is torch.uint8
    assert packed.numel() == packed_bytes(count, bits)
    assert count * bits / 8 <= packed.numel() < count * bits / 8 + 3  # a byte begun in each plane
    assert torch.equal(unpacked(packed, bits, count), codes.int())


@given(st.integers(1, 8), st.integers(1, 20), st.integers(0, 20), st.integers(1, 7), SEEDS)
def test_a_stretch_of_codes_is_read_by_itself(
    bits: int, first: int, more: int, rest: int, seed: int
) -> None:
    start, stop = first * ALIGNMENT, (first + more) * ALIGNMENT + rest
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 2**bits, (stop + 5,), generator=generator, dtype=torch.uint8)
    packed = pack(codes, bits)
    part = read(packed, bits, len(codes), start, stop, code_tables(bits, packed.device))
    assert torch.equal(part[: stop - start], codes[start:stop].int())


@pytest.mark.parametrize("bits", [0, 9])
def test_codes_have_one_to_eight_bits(bits: int) -> None:
    with pytest.raises(ValueError, match="1 to 8 bits"):
        packed_bytes(4, bits)


@settings(deadline=None)
@given(FORMATS, SHAPES, SEEDS, st.sampled_from([torch.float32, torch.bfloat16]))
def test_what_is_kept_is_the_layout_to_the_byte(
    kept: Format, shape: tuple[int, int], seed: int, dtype: torch.dtype
) -> None:
    weight = weights(shape, seed, dtype)
    tensors, layout = encode(weight, kept), kept.layout(shape, dtype)
    assert list(tensors) == list(layout)
    assert {n: (tuple(t.shape), t.dtype) for n, t in tensors.items()} == layout
    stored = sum(tensor.untyped_storage().nbytes() for tensor in tensors.values())
    assert stored == kept.kept_bytes(shape, dtype)
    weightless = encode(weight.to("meta"), kept)
    assert {n: (t.shape, t.dtype) for n, t in weightless.items()} == {
        n: (t.shape, t.dtype) for n, t in tensors.items()
    }


@settings(deadline=None)
@given(LINEAR, SHAPES, SEEDS)
def test_linear_comes_back_within_half_a_step(
    kept: Format, shape: tuple[int, int], seed: int
) -> None:
    weight = weights(shape, seed)
    step = by_weight(encode(weight, kept)["scale"], kept, shape)
    error = (round_trip(weight, kept, FP32) - weight).abs()
    assert bool((error <= step / 2 + ROUNDING).all())


@settings(deadline=None)
@given(SHAPES, SEEDS, st.integers(2, 8))
def test_the_formula_of_minimum_and_maximum(shape: tuple[int, int], seed: int, bits: int) -> None:
    """q = round((x − min) / (max − min) · (N − 1)), for a whole tensor in double precision."""
    kept = Format("linear", bits=bits, granularity="tensor")
    weight = weights(shape, seed)
    low, high = float(weight.min()), float(weight.max())
    codes = unpacked(encode(weight, kept)["codes"], bits, weight.numel())
    if low == high:
        assert not codes.any()
        return
    exact = (weight.double() - low) / (high - low) * (2**bits - 1)
    assert bool(((codes.view(shape) - exact).abs() <= 0.5 + 1e-4).all())


@settings(deadline=None)
@given(FORMATS, SEEDS)
def test_a_larger_weight_of_a_block_never_comes_back_smaller(kept: Format, seed: int) -> None:
    weight = weights((1, 64), seed)[0].sort().values
    whole = replace(kept, group_size=64, granularity="group").block((1, 64))
    assert whole == 64
    back = round_trip(weight.view(1, 64), replace(kept, group_size=64, granularity="group"), FP32)
    assert bool((back[0].diff() >= 0).all())


@settings(deadline=None)
@given(FORMATS, SEEDS, st.integers(2, 6))
def test_blocks_know_nothing_of_each_other(kept: Format, seed: int, count: int) -> None:
    """But for double quantization, whose scales share a mean."""
    kept = replace(kept, granularity="group", group_size=64, double_quantization=False)
    together = torch.cat([weights((1, 64), seed + number) for number in range(count)])
    back = round_trip(together, kept, FP32)
    for number in range(count):
        assert torch.equal(back[number], round_trip(together[number : number + 1], kept, FP32)[0])


@settings(deadline=None)
@given(COMPANDED, SHAPES, SEEDS)
def test_companding_rounds_behind_its_curve(
    kept: Format, shape: tuple[int, int], seed: int
) -> None:
    weight = weights(shape, seed)
    scale = by_weight(encode(weight, kept)["scale"], kept, shape)
    inside = [
        codebooks.compress((each / scale).clamp(-1, 1).double(), kept.curve, kept.curvature)
        for each in (weight, round_trip(weight, kept, FP32))
    ]
    half_a_step = 0.5 / (2 ** (kept.bits - 1) - 1)
    assert bool(((inside[0] - inside[1]).abs() <= half_a_step + 1e-4).all())


@given(st.sampled_from(["mu_law", "sigmoid"]), st.floats(0.1, 10), st.floats(-1, 1))
def test_a_curve_and_its_inverse(curve: codebooks.Curve, curvature: float, value: float) -> None:
    values = torch.tensor([value, -1.0, 0.0, 1.0], dtype=torch.float64)
    there = codebooks.compress(values, curve, curvature)
    assert bool((there.abs() <= 1 + 1e-12).all())
    back = codebooks.expand(there, curve, curvature).clamp(-1, 1)
    assert torch.allclose(back, values, atol=1e-6)


@settings(deadline=None)
@given(st.integers(2, 5), st.booleans(), SEEDS)
def test_clipping_never_adds_to_the_squared_error(bits: int, symmetric: bool, seed: int) -> None:
    kept = Format("linear", bits=bits, symmetric=symmetric, group_size=32)
    weight = weights((12, 64), seed)

    def error(each: Format) -> torch.Tensor:
        return (round_trip(weight, each, FP32) - weight).square().view(-1, 32).sum(1)

    clipped, plain = error(replace(kept, clipping=True)), error(kept)
    assert bool((clipped <= plain + 1e-7).all())


def test_clipping_helps_where_an_outlier_widens_the_steps() -> None:
    weight = torch.randn(8, 256, generator=torch.Generator().manual_seed(1))
    kept = Format("linear", bits=2, symmetric=True, group_size=256)
    errors = [
        (round_trip(weight, each, FP32) - weight).square().mean().item()
        for each in (kept, replace(kept, clipping=True))
    ]
    assert errors[1] < errors[0] / 1.5


def test_more_bits_and_smaller_groups_come_nearer() -> None:
    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(2))

    def error(**changes: int) -> float:
        back = round_trip(weight, replace(Format("linear"), **changes), FP32)
        return float((back - weight).square().mean())

    by_bits = [error(bits=bits) for bits in range(2, 9)]
    assert by_bits == sorted(by_bits, reverse=True)
    by_group = [error(group_size=size) for size in (8, 16, 32, 64, 128, 256)]
    assert by_group == sorted(by_group)


def test_nf4_comes_nearer_to_normal_weights_than_even_symmetric_levels() -> None:
    weight = torch.randn(128, 256, generator=torch.Generator().manual_seed(3))
    errors = [
        float((round_trip(weight, kept, FP32) - weight).square().mean())
        for kept in (
            Format("nf4"),
            Format("nf4", double_quantization=True),
            Format("linear", symmetric=True),
        )
    ]
    assert errors[0] < errors[1] < errors[2]
    assert errors[1] == pytest.approx(errors[0], rel=0.01)


def test_double_quantization_saves_what_the_paper_says() -> None:
    """From 0.5 to 0.127 bits a weight (QLoRA, section 3), but for the one mean a matrix."""
    shape = (4096, 4096)
    plain, double = (
        Format("nf4", double_quantization=each).kept_bytes(shape, FP32) for each in (False, True)
    )
    weights_bytes = 4096 * 4096 // 2
    assert (plain - weights_bytes) * 8 / 4096**2 == 0.5
    assert (double - 4 - weights_bytes) * 8 / 4096**2 == pytest.approx(0.127, abs=0.0005)


@settings(deadline=None, max_examples=40)
@given(FORMATS, st.tuples(st.integers(5, 40), st.integers(9, 70)), SEEDS)
def test_chunks_change_nothing(kept: Format, shape: tuple[int, int], seed: int) -> None:
    weight = weights(shape, seed)
    whole = round_trip(weight, kept, FP32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expansion, "EXPANDED_AT_ONCE", 1)
        assert torch.equal(round_trip(weight, kept, FP32), whole)
        patch.setattr("memplanner.techniques.low_bit.encoding.ENCODED_AT_ONCE", 1)
        assert torch.equal(round_trip(weight, kept, FP32), whole)


@settings(deadline=None, max_examples=40)
@given(FORMATS, SHAPES, SEEDS)
def test_half_precision_is_the_full_result_rounded_once(
    kept: Format, shape: tuple[int, int], seed: int
) -> None:
    weight = weights(shape, seed)
    full = round_trip(weight, kept, FP32)
    assert torch.equal(round_trip(weight, kept, torch.bfloat16), full.bfloat16())


@pytest.mark.parametrize("double", [False, True])
def test_zeros_come_back_as_zeros_in_nf4(double: bool) -> None:
    kept = Format("nf4", double_quantization=double)
    back = round_trip(torch.zeros(8, 64), kept, FP32)
    assert not back.any()


# What bitsandbytes 0.50.2 makes of 128 such weights (functional.py: quantize_4bit).
_PATTERN = [((number * 37) % 101 - 50) / (64 if number < 64 else 90) for number in range(128)]
_CODES = (
    "04c16e29f3b05d17e29f3c05d18e2af4c16e18e3b05d17e29f3b05d18e2af4c1"
    "6d18e3b04c17e29f3b05d17e2af4c06d18e2a04c16e29f3b05d17e29f3c05d18"
)
_SCALES = [0.78125, 0.5555555820465088]


def test_nf4_is_bitsandbytes_bit_for_bit() -> None:
    weight = torch.tensor(_PATTERN).view(2, 64)
    kept = Format("nf4")
    tensors = encode(weight, kept)
    assert bytes(tensors["codes"].tolist()).hex() == _CODES
    assert tensors["scale"].tolist() == _SCALES
    level = torch.tensor([int(digit, 16) for digit in _CODES])
    expected = codebooks.nf4()[level].view(2, 64) * tensors["scale"].unsqueeze(1)
    assert torch.equal(round_trip(weight, kept, FP32), expected)


def test_double_quantized_scales_are_the_nearest_there_are() -> None:
    weight = weights((64, 320), 4)
    scale = encode(weight, Format("nf4"))["scale"]
    double = encode(weight, Format("nf4", double_quantization=True))
    rest = (scale - double["scale_mean"]) / double["scale_scale"].repeat_interleave(256)[:320]
    distance = (rest.unsqueeze(1) - codebooks.dynamic_map()).abs()
    chosen = distance.gather(1, double["scale_codes"].long().unsqueeze(1)).squeeze(1)
    assert bool((chosen <= distance.min(1).values + 1e-7).all())
    back = block_scales(double, tables(Format("nf4", double_quantization=True), weight.device))
    assert bool(((back - scale).abs() <= scale.abs() / 20 + 1e-3).all())


def test_weightless_weights_expand_to_weightless_ones() -> None:
    for kept in (Format("linear", bits=3), Format("nf4", double_quantization=True)):
        meta = torch.device("meta")
        back = expand_weight(
            encode(torch.empty(24, 64, device=meta), kept),
            tables(kept, meta), kept, (24, 64), torch.bfloat16,
        )  # fmt: skip
        assert (back.device, back.shape, back.dtype) == (meta, (24, 64), torch.bfloat16)
