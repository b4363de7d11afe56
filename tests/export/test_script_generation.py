"""Scripts of models in use: they run, their peak is the predicted one, and trainers say no."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from memplanner.errors import ExportError
from memplanner.estimate import estimate
from memplanner.export import render, targets
from memplanner.hardware import find_device
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.techniques.prepare import NoOptimizer
from tests import forked
from tests.export.test_script_runs import imported, write
from tests.truth.ground_truth import standing, tensor_peak_bytes
from tests.truth.small_models import SMALL

USE = {"inference.use": "generation", "inference.new_tokens": 8, "precision": "fp32"}
FORWARD = {"inference.use": "forward"}
QUANTIZED = {
    "inference.cache": "quantized",
    "inference.cache_group": 16,
    "inference.cache_residual": 4,
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "growing cache": ("llama", USE),
    "static cache, bf16": ("llama", {**USE, "inference.cache": "static", "precision": "bf16"}),
    "cache in few bits": ("llama", {**USE, **QUANTIZED}),
    "windows whole": ("gemma2", {**USE, "inference.windows": False, "attention.kernel": "eager"}),
    "no cache, mixed": ("llama", {**USE, "inference.cache": "none", "precision": "bf16_mixed"}),
    "beams": ("llama", {**USE, "inference.beams": 2}),
    "NF4": ("llama", {**USE, "quantization.method": "nf4"}),
    "narrower": (
        "llama",
        {**USE, "pruning.structure": "structured", "pruning.mlp_ratio": 0.5},
    ),
    "encoder and decoder": ("t5", USE),
    "forward": ("vit", {**FORWARD, "precision": "bf16"}),
    "forward, mixed": ("bert", {**FORWARD, "precision": "bf16_mixed"}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_its_peak_is_the_predicted_one(
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, changes = CASES[case]
    folder = tmp_path / "model"
    folder.mkdir()
    source = SMALL[name].write(folder)
    monkeypatch.delitem(sys.modules, "kv_cache", raising=False)
    script = imported(write(tmp_path, source, changes), monkeypatch)
    device = torch.device("cpu")
    module = script.build_model(device).eval()
    batches = script.make_batches(*([device, None] if hasattr(script, "read_tokens") else [device]))
    script.use(module, batches, 1, device)
    peak = tensor_peak_bytes(
        lambda: script.use(module, batches, 1, device), standing(module, NoOptimizer(), {})
    )
    plan = Plan().with_values({"training.batch_size": 2, "training.sequence_length": 24, **changes})
    predicted = estimate(load(source), plan, "cpu").peak
    assert peak == predicted.allocated_bytes - predicted.by_category.workspaces
    assert "per second, peak" in capsys.readouterr().out


@pytest.mark.slow
def test_it_runs_on_its_own_with_its_cache_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    script = write(tmp_path, SMALL["llama"].write(folder), {**USE, **QUANTIZED})
    assert script.name == "generation.py"
    assert {"kv_cache.py", "low_bit.py"} <= {path.name for path in tmp_path.iterdir()}
    text = script.read_text()
    assert "optim" not in text
    assert "loss_of" not in text
    done = forked.script(script, "--count", "1", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "generation 1: " in done.stdout


def test_targets_that_only_train_say_so_and_write_nothing(tmp_path: Path) -> None:
    model, plan = load(SMALL["llama"].write(tmp_path)), Plan().with_values(dict(USE))
    device = find_device("cpu")
    for target in targets():
        if target.name in ("script", "plan"):
            (first, *_) = render(target.name, model, plan, device).files
            assert first.name in ("generation.py", "plan.yaml")
        else:
            with pytest.raises(ExportError, match=r"only trains.*choose the target script"):
                render(target.name, model, plan, device)
