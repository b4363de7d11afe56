"""Rounded weights in training, and dynamic int8: numerics, gradients, conversion, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from memplanner.errors import PlanError
from memplanner.estimate import estimate
from memplanner.techniques.low_bit.aware import RoundedLinear
from memplanner.techniques.low_bit.dynamic import FEWEST_ROWS_CUDA, DynamicInt8Linear
from memplanner.techniques.low_bit.float8 import Float8Linear
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import QuantizedLinear
from memplanner.techniques.low_bit.rounding import round_rows, round_weight
from memplanner.techniques.prepare import check, prepare
from memplanner.techniques.quantization import convert_trained, layers_of_multiple
from memplanner.techniques.target import Target
from tests.estimate.recordings import CPU, H100, META, planned, tiny
from tests.techniques.formats import LINEAR, SHAPES, round_trip, weights

REAL = torch.device("cpu")
FORWARD = {"inference__use": "forward"}
DYNAMIC = {"quantization__method": "dynamic_int8"}
FOUR = Format("linear", bits=4, group_size=8)


# Rounding


@given(LINEAR, SHAPES, st.integers(0, 99), st.sampled_from([torch.float32, torch.bfloat16]))
def test_a_rounded_weight_is_the_packed_one_expanded(
    kept: Format, shape: tuple[int, int], seed: int, dtype: torch.dtype
) -> None:
    weight = weights(shape, seed, dtype)
    assert torch.equal(round_weight(weight, kept, dtype), round_trip(weight, kept, dtype))


def test_large_matrices_are_rounded_in_chunks_alike() -> None:
    weight = weights((1100, 1100), 1)
    for granularity in ("group", "channel", "tensor"):
        kept = Format("linear", bits=3, granularity=granularity, group_size=24)  # type: ignore[arg-type]  # drawn from its words
        assert torch.equal(
            round_weight(weight, kept, torch.float32), round_trip(weight, kept, torch.float32)
        )


def test_inputs_move_by_half_a_step_at_most() -> None:
    given_rows = torch.randn(5, 7, 33)
    step = given_rows.abs().amax(-1, keepdim=True) / 127
    assert ((round_rows(given_rows) - given_rows).abs() <= step * 0.5001).all()
    assert torch.equal(round_rows(torch.zeros(2, 4)), torch.zeros(2, 4))


# Gradients


@pytest.mark.parametrize("rounds_inputs", [False, True])
def test_gradients_pass_straight_through(rounds_inputs: bool) -> None:
    """As if the rounded weight and input were leaves: those gradients go to the whole ones."""
    torch.manual_seed(0)
    plain = nn.Linear(24, 16)
    layer = RoundedLinear(plain, FOUR, rounds_inputs=rounds_inputs)
    assert layer.weight is plain.weight
    given_rows = torch.randn(2, 5, 24, requires_grad=True)
    layer(given_rows).square().sum().backward()
    weight = round_weight(plain.weight, FOUR, torch.float32).requires_grad_()
    rows = round_rows(given_rows.detach()) if rounds_inputs else given_rows.detach()
    rows.requires_grad_()
    bias = plain.bias.detach().requires_grad_()
    nn.functional.linear(rows, weight, bias).square().sum().backward()
    for own, expected in (
        (plain.weight, weight), (plain.bias, bias), (given_rows, rows)
    ):  # fmt: skip
        assert own.grad is not None
        torch.testing.assert_close(own.grad, expected.grad)


def test_training_lessens_what_rounding_costs() -> None:
    """A layer taught to do what another does, on inputs of few directions, in three bits."""
    torch.manual_seed(0)
    teacher = nn.Linear(32, 32, bias=False)
    rows = torch.randn(512, 4) @ torch.randn(4, 32)
    wanted = teacher(rows).detach()
    layer = RoundedLinear(teacher, Format("linear", bits=3, granularity="channel"))

    def loss() -> torch.Tensor:
        return (layer(rows) - wanted).square().mean()

    before = loss().item()
    optimizer = torch.optim.Adam(layer.parameters(), lr=3e-4)
    for _ in range(300):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert loss().item() < 0.6 * before


# In a model


@pytest.mark.parametrize("name", ["llama", "gpt2", "vit"])
def test_what_was_trained_is_packed_as_it_was_computed_with(name: str) -> None:
    plan = planned(
        2, 8, quantization__method="qat", quantization__bits=3, quantization__group_size=16
    )
    module = prepare(tiny(name), plan, CPU, REAL).module.eval()
    rounded = [path for path, part in module.named_modules() if isinstance(part, RoundedLinear)]
    assert rounded
    batch = tiny(name).batch(2, 8, REAL)
    before = module(**batch)
    after_plan = convert_trained(module, plan)
    assert after_plan.quantization.method == "linear"
    assert [
        path for path, part in module.named_modules() if isinstance(part, QuantizedLinear)
    ] == rounded
    after = module(**batch)
    assert torch.equal(before.logits, after.logits)


def test_all_parameters_train_and_it_takes_more() -> None:
    plan = planned(2, 8)
    rounded = planned(2, 8, quantization__method="qat")
    before, after = (estimate(tiny("llama"), each, "cpu") for each in (plan, rounded))
    assert after.model.trainable_parameters == before.model.trainable_parameters
    assert after.model.parameters == before.model.parameters
    assert after.peak.by_category.parameters == before.peak.by_category.parameters


def test_it_agrees_with_torchao() -> None:
    pytest.importorskip("torchao", reason="an optional requirement")
    from torchao.quantization.qat import IntxFakeQuantizeConfig
    from torchao.quantization.qat.fake_quantizer import IntxFakeQuantizer

    config = IntxFakeQuantizeConfig(torch.int4, group_size=32, is_symmetric=True)
    weight = weights((24, 64), 3)
    theirs = IntxFakeQuantizer(config)(weight).detach()
    kept = Format("linear", bits=4, group_size=32, symmetric=True)
    step = weight.view(-1, 32).abs().amax(1) / 7
    bound = (step * 1.001).repeat_interleave(32).view(24, 64)
    assert ((theirs - weight).abs() <= bound).all()
    assert ((round_weight(weight, kept, torch.float32) - theirs).abs() <= bound).all()


# Products in fp8


def test_products_in_fp8_are_of_the_scaled_numbers() -> None:
    """Held against the same written plainly: both factors rounded, then multiplied in full."""
    torch.manual_seed(0)
    plain = nn.Linear(32, 48)
    layer = Float8Linear(plain)
    rows = torch.randn(2, 16, 32, requires_grad=True)
    result = layer(rows)
    gradient = torch.randn_like(result)
    result.backward(gradient)
    given_rows, weight = (
        _as_float8(part.detach(), torch.float8_e4m3fn) for part in (rows, plain.weight)
    )
    passed = _as_float8(gradient, torch.float8_e5m2)
    expected = nn.functional.linear(given_rows, weight, plain.bias)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(rows.grad, passed @ weight, rtol=1e-4, atol=1e-4)
    summed = passed.flatten(0, 1).t() @ given_rows.flatten(0, 1)
    torch.testing.assert_close(plain.weight.grad, summed, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(plain.bias.grad, gradient.sum((0, 1)), rtol=1e-4, atol=1e-4)


def _as_float8(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    scale = torch.finfo(dtype).max / values.abs().max()
    return (values * scale).to(dtype).float() / scale


def test_tokens_are_filled_up_with_nothing() -> None:
    torch.manual_seed(0)
    found = []
    for multiple in (1, 16):
        torch.manual_seed(0)
        plain = nn.Linear(32, 48)
        Float8Linear(plain, multiple=multiple)(torch.randn(5, 32)).square().sum().backward()
        found.append(plain.weight.grad)
    torch.testing.assert_close(found[0], found[1])


# Dynamic int8


def test_dynamic_int8_is_the_product_of_the_rounded() -> None:
    torch.manual_seed(0)
    plain = nn.Linear(48, 40)
    layer = DynamicInt8Linear(plain.weight.detach(), plain.bias)
    rows = torch.randn(3, 6, 48)
    with torch.no_grad():
        expected = nn.functional.linear(round_rows(rows), layer.weight, plain.bias)
        torch.testing.assert_close(layer(rows), expected, rtol=1e-5, atol=1e-5)
        assert (layer(rows) - plain(rows)).norm() < 0.02 * plain(rows).norm()
    per_channel = Format("linear", bits=8, granularity="channel", symmetric=True)
    torch.testing.assert_close(layer.weight, round_weight(plain.weight, per_channel, torch.float32))


def test_rows_are_filled_up_where_a_card_asks_for_more() -> None:
    plain = nn.Linear(48, 40)
    with torch.no_grad():
        rows = torch.randn(2, 48)
        usual = DynamicInt8Linear(plain.weight.detach(), plain.bias)(rows)
        filled = DynamicInt8Linear(plain.weight.detach(), plain.bias, fewest_rows=FEWEST_ROWS_CUDA)(
            rows
        )
    assert torch.equal(usual, filled)


def test_dynamic_int8_says_that_it_gives_no_gradient() -> None:
    layer = DynamicInt8Linear(torch.randn(8, 8), None)
    with pytest.raises(RuntimeError, match="gives no gradient"):
        layer(torch.randn(2, 8, requires_grad=True))


def test_dynamic_int8_takes_a_byte_a_weight_and_a_scale_a_channel() -> None:
    usual, small = (
        estimate(tiny("llama"), planned(2, 8, **FORWARD, **values), "cpu")
        for values in ({}, DYNAMIC)
    )
    layers = {
        path: part
        for path, part in tiny("llama").build(META).named_modules()
        if isinstance(part, nn.Linear) and path != "lm_head"
    }
    width = 4 if planned(2, 8).precision == "fp32" else 2
    lost = sum(
        part.weight.numel() * (width - 1) - 4 * part.out_features for part in layers.values()
    )
    found = usual.peak.by_category.parameters - small.peak.by_category.parameters
    assert found == lost
    assert small.model.parameters == usual.model.parameters


# What is refused


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            DYNAMIC,
            "quantization.method=dynamic_int8 gives no gradient to what lies before it, so nothing "
            "can be trained with it; choose inference.use=forward, or quantization.method=linear "
            "with quantization.bits=8 and adapters.method=lora.",
        ),
        (
            {**DYNAMIC, **FORWARD, "quantization__per_layer": "up_proj=4"},
            "quantization.method=dynamic_int8 has 8 bits alone, but quantization.per_layer gives "
            "layers others; choose 16 there, or quantization.method=linear.",
        ),
        (
            {"quantization__method": "qat", "adapters__method": "lora"},
            "quantization.method=qat trains the weights that adapters.method=lora freezes; choose "
            "adapters.method=none, or quantization.method=linear beside the adapters.",
        ),
        (
            {"quantization__method": "qat", **FORWARD},
            "quantization.method=qat rounds weights while they are trained, and "
            "inference.use=forward trains none; choose quantization.method=linear.",
        ),
        (
            {"quantization__method": "qat", "quantization__per_layer": "up_proj=nf4"},
            "quantization.method=qat rounds to evenly spaced levels alone, but "
            "quantization.per_layer names nf4; choose a number of bits there.",
        ),
        (
            {"quantization__method": "fp8", **FORWARD},
            "quantization.method=fp8 is for training, and inference.use=forward trains nothing; "
            "choose quantization.method=dynamic_int8.",
        ),
        (
            {"quantization__per_layer": "up_proj=4"},
            "quantization.per_layer gives layers bits, but quantization.method=none leaves all as "
            "they are; choose quantization.method=linear or empty per_layer.",
        ),
    ],
)
def test_conflicts_name_the_nearest_choice(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PlanError) as error:
        check(planned(2, 8, **values), CPU)
    assert str(error.value) == sentence


def test_cards_without_fp8_are_refused_with_their_capability() -> None:
    plan = planned(2, 8, quantization__method="fp8")
    check(plan, H100)
    with pytest.raises(PlanError) as error:
        check(plan, Target("cuda", (8, 0)))
    assert str(error.value) == (
        "quantization.method=fp8 needs a card of compute capability 8.9, and this one has 8.0; "
        "choose quantization.method=none and precision=bf16_mixed."
    )


def test_sizes_that_a_card_does_not_take_are_refused_by_name() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(16, 12), nn.Linear(16, 16)

    section = planned(2, 8, **DYNAMIC, quantization__layers="all").quantization
    assert layers_of_multiple(Odd(), section, Target(), 8) == ["first", "second"]
    with pytest.raises(PlanError, match=r"add first=16 to quantization\.per_layer"):
        layers_of_multiple(Odd(), section, H100, 8)
