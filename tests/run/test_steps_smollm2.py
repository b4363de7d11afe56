"""Real steps of a compressed, trained model: what was predicted is what a step takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import memplanner as mp
from memplanner.run import quality, quality_data
from tests.run.conftest import Run
from tests.run.judging import judge, planned
from tests.smollm2 import TEXT

Start = Callable[..., Run]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

QLORA: dict[str, Any] = {
    "quantization": {"method": "nf4", "double_quantization": True},
    "adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]},
}
NARROWER: dict[str, Any] = {
    "pruning": {
        "structure": "structured", "mlp_ratio": 0.25, "method": "taylor", "calibration_batches": 4,
    },
    "adapters": {"method": "none"},
    "optimizer": {"name": "sgd", "momentum": 0.0},
}  # fmt: skip


def test_steps_of_qlora_take_what_was_predicted_and_learn(run: Start, smollm2: Path) -> None:
    plan = planned(**{**QLORA, "training": {"batch_size": 1, "sequence_length": 64}})
    result = run(smollm2, plan, steps=3, data=str(TEXT), quality=False).result

    assert result.outcome == "finished", result.sentence
    assert result.measured is not None
    measured, predicted = result.measured.by_category, result.predicted.by_category
    assert measured.parameters == predicted.parameters
    assert measured.optimizer_state == predicted.optimizer_state
    assert result.error is not None
    assert abs(result.error) < 0.01
    assert len(result.losses) == 3
    assert all(1 < loss < 8 for loss in result.losses), "a trained model's, not a random one's"


def test_a_narrower_model_is_judged_saved_and_opened_again(
    smollm2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_data, "WINDOW", 128)
    monkeypatch.setattr(quality_data, "MOST_TOKENS", 256)
    monkeypatch.setattr(quality, "TIMED", 0)
    plan = planned(**{**NARROWER, "training": {"batch_size": 1, "sequence_length": 128}})
    whole = mp.load(smollm2)
    report = judge(whole, plan, save=tmp_path / "narrower")[0].report

    assert report is not None
    before, after = report.before, report.after
    assert before.perplexity is not None
    assert after.perplexity is not None
    assert before.perplexity < after.perplexity < 2 * before.perplexity, "scored on text"
    # 30 blocks, each with three matrices of 576 × 1,536
    gone = 30 * 3 * 576 * 1536 // 4
    assert before.memory_bytes - after.memory_bytes == 4 * gone
    again = mp.load(tmp_path / "narrower")
    assert whole.info().parameters - again.info().parameters == gone
