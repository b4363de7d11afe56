"""What engineers know to work on a 24 GB card is offered, fits, and lies in the right order."""

from __future__ import annotations

import pytest

from memplanner.hardware import find_device
from memplanner.messages.search import SearchGoal
from memplanner.model import load
from memplanner.model.first_plan import default_plan
from memplanner.search.evaluation import Evaluation
from memplanner.search.limits import Limits
from memplanner.search.space import Space
from memplanner.techniques.target import Target

RECOMPUTED = {"activation_checkpointing.policy": "full"}
QLORA = {"adapters.method": "lora", "quantization.method": "nf4"}
LORA = {"adapters.method": "lora", **RECOMPUTED}
IN_BACKWARD = {
    "optimizer.implementation": "bitsandbytes_paged_8bit",
    "optimizer.update": "in_backward",
    **RECOMPUTED,
}
ON_HOST = {"offload.optimizer": "host", **RECOMPUTED}


@pytest.mark.slow
def test_an_8b_model_on_24_gb_is_offered_what_is_known_to_run() -> None:
    model, device = load("preset:llama-3.1-8b"), find_device("RTX 4090 24GB")
    plan = default_plan(model)
    offered = set(Space(plan, Target.of(device), SearchGoal()).plans())
    evaluation = Evaluation(model, device)
    whole, *fitting = [
        plan.with_values(values)
        for values in ({}, {**QLORA, **RECOMPUTED}, ON_HOST, IN_BACKWARD, LORA)
    ]
    assert offered >= {whole, *fitting}
    for one in fitting:
        assert evaluation.on_device(one).verdict == "fits"
    sizes = [one.allocated_bytes for one in evaluation.figures(fitting)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] / 1.5  # a quarter of the weights, and no gradients
    holds = Limits.of(device, 0).holds_bytes
    assert holds is not None
    assert evaluation.figures([whole])[0].allocated_bytes > holds
