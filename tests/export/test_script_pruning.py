"""Pruning in an exported script, and the module beside it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from memplanner.errors import PlanError
from memplanner.estimate import estimate
from memplanner.export import export, render
from memplanner.export.script_pruning import _PARTS, SPARSITY_FILE, sparsity_source
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests import forked

LORA = {"adapters.method": "lora", "adapters.rank": 4}
SMALL = {"training.batch_size": 2, "training.sequence_length": 24, "precision": "fp32"}
WIDTH = {"pruning.structure": "structured", "pruning.mlp_ratio": 0.5}


def rendered(model: Model, device: Device, changes: dict[str, Any]) -> dict[str, str]:
    plan = Plan().with_values({**SMALL, **changes})
    rendering = render("script", model, plan, device)
    assert not any("pruning" in sentence for sentence in rendering.cannot_say)
    return {file.name: file.text for file in rendering.files}


def test_the_module_beside_it_needs_torch_alone(tmp_path: Path) -> None:
    """In a Python that finds nothing of memplanner."""
    (tmp_path / SPARSITY_FILE).write_text(sparsity_source())
    code = (
        "import sys, torch, sparsity\n"
        "from torch import nn\n"
        "model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))\n"
        "batches = [{'input': torch.randn(9, 8)}]\n"
        "sparsity.put_zeros(model, ['0'], sparsity.Zeros('sparsegpt', kept_as='zeros'), batches)\n"
        "sparsity.make_smaller(model, sparsity.Smaller('wanda', mlp_ratio=0.5), (), batches)\n"
        "print(tuple(model[2].weight.shape))\n"
        "print(any(name.startswith('memplanner') for name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "(8, 8)\nFalse\n", done.stderr


def test_no_two_of_its_parts_have_a_name_in_common() -> None:
    """Or one would hide the other in the one module."""
    names: list[str] = []
    for part in _PARTS:
        source = files("memplanner.techniques.sparsity").joinpath(f"{part}.py").read_text("utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.append(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names += [target.id for target in targets if isinstance(target, ast.Name)]
    assert len(names) == len(set(names))
    parts = files("memplanner.techniques.sparsity").iterdir()
    every = {part.name.removesuffix(".py") for part in parts if part.name.endswith(".py")}
    assert every == {*_PARTS, "__init__"}


@pytest.mark.parametrize(
    "changes",
    [
        {"pruning.structure": "unstructured"},
        {"pruning.structure": "n_m", "pruning.method": "taylor", "pruning.kept_as": "zeros"},
        {**WIDTH, "pruning.method": "wanda", "pruning.block_ratio": 0.5},
        {**WIDTH, **LORA, "quantization.method": "nf4"},
    ],
    ids=str,
)
def test_scripts_are_formatted(
    llama: Model, card: Device, changes: dict[str, Any], tmp_path: Path
) -> None:
    texts = rendered(llama, card, changes)
    assert SPARSITY_FILE in texts
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for check in (["format", "--check"], ["check", "--select", "F,E501"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--line-length", "100", tmp_path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({**WIDTH, "pruning.width_multiple": 4}, ["mlp_ratio=0.5,", "width_multiple=4,"]),
        ({**WIDTH, "pruning.block_ratio": 0.5}, ["block_ratio=0.5,", "BLOCK_LISTS = ("]),
        (
            {**WIDTH, "pruning.block_ratio": 0.5, "pruning.block_choice": "influence"},
            ["by_influence=True,", "islice(stream, 4)"],
        ),
        ({**WIDTH, "pruning.mlp_ratio": 0, "pruning.head_ratio": 0.5}, ["head_ratio=0.5,"]),
        (
            {"pruning.structure": "n_m", "pruning.n": 1, "pruning.method": "wanda"},
            ["n_m=(1, 4),", 'method="wanda",', "lambda output: output.loss)"],
        ),
        (
            {
                "pruning.structure": "n_m",
                "pruning.layers": "named",
                "pruning.target_modules": "q_proj",
            },
            ['PRUNED = ("q_proj",)'],
        ),
    ],
    ids=str,
)
def test_what_the_plan_says_stands_in_the_script(
    llama: Model, card: Device, changes: dict[str, Any], lines: list[str]
) -> None:
    text = rendered(llama, card, changes)["train.py"]
    compile(text, "train.py", "exec")
    for line in lines:
        assert line in text


def test_without_pruning_nothing_of_it_is_there(llama: Model, card: Device) -> None:
    texts = rendered(llama, card, {})
    assert set(texts) == {"train.py"}
    assert "prune" not in texts["train.py"]


def test_what_the_model_does_not_let_be_pruned_is_refused(llama: Model, card: Device) -> None:
    with pytest.raises(PlanError, match="leaves none of"):
        rendered(llama, card, {**WIDTH, "pruning.block_ratio": 0.99})


def run(folder: Path, source: Path, changes: dict[str, Any]) -> tuple[int, dict[str, torch.Tensor]]:
    """How many parameters the script says it trains, and what it saved."""
    plan = Plan().with_values({**SMALL, **changes})
    path, *_ = export(load(source), plan, "script", folder)
    saved = folder / "model.safetensors"
    done = forked.script(path, "--steps", "2", "--device", "cpu", "--output", saved)
    assert done.returncode == 0, done.stderr
    found = re.search(r"^(\d+) trainable parameters", done.stdout, re.MULTILINE)
    assert found is not None
    return int(found[1]), load_file(saved)


@pytest.mark.slow
def test_a_smaller_model_is_trained_and_opens_again(tmp_path: Path, models: Path) -> None:
    changes = {**WIDTH, "pruning.method": "taylor", "pruning.block_ratio": 0.5}
    trained, tensors = run(tmp_path, models / "llama", changes)
    plan = Plan().with_values({**SMALL, **changes})
    assert trained == estimate(load(models / "llama"), plan, "cpu").model.trainable_parameters
    assert sum(part.numel() for part in tensors.values()) == trained
    again = LlamaForCausalLM.from_pretrained(tmp_path)
    before = LlamaConfig.from_pretrained(models / "llama")
    assert again.config.intermediate_size == before.intermediate_size // 2
    assert again.config.num_hidden_layers < before.num_hidden_layers
    assert sum(part.numel() for part in again.parameters()) == trained


@pytest.mark.slow
def test_masked_weights_are_saved_as_weights_with_their_zeros(tmp_path: Path, models: Path) -> None:
    changes = {"pruning.structure": "n_m", "pruning.method": "wanda"}
    _, tensors = run(tmp_path, models / "llama", changes)
    assert not any("weight_orig" in name or "weight_mask" in name for name in tensors)
    zeros = {name: int((part == 0).sum()) * 2 for name, part in tensors.items() if "_proj" in name}
    assert zeros == {name: part.numel() for name, part in tensors.items() if "_proj" in name}
