"""Step times of a CPU, learned from some plans' real steps, told of others.

Times are the process's own, since other work on a machine would make them anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from memplanner.estimate.recorder import Recorder
from memplanner.estimate.step_time_measured import Timed
from memplanner.estimate.step_time_message import stated_seconds, step_time
from memplanner.hardware import find_device
from memplanner.messages.history import TimedStep
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.backends import CpuBackend
from memplanner.techniques.prepare import prepare
from memplanner.techniques.step import Held, run_step
from memplanner.techniques.target import Target
from tests.estimate.recordings import planned
from tests.model.small_models import small_model

CPU = find_device("cpu")
KNOWN: tuple[tuple[int, int, dict[str, Any]], ...] = (
    (1, 256, {}),
    (8, 128, {}),
    (2, 128, {"training__gradient_accumulation_steps": 4}),
)
ASKED: tuple[tuple[int, int, dict[str, Any]], ...] = (
    (4, 256, {}),
    (4, 256, {"activation_checkpointing__policy": "full"}),
    (4, 256, {"adapters__method": "lora"}),
    (4, 256, {"optimizer__name": "sgd"}),
)


class _Nobody:
    def phase(self, phase: str, micro_batch: int) -> None:
        pass


ROUNDS = 5


@pytest.mark.slow
def test_steps_of_some_plans_tell_how_long_others_take() -> None:
    model = small_model(
        "LlamaForCausalLM", hidden_size=256, intermediate_size=704, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=2000, num_hidden_layers=4,
    )  # fmt: skip
    known = [planned(batch, length, **values) for batch, length, values in KNOWN]
    asked = [planned(batch, length, **values) for batch, length, values in ASKED]
    seconds = measured(model, [*known, *asked])
    records = Recorder(model)
    steps = []
    for plan, took in zip(known, seconds, strict=False):
        estimated = stated_seconds(records, plan, CPU)
        assert estimated is not None
        steps.append(
            TimedStep(model=model.name, plan=plan, seconds=took, estimated_seconds=estimated)
        )
    timed = Timed(tuple(steps))
    for plan, took in zip(asked, seconds[len(known) :], strict=True):
        told = step_time(records, plan, CPU, timed)
        assert told is not None
        assert told.source == "calibrated"
        assert told.low_seconds < took < told.high_seconds, plan


def measured(model: Model, plans: Sequence[Plan]) -> list[float]:
    """Seconds of processor time of each plan's step: the least of some after the first.

    What else runs shares the processor's caches and makes some of them longer. The plans take
    turns, so that all are measured beside the same.
    """
    steps = [step_of(model, plan) for plan in plans]
    for step in steps:
        step()
    rounds = []
    for _ in range(ROUNDS):
        took = []
        for step in steps:
            started = time.process_time()
            step()
            took.append(time.process_time() - started)
        rounds.append(took)
    return [min(of_plan) for of_plan in zip(*rounds, strict=True)]


def step_of(model: Model, plan: Plan) -> Callable[[], None]:
    training, device = plan.training, torch.device("cpu")
    prepared = prepare(model, plan, Target(), device)
    batch = model.batch(training.batch_size, training.sequence_length, device)
    batches, backend = [batch] * training.gradient_accumulation_steps, CpuBackend(plan)
    held = Held()

    def step() -> None:
        list(run_step(prepared, batches, backend, _Nobody(), held))

    return step
