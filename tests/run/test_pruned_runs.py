"""Pruned plans in a real worker: what was predicted is what a step takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import memplanner as mp
from tests.run.conftest import Run
from tests.run.recipes import write_recipe
from tests.truth.small_models import SMALL

Start = Callable[..., Run]
SMALLER = {
    "structure": "structured", "mlp_ratio": 0.5, "block_ratio": 0.3, "method": "taylor",
    "calibration_batches": 2,
}  # fmt: skip
MASKS = {"structure": "unstructured", "method": "wanda", "calibration_batches": 2}


def _planned(plan: mp.Plan, **sections: Any) -> mp.Plan:
    return mp.Plan.model_validate({**plan.to_dict(), **sections})


@pytest.mark.slow
@pytest.mark.parametrize("section", [SMALLER, MASKS], ids=str)
def test_a_pruned_model_takes_what_was_predicted(
    run: Start, llama: Any, plan: mp.Plan, section: dict[str, Any]
) -> None:
    result = run(llama, _planned(plan, pruning=section), steps=2).result
    assert result.outcome == "finished"
    assert result.measured is not None
    measured, predicted = result.measured.by_category, result.predicted.by_category
    assert measured.parameters == predicted.parameters
    assert measured.buffers == predicted.buffers
    assert measured.optimizer_state == predicted.optimizer_state
    assert result.error is not None
    assert abs(result.error) < 0.01


@pytest.mark.slow
def test_a_step_that_chooses_zeros_is_measured_though_none_was_due(
    run: Start, llama: Any, plan: mp.Plan
) -> None:
    gradual = {"structure": "unstructured", "schedule": "polynomial", "first_step": 100}
    result = run(llama, _planned(plan, pruning=gradual), steps=2).result
    assert result.outcome == "finished"
    assert len(result.losses) == 2
    assert any("to measure one with new masks" in note for note in result.notes)
    assert result.error is not None
    assert abs(result.error) < 0.01


@pytest.mark.slow
def test_a_recipe_with_masks(run: Start, plan: mp.Plan, tmp_path: Path) -> None:
    masks = {"structure": "unstructured", "ratio": 0.25}
    result = run(write_recipe(tmp_path), _planned(plan, pruning=masks), steps=2).result
    assert result.outcome == "finished"
    assert result.error is not None
    assert abs(result.error) < 0.01


@pytest.mark.slow
def test_the_sources_weights_are_what_is_pruned(run: Start, plan: mp.Plan, tmp_path: Path) -> None:
    """Silent neurons are what goes: the first loss is that of the whole model."""
    torch.manual_seed(3)
    config = SMALL["llama"].config()
    config.initializer_range = 0.2  # far from what another start would give
    module: Any = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for block in module.model.layers:
            block.mlp.down_proj.weight[:, ::2] = 0
            block.mlp.up_proj.weight[::2] = 0
            block.mlp.gate_proj.weight[::2] = 0
    module.save_pretrained(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("A few words, again and again. " * 40)
    half = {"structure": "structured", "mlp_ratio": 0.5}
    losses = [
        run(tmp_path, _planned(plan, pruning=section), steps=1, data=str(text)).result.losses[0]
        for section in ({}, half, {**half, "mlp_ratio": 0.75})
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] != pytest.approx(losses[0], rel=1e-3)
