"""Peaks of many architectures against really measured steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from tests.truth.conftest import Row
from tests.truth.real_step import measure
from tests.truth.recipes import RECIPES
from tests.truth.small_models import ARCHITECTURES
from tests.truth.test_peak import CPU, TOLERANCE

SHAPE = {"batch_size": 2, "sequence_length": 40}
# transformers' own code runs a loop that torch has a kernel for
pytestmark = pytest.mark.filterwarnings("ignore:.*falling back.*")


def _check(model: Any, module: Any, plan: mp.Plan, title: str, table: list[Row]) -> None:
    batch = model.batch(2, 40, torch.device("cpu"))
    torch.manual_seed(0)
    tensor_bytes, allocator_bytes = measure(module, batch, plan)
    peak = mp.estimate(model, plan, device=CPU).peak
    tensors = peak.allocated_bytes - peak.by_category.workspaces
    row = Row(title, tensors, tensor_bytes, peak.allocated_bytes, allocator_bytes)
    table.append(row)
    assert peak.by_category.total_bytes == peak.allocated_bytes
    assert abs(row.error) <= TOLERANCE


@pytest.mark.parametrize("precision", ["fp32", "bf16_mixed"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_of_transformers(
    name: str, precision: str, tmp_path: Path, table: list[Row]
) -> None:
    small = ARCHITECTURES[name]
    model = mp.load(small.write(tmp_path))
    kernel = "eager" if small.attention == "eager" else "auto"
    plan = mp.Plan.model_validate(
        {"precision": precision, "training": SHAPE, "attention": {"kernel": kernel}}
    )
    _check(model, small.build(), plan, f"{name}: {precision}", table)


@pytest.mark.parametrize("precision", ["fp32", "bf16_mixed"])
@pytest.mark.parametrize("name", RECIPES)
def test_plain_torch(name: str, precision: str, tmp_path: Path, table: list[Row]) -> None:
    source = tmp_path / "recipe.py"
    source.write_text(RECIPES[name])
    model = mp.load(source)
    plan = mp.Plan.model_validate({"precision": precision, "training": SHAPE})
    _check(model, model.build(torch.device("cpu")), plan, f"{name}: {precision}", table)
