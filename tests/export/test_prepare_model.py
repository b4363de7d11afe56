"""The script that makes a model smaller before a trainer opens it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from memplanner.estimate import estimate
from memplanner.export import export, render
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests import forked

PRUNED: dict[str, object] = {
    "training.sequence_length": 32, "training.outputs": "until_loss",
    "pruning.structure": "structured", "pruning.mlp_ratio": 0.5, "pruning.block_ratio": 0.25,
    "pruning.width_multiple": 8, "precision": "bf16_autocast",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("trainer", ["trl", "axolotl", "llama_factory"])
def test_the_prepared_model_takes_what_was_promised(
    trainer: str, models: Path, tmp_path: Path, card: Device
) -> None:
    model = load(models / "trained")
    plan = Plan().with_values(PRUNED)
    rendering = render(trainer, model, plan, card)
    assert not any("pruning" in sentence for sentence in rendering.cannot_say)
    written = export(model, plan, trainer, tmp_path, card)
    assert {"prepare_model.py", "sparsity.py"} <= {Path(path).name for path in written}

    done = forked.script("prepare_model.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    values = YAML(typ="safe").load(Path(written[0]))
    named = values.get("base_model") or values["model_name_or_path"]
    smaller = load(tmp_path / named)
    assert smaller.parameter_count < model.parameter_count

    as_run = plan if rendering.runs_as is None else rendering.runs_as.plan
    without = as_run.model_copy(update={"pruning": Plan().pruning})
    promised, taken = estimate(model, as_run, card).peak, estimate(smaller, without, card).peak
    assert taken.allocated_bytes == promised.allocated_bytes


def test_a_model_without_weights_is_not_prepared(card: Device) -> None:
    plan = Plan().with_values(PRUNED)
    rendering = render("axolotl", load("preset:smollm2-135m"), plan, card)
    assert [file.name for file in rendering.files] == ["axolotl.yaml"]
    assert any("pruning.structure=structured" in sentence for sentence in rendering.cannot_say)


def test_what_needs_data_is_not_prepared(models: Path, card: Device, llama: Model) -> None:
    plan = Plan().with_values({**PRUNED, "pruning.block_choice": "influence"})
    names = [file.name for file in render("trl", load(models / "trained"), plan, card).files]
    assert names == ["sft.yaml"]
