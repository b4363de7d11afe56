"""Distilled plans in a real worker: what was predicted is what a step takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import memplanner as mp
from tests.run.conftest import Run

Start = Callable[..., Run]
SECTIONS: list[dict[str, Any]] = [
    {"student": "smaller", "top_k": 8},
    {"student": "smaller", "teacher_logits": "ahead"},
    {"student": "budget", "budget_mib": 2, "teacher_quantization": "linear_8"},
]


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS, ids=str)
def test_a_student_takes_what_was_predicted(
    run: Start, llama: Any, plan: mp.Plan, section: dict[str, Any]
) -> None:
    distilled = mp.Plan.model_validate({**plan.to_dict(), "distillation": section})
    done = run(llama, distilled, steps=2)
    result = done.result
    assert result.outcome == "finished", result.sentence
    assert result.measured is not None
    measured, predicted = result.measured, result.predicted
    assert measured.by_category.parameters == predicted.by_category.parameters
    assert measured.by_category.optimizer_state == predicted.by_category.optimizer_state
    tensors = [
        figures.allocated_bytes - figures.by_category.workspaces
        for figures in (predicted, measured)
    ]
    assert tensors[0] == tensors[1]
    steps = [event for event in done.events if event.kind == "step"]
    assert all(event.terms.keys() == {"labels", "logits"} for event in steps)
