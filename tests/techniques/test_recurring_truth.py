"""Predicted peaks of Lion, GaLore and gradual pruning against steps of the real model.

Measured is a step that does what only some steps do. What is measured is the project's own code,
carried out; torch's allocations are seen by the watch that measures every run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.run.sampler import Position
from memplanner.run.trainer import Trainer, measured_figures
from memplanner.tape.backends import CpuBackend
from memplanner.techniques.prepare import prepare
from memplanner.techniques.target import Target
from tests.truth.small_models import SMALL

CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
REAL = torch.device("cpu")
SHAPES = {
    "llama": (2, 32), "gpt2 eager": (2, 32), "bert": (2, 32), "vit": (2, 1), "t5": (2, 32),
    "resnet": (2, 1),
}  # fmt: skip
LION = {"optimizer": {"name": "lion"}}
LION_LISTS = {"optimizer": {"name": "lion", "implementation": "foreach"}}
GALORE = {"name": "adamw", "projection": "galore", "rank": 16}
MASKS = {"structure": "unstructured", "schedule": "polynomial", "last_step": 9, "every": 9}
ZEROS = {**MASKS, "kept_as": "zeros"}
LORA = {"adapters": {"method": "lora", "rank": 4, "target_modules": ["q_proj"]}}
BF16 = {"precision": "bf16"}
MIXED = {"precision": "bf16_mixed", "activation_checkpointing": {"policy": "full"}}
IN_BACKWARD = {"update": "in_backward"}


class _Same:
    """The same shapes for ever."""

    def __init__(self, model: Model, shape: tuple[int, int]) -> None:
        self._model, self._shape = model, shape

    def __iter__(self) -> _Same:
        return self

    def __next__(self) -> Any:
        return self._model.batch(*self._shape, REAL)


def predicted_and_measured(
    model: Model, shape: tuple[int, int], sections: dict[str, Any]
) -> tuple[int, int]:
    """The peaks in bytes, kernels' own scratch left out."""
    training = {"batch_size": shape[0], "sequence_length": shape[1]}
    plan = mp.Plan.model_validate(
        {
            "precision": "fp32", **sections,
            "training": training | sections.get("training", {}),
        }
    )  # fmt: skip
    peak = mp.estimate(model, plan, device=CPU).peak
    torch.manual_seed(0)
    prepared = prepare(model, plan, Target(), REAL)
    trainer = Trainer(prepared, CpuBackend(plan), _Same(model, shape), REAL, Position())
    trainer.run()
    for each in prepared.recurring:
        each.demand()
    figures = measured_figures(trainer.run(), device_bytes=None)
    assert all(each.happened for each in prepared.recurring)
    return peak.allocated_bytes - peak.by_category.workspaces, figures.allocated_bytes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sections"),
    [
        *((name, LION) for name in SHAPES),
        ("llama", LION_LISTS),
        ("llama", {**LION, **BF16}),
        ("llama", {**LION, **LORA}),
        ("llama", {"optimizer": {"name": "lion", **IN_BACKWARD}}),
        *((name, {"optimizer": GALORE}) for name in ("llama", "gpt2 eager", "bert", "vit", "t5")),
        ("llama", {"optimizer": {**GALORE, "name": "adam"}}),
        ("llama", {"optimizer": {**GALORE, "implementation": "foreach"}}),
        ("llama", {"optimizer": {**GALORE, "implementation": "fused"}}),
        ("llama", {"optimizer": {**GALORE, **IN_BACKWARD}}),
        ("gpt2 eager", {"optimizer": {**GALORE, **IN_BACKWARD}, **BF16}),
        ("llama", {"optimizer": GALORE, **BF16}),
        ("llama", {"optimizer": GALORE, **MIXED}),
        ("llama", {"optimizer": GALORE, "training": {"gradient_accumulation_steps": 2}}),
        *((name, {"pruning": MASKS}) for name in ("llama", "gpt2 eager", "bert", "vit", "t5")),
        *((name, {"pruning": ZEROS}) for name in ("llama", "gpt2 eager", "vit")),
        ("llama", {"pruning": {**MASKS, "scope": "global"}}),
        ("gpt2 eager", {"pruning": {**ZEROS, "scope": "global"}, **BF16}),
        ("llama", {"pruning": {**MASKS, "structure": "n_m", "schedule": "constant"}}),
        ("llama", {"pruning": MASKS, **BF16}),
        ("llama", {"pruning": MASKS, **MIXED}),
        ("llama", {"pruning": ZEROS, **LORA}),
        ("llama", {"pruning": ZEROS, "optimizer": {"name": "sgd", **IN_BACKWARD}}),
        ("llama", {"pruning": MASKS, "optimizer": GALORE}),
        (
            "llama",
            {
                "pruning": MASKS,
                "training": {"zero_grad": "before_backward", "outputs": "until_next_output"},
            },
        ),
    ],
    ids=str,
)
def test_a_step_that_does_all_takes_what_was_predicted(
    name: str, sections: dict[str, Any], tmp_path: Path
) -> None:
    kernel = SMALL[name].attention.replace("sdpa", "auto")
    sections = {"attention": {"kernel": kernel}, **sections}
    model = mp.load(SMALL[name].write(tmp_path))
    predicted, measured = predicted_and_measured(model, SHAPES[name], sections)
    assert predicted == measured
