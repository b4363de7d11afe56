"""Quantized plans in a real worker: what was predicted is what a step takes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import memplanner as mp
from memplanner.errors import PlanError
from tests.run.conftest import Run
from tests.run.recipes import write_recipe
from tests.truth.small_models import SMALL

Start = Callable[..., Run]
LORA = {"method": "lora", "rank": 4}
QLORA = {"quantization": {"method": "nf4"}, "adapters": LORA}
EIGHT_BITS = {
    "quantization": {"method": "linear", "bits": 8, "group_size": 32},
    "adapters": LORA,
}


def _planned(plan: mp.Plan, **sections: Any) -> mp.Plan:
    return mp.Plan.model_validate({**plan.to_dict(), **sections})


def test_qlora_takes_what_was_predicted(run: Start, llama: Any, plan: mp.Plan) -> None:
    result = run(llama, _planned(plan, **QLORA), steps=2).result
    assert result.outcome == "finished"
    assert result.measured is not None
    measured, predicted = result.measured.by_category, result.predicted.by_category
    assert measured.parameters == predicted.parameters
    assert measured.buffers == predicted.buffers
    assert result.error is not None
    assert abs(result.error) < 0.01
    assert any("save memory now" in note for note in result.notes)


@pytest.mark.slow
def test_a_recipe_in_eight_bits(run: Start, plan: mp.Plan, tmp_path: Path) -> None:
    result = run(write_recipe(tmp_path), _planned(plan, **EIGHT_BITS), steps=2).result
    assert result.outcome == "finished"
    assert result.error is not None
    assert abs(result.error) < 0.01


def test_a_full_fine_tune_is_refused_before_anything_runs(
    run: Start, llama: Any, plan: mp.Plan
) -> None:
    with pytest.raises(PlanError, match=r"choose adapters\.method=lora"):
        run(llama, _planned(plan, quantization={"method": "nf4"}))


@pytest.mark.slow
def test_the_sources_weights_are_what_is_quantized(
    run: Start, plan: mp.Plan, tmp_path: Path
) -> None:
    """New adapters add nothing: the first loss is the trained model's own, nearly."""
    torch.manual_seed(3)
    config = SMALL["llama"].config()
    config.initializer_range = 0.2  # far from what another start would give
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("A few words, again and again. " * 40)
    losses = {
        name: run(tmp_path, _planned(plan, **sections), steps=1, data=str(text)).result.losses[0]
        for name, sections in {"full": {"adapters": LORA}, "eight": EIGHT_BITS}.items()
    }
    other = tmp_path / "other"
    torch.manual_seed(4)
    transformers.LlamaForCausalLM(config).save_pretrained(other)
    elsewhere = run(other, _planned(plan, **EIGHT_BITS), steps=1, data=str(text)).result.losses[0]
    assert losses["eight"] == pytest.approx(losses["full"], rel=0.005)
    assert elsewhere != pytest.approx(losses["full"], rel=0.005)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torchao") is not None, reason="torchao is installed")
def test_states_without_their_library_end_the_run_with_the_fix(
    run: Start, llama: Any, plan: mp.Plan
) -> None:
    result = run(llama, _planned(plan, optimizer={"implementation": "torchao_8bit"})).result
    assert result.outcome == "failed"
    assert "pip install 'memplanner[torchao]'" in result.sentence


@pytest.mark.slow
def test_states_in_eight_bits_take_what_was_predicted(
    run: Start, llama: Any, plan: mp.Plan
) -> None:
    pytest.importorskip("bitsandbytes", reason="an optional requirement")
    planned = _planned(plan, optimizer={"implementation": "bitsandbytes_8bit"})
    result = run(llama, planned, steps=3).result
    assert result.outcome == "finished"
    assert result.measured is not None
    measured, predicted = result.measured.by_category, result.predicted.by_category
    assert measured.optimizer_state == predicted.optimizer_state
    assert result.error is not None
    assert abs(result.error) < 0.01
