"""Distillation in an exported script, and the modules beside it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM

from memplanner.estimate import estimate
from memplanner.export import render
from memplanner.export.script_distillation import distilling_source
from memplanner.export.script_pruning import sparsity_source
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests import forked
from tests.export.started_script import started
from tests.export.test_targets import SHOWN
from tests.truth.ground_truth import tensor_peak_bytes

SMALL = {"training.batch_size": 2, "training.sequence_length": 24, "precision": "fp32"}
HALF = {"distillation.student": "smaller"}
CASES: dict[str, dict[str, Any]] = {
    "half the blocks": HALF,
    "bf16, top k": {**HALF, "precision": "bf16", "distillation.top_k": 8},
    "narrower, hidden states": {
        **HALF,
        "distillation.block_ratio": 0.0,
        "distillation.hidden_ratio": 0.5,
        "distillation.hidden_weight": 1.0,
    },
    "eight bits, checkpointing": {
        **HALF,
        "distillation.teacher_quantization": "linear_8",
        "activation_checkpointing.policy": "full",
    },
    "attention, mixed": {
        **HALF,
        "distillation.attention_weight": 1.0,
        "attention.kernel": "eager",
        "precision": "bf16_mixed",
    },
    "LoRA on a student in four bits": {
        **HALF,
        "adapters.method": "lora",
        "adapters.rank": 4,
        "quantization.method": "nf4",
        "training.gradient_accumulation_steps": 2,
    },
}


def imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module, with the files beside it first on the path."""
    monkeypatch.syspath_prepend(str(folder))
    for name in ("distilling", "sparsity", "low_bit"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    specification = importlib.util.spec_from_file_location("train", folder / "train.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def written(folder: Path, model: Model, changes: dict[str, Any]) -> None:
    plan = Plan().with_values({**SMALL, **changes})
    for file in render("script", model, plan, find_device("cpu")).files:
        (folder / file.name).write_text(file.text)


@pytest.mark.parametrize("made", [True, False])
def test_the_module_beside_it_needs_torch_alone(tmp_path: Path, made: bool) -> None:
    (tmp_path / "distilling.py").write_text(distilling_source(made=made))
    if made:
        (tmp_path / "sparsity.py").write_text(sparsity_source())
    code = (
        "import sys, distilling\n"
        "print('make_student' in vars(distilling), distilling.uniform(2, 6))\n"
        "print(any(name.startswith('memplanner') for name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{made} [3, 6]\nFalse\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_its_peak_is_the_predicted_one(
    case: str, tmp_path: Path, llama: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = CASES[case]
    written(tmp_path, llama, changes)
    script = imported(tmp_path, monkeypatch)
    peak = tensor_peak_bytes(*started(script))
    predicted = estimate(llama, Plan().with_values({**SMALL, **changes}), "cpu").peak
    assert peak == predicted.allocated_bytes - predicted.by_category.workspaces


@pytest.mark.slow
def test_logits_ahead_of_time_and_a_student_that_opens_again(tmp_path: Path, models: Path) -> None:
    changes = {**HALF, "distillation.teacher_logits": "ahead", "distillation.temperature": 3.0}
    written(tmp_path, load(models / "trained"), changes)
    output = tmp_path / "out" / "model.safetensors"
    output.parent.mkdir()
    done = forked.script("train.py", "--steps", "2", "--output", output, cwd=tmp_path)
    assert "step 2: loss" in done.stdout, done.stderr
    config = AutoConfig.from_pretrained(output.parent)
    assert config.num_hidden_layers == 2
    student = LlamaForCausalLM(config)
    stored = load_file(output)
    assert {name: part.shape for name, part in student.named_parameters()} == {
        name: part.shape for name, part in stored.items()
    }


def test_another_model_stands_in_the_script_with_constants_of_its_own(
    tmp_path: Path, llama: Model, card: Device
) -> None:
    config = LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        vocab_size=300,
    )  # fmt: skip
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(tmp_path)
    changes = {
        **SMALL, "distillation.student": "source", "distillation.student_source": str(tmp_path),
        "distillation.teacher_offload": "host",
    }  # fmt: skip
    files = {
        file.name: file.text
        for file in render("script", llama, Plan().with_values(changes), card).files
    }
    assert set(files) == {"train.py", "distilling.py", "streamed_blocks.py"}
    compile(files["train.py"], "train.py", "exec")
    assert f'STUDENT_MODEL = "{tmp_path}"' in files["train.py"]
    assert "LlamaConfig.from_pretrained(STUDENT_MODEL)" in files["train.py"]
    assert "stream_blocks(blocks, " in files["train.py"]


@pytest.mark.parametrize(
    "changes",
    [
        {"block_ratio": 0.25, "mlp_ratio": 0.5, "head_ratio": 0.5, "hidden_ratio": 0.5},
        {"student": "budget", "budget_mib": 1, "width_multiple": 4, "top_k": 4},
        {"teacher_precision": "fp16", "teacher_quantization": "nf4", "teacher_offload": "host"},
        {"label_weight": 0.1, "logits_weight": 2.0, "temperature": 7.0, "hidden_weight": 3.0},
        {"teacher_logits": "ahead"},
        {"attention_weight": 0.3, "attention.kernel": "eager"},
    ],
    ids=str,
)
def test_every_key_is_in_it(changes: dict[str, Any], llama: Model, card: Device) -> None:
    keyed = {key if "." in key else f"distillation.{key}": value for key, value in changes.items()}
    plan = Plan().with_values({**HALF, **SMALL, "precision": "bf16", **keyed})
    rendering = render("script", llama, plan, card)
    assert rendering.cannot_say == ()
    for key in {**HALF, **keyed}:
        assert SHOWN[key](plan) in rendering.files[0].text, key
