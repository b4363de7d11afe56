"""Compression judged on a model that was really trained: SmolLM2-135M, from a package."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import memplanner as mp
from memplanner.messages.run import QualityReport
from memplanner.model.loaded import Model
from memplanner.run import quality, quality_data
from memplanner.run.saving import TENSORS_FILE
from memplanner.techniques.quantization import format_of, layer_names
from tests.run.judging import LORA, judge, planned
from tests.smollm2 import loaded

pytestmark = pytest.mark.slow

METHODS: dict[str, dict[str, Any]] = {
    "8 bits": {"method": "linear", "bits": 8},
    "4 bits": {"method": "linear", "bits": 4},
    "NF4": {"method": "nf4"},
    "2 bits": {"method": "linear", "bits": 2},
}
SAVED = {"4 bits", "NF4"}
FEW_ADAPTERS = {**LORA, "target_modules": ["q_proj"]}
"""They change nothing yet, and to add one expands its layer's weight some twenty times."""


class Seen(NamedTuple):
    """A method judged, its module without adapters' effect, and where it was saved."""

    report: QualityReport
    plan: mp.Plan
    logits: torch.Tensor
    folder: Path


@pytest.fixture(scope="module")
def model(smollm2: Path) -> Model:
    return mp.load(smollm2)


@pytest.fixture(scope="module")
def whole(model: Model) -> nn.Module:
    return loaded(model)


@pytest.fixture(scope="module")
def seen(
    model: Model, whole: nn.Module, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Seen]:
    """Each method on the first 256 tokens of the text."""
    place = tmp_path_factory.mktemp("compressed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality_data, "WINDOW", 128)
        patch.setattr(quality_data, "MOST_TOKENS", 256)
        patch.setattr(quality, "TIMED", 0)
        patch.setattr(quality, "MOST_SECONDS", float("inf"))
        found = {}
        for name, method in METHODS.items():
            plan, folder = planned(quantization=method, adapters=FEW_ADAPTERS), place / name
            save = folder if name in SAVED else None
            judged, module = judge(model, plan, deepcopy(whole), save=save)
            assert judged.report is not None
            found[name] = Seen(judged.report, plan, _logits(module), folder)
    return found


def _logits(module: Any) -> torch.Tensor:
    ids = torch.arange(1000, 1032).view(1, 32)
    with torch.no_grad():
        found: torch.Tensor = module.eval()(input_ids=ids).logits
    return found


def test_perplexity_rises_as_bits_go(seen: dict[str, Seen]) -> None:
    before = {each.report.before.perplexity for each in seen.values()}
    assert len(before) == 1
    (whole,) = before
    assert whole is not None
    assert 5 < whole < 60  # of English prose, for a model of this size
    after = {name: each.report.after.perplexity or 0.0 for name, each in seen.items()}
    assert after["8 bits"] == pytest.approx(whole, rel=0.005)
    for name in ("4 bits", "NF4"):
        assert after["8 bits"] < after[name] < 1.5 * whole
    assert after["2 bits"] > 3 * whole


def test_layers_lose_as_bits_go(seen: dict[str, Seen]) -> None:
    means = {
        name: sum(layer.output_error for layer in each.report.layers) / len(each.report.layers)
        for name, each in seen.items()
    }
    assert {len(each.report.layers) for each in seen.values()} == {210}
    assert means["8 bits"] < 0.02
    assert means["8 bits"] * 5 < means["4 bits"] < means["2 bits"] / 2
    assert means["8 bits"] * 5 < means["NF4"] < means["2 bits"] / 2


@pytest.mark.parametrize("name", METHODS)
def test_sizes_are_those_of_the_format(whole: nn.Module, seen: dict[str, Seen], name: str) -> None:
    report, section = seen[name].report, seen[name].plan.quantization
    kept = format_of(section)
    weights = [whole.get_submodule(path).weight for path in layer_names(whole, section)]
    assert all(isinstance(weight, torch.Tensor) for weight in weights)
    saved_bytes = sum(
        weight.nbytes - kept.kept_bytes((weight.shape[0], weight.shape[1]), weight.dtype)
        for weight in weights
        if isinstance(weight, torch.Tensor)
    )
    tables_bytes = report.after.memory_bytes - (report.before.memory_bytes - saved_bytes)
    assert 0 <= tables_bytes <= 8192  # one table of levels for all layers
    assert report.before.memory_bytes == sum(p.nbytes for p in whole.parameters()) + sum(
        b.nbytes for b in whole.buffers()
    )


@pytest.mark.parametrize("name", sorted(SAVED))
def test_the_saved_model_says_the_same(seen: dict[str, Seen], name: str) -> None:
    each = seen[name]
    again = mp.load_compressed(each.folder)
    assert torch.equal(_logits(again), each.logits)
    assert (each.folder / TENSORS_FILE).stat().st_size == each.report.after.disk_bytes
    assert (each.folder / "tokenizer.json").is_file()
