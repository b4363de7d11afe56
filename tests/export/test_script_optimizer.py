"""Lion, GaLore and schedules of pruning in an exported script, and the modules beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from memplanner.errors import PlanError
from memplanner.export import export, render
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests import forked

SMALL = {"training.batch_size": 2, "training.sequence_length": 24, "precision": "fp32"}
LION = {"optimizer.name": "lion"}
GALORE = {"optimizer.projection": "galore", "optimizer.rank": 8}
IN_BACKWARD = {"optimizer.update": "in_backward"}
GRADUAL = {
    "pruning.structure": "unstructured", "pruning.schedule": "polynomial", "pruning.last_step": 3,
    "pruning.every": 1, "pruning.per_layer": "q_proj=0.25",
}  # fmt: skip
CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "lion": (LION, {"lion.py"}),
    "lion in backward": ({**LION, **IN_BACKWARD}, {"lion.py"}),
    "galore": (GALORE, {"low_rank_updates.py"}),
    "galore in backward": ({**GALORE, **IN_BACKWARD}, {"low_rank_updates.py"}),
    "coupled galore": ({**GALORE, "optimizer.name": "adam"}, {"low_rank_updates.py"}),
    "schedule": (GRADUAL, {"sparsity.py"}),
    "schedule in backward": ({**GRADUAL, **IN_BACKWARD}, {"sparsity.py"}),
    "constant": ({**GRADUAL, "pruning.schedule": "constant"}, {"sparsity.py"}),
}


@pytest.mark.parametrize("case", CASES)
def test_scripts_are_formatted(case: str, llama: Model, card: Device, tmp_path: Path) -> None:
    changes, beside = CASES[case]
    rendering = render("script", llama, Plan().with_values({**SMALL, **changes}), card)
    assert rendering.cannot_say == ()
    assert {file.name for file in rendering.files} == {"train.py", *beside}
    for file in rendering.files:
        (tmp_path / file.name).write_text(file.text)
    for check in (["format", "--check"], ["check", "--select", "F,E501"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--line-length", "100", tmp_path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def run(folder: Path, source: Path, changes: dict[str, Any], steps: int) -> list[float]:
    """The losses that the script prints."""
    path, *_ = export(load(source), Plan().with_values({**SMALL, **changes}), "script", folder)
    options = ("--steps", str(steps), "--device", "cpu", "--output", folder / "model.safetensors")
    done = forked.script(path, *options)
    assert done.returncode == 0, done.stderr
    return [float(found) for found in re.findall(r"loss (\d+\.\d+)", done.stdout)]


@pytest.mark.slow
@pytest.mark.parametrize("case", [name for name in CASES if name != "constant"])
def test_scripts_run(case: str, models: Path, tmp_path: Path) -> None:
    losses = run(tmp_path, models / "llama", CASES[case][0], 3)
    assert len(losses) == 3
    if "schedule" not in case:
        return
    tensors = load_file(tmp_path / "model.safetensors")
    for name, weight in tensors.items():
        if "_proj" in name:
            ratio = 0.25 if "q_proj" in name else 0.5
            assert int((weight == 0).sum()) == round(ratio * weight.numel())


def test_a_rank_that_no_layer_has_is_refused(llama: Model, card: Device) -> None:
    with pytest.raises(PlanError, match=r"choose optimizer\.rank=16"):
        render("script", llama, Plan().with_values({**GALORE, "optimizer.rank": 32}), card)
