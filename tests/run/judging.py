"""A plan's compression judged in this process, as the worker does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

import memplanner as mp
from memplanner.model.loaded import Model
from memplanner.run.quality import Judge
from memplanner.run.quality_data import scoring_batches
from memplanner.techniques.prepare import prepare
from memplanner.techniques.target import Target
from tests.smollm2 import loaded

CPU = torch.device("cpu")
LORA = {"method": "lora", "rank": 4}


def planned(**sections: Any) -> mp.Plan:
    training = {"batch_size": 2, "sequence_length": 32}
    base = {"precision": "fp32", "training": training, "adapters": LORA}
    return mp.Plan.model_validate({**base, **sections})


def judge(
    model: Model, plan: mp.Plan, module: nn.Module | None = None, **options: Any
) -> tuple[Judge, nn.Module]:
    """The judge of ``plan`` carried out on the real weights, and the module as it is then."""
    lines: list[str] = options.pop("lines", [])
    stopped = options.pop("stopped", lambda: False)
    made = Judge(
        model,
        plan,
        CPU,
        data_path=options.pop("data_path", None),
        say=lambda title, detail: lines.append(f"{title}: {detail}"),
        stopped=stopped,
        **options,
    )
    whole = loaded(model) if module is None else module
    training = plan.training
    scored = (
        scoring_batches(model, training.batch_size, training.sequence_length, CPU)
        if plan.pruning.needs_data
        else None
    )
    prepared = prepare(model, plan, Target(), CPU, module=whole, witness=made, calibration=scored)
    return made, prepared.module


def write_text(folder: Path, words: int = 200) -> str:
    """The path of a short text."""
    path = folder / "text.txt"
    path.write_text(" ".join(f"word{number % 17}" for number in range(words)))
    return str(path)
