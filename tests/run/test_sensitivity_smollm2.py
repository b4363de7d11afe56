"""Bits by measured sensitivity on a model that was really trained: SmolLM2-135M, from a package."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

import memplanner as mp
from memplanner.messages.sensitivity import BitAssignment, Sensitivity
from memplanner.model.loaded import Model
from memplanner.run.quality_data import QualityData, quality_data
from memplanner.run.sensitivity import measure
from memplanner.techniques.bit_assignment import assign_bits, assignment
from memplanner.techniques.low_bit.linear import quantize_layers
from memplanner.techniques.quantization import layer_formats
from tests.run.judging import planned
from tests.smollm2 import loaded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

WINDOWS = 1
"""Of 512 tokens: as many are measured on as are judged."""


@pytest.fixture(scope="module")
def model(smollm2: Path) -> Model:
    return mp.load(smollm2)


@pytest.fixture(scope="module")
def whole(model: Model) -> nn.Module:
    return loaded(model).eval()


@pytest.fixture(scope="module")
def found(model: Model, whole: nn.Module) -> Sensitivity:
    """Measured on text that nothing is judged on."""
    data = quality_data(model, None, following=True).shortened(WINDOWS)
    plan = mp.Plan.model_validate({"precision": "fp32"})
    return measure(model, deepcopy(whole), plan, data)


@pytest.fixture(scope="module")
def judged(model: Model) -> QualityData:
    return quality_data(model, None).shortened(WINDOWS)


def loss(module: nn.Module, data: QualityData) -> float:
    with torch.no_grad():
        losses = [module(**batch).loss.item() for batch in data.batches]
    return math.fsum(losses) / len(losses)


def quantized_loss(whole: nn.Module, data: QualityData, assigned: BitAssignment) -> float:
    section = planned(
        quantization={"method": "linear", "per_layer": list(assigned.per_layer)}
    ).quantization
    module = deepcopy(whole)
    formats = layer_formats(module, section)
    quantize_layers(module, list(formats), formats)
    return loss(module, data)


def uniform(found: Sensitivity, value: str) -> BitAssignment:
    chosen = {
        layer.name: next(each for each in layer.choices if each.value == value)
        for layer in found.layers
    }
    return assignment(found.layers, found.other_bytes, chosen)


def test_mixed_bits_lose_less_than_four_bits_of_the_same_size(
    found: Sensitivity, whole: nn.Module, judged: QualityData
) -> None:
    four = uniform(found, "4")
    mixed = assign_bits(found, four.size_bytes)
    exact = assign_bits(found, four.size_bytes, exact=True)
    assert mixed.size_bytes <= four.size_bytes
    assert exact.error * (1 - 1e-6) <= mixed.error <= 1.01 * exact.error
    before = loss(whole, judged)
    rise_of_four = quantized_loss(whole, judged, four) - before
    rise_of_mixed = quantized_loss(whole, judged, mixed) - before
    assert rise_of_mixed < 0.6 * rise_of_four
    # the sum of what single layers were expected to lose is of the size of what all lose
    assert mixed.error == pytest.approx(rise_of_mixed, rel=0.5)


def test_more_bytes_never_lose_more(found: Sensitivity) -> None:
    smallest, largest = uniform(found, "2").size_bytes, uniform(found, "8").size_bytes
    budgets = [smallest + step * (largest - smallest) // 8 for step in range(9)]
    errors = [assign_bits(found, budget).error for budget in budgets]
    assert errors == sorted(errors, reverse=True)
