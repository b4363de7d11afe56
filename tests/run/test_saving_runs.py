"""Plans with training-side savers in a real worker: what was predicted is what a step takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import memplanner as mp
from tests.run.conftest import Run

SCALARS_BYTES = 16
"""accelerate divides a loss even by one, which makes another."""
Start = Callable[..., Run]
SAVERS: dict[str, dict[str, Any]] = {
    "loss in chunks": {"loss": {"method": "chunked"}},
    "both, checkpointed": {
        "loss": {"method": "chunked"},
        "optimizer": {"name": "adafactor", "update": "in_backward"},
        "activation_checkpointing": {"policy": "full"},
    },
    "updates in backward": {"optimizer": {"update": "in_backward"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVERS)
def test_a_run_takes_what_was_predicted(run: Start, llama: Any, plan: mp.Plan, name: str) -> None:
    planned = mp.Plan.model_validate({**plan.to_dict(), **SAVERS[name]})
    result = run(llama, planned, steps=3).result
    assert result.outcome == "finished", result.sentence
    assert result.measured is not None
    measured, predicted = result.measured, result.predicted
    for category in ("parameters", "gradients", "optimizer_state", "activations", "inputs"):
        assert getattr(measured.by_category, category) == getattr(predicted.by_category, category)
    for phase, taken in measured.by_phase.items():
        assert abs(taken - predicted.by_phase[phase]) <= SCALARS_BYTES, phase
