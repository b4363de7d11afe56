"""Scripts that really run: on their own, and against what was predicted for them."""

from __future__ import annotations

import importlib.util
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.attention import SDPBackend, sdpa_kernel

from memplanner.estimate import estimate
from memplanner.export import export
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import PRODUCTS
from memplanner.techniques.checkpointed_operations import NAMES
from tests import forked
from tests.truth.ground_truth import standing, tensor_peak_bytes

LORA = {"adapters.method": "lora", "adapters.rank": 4}
QLORA = {**LORA, "quantization.method": "nf4"}
BITS = "down_proj=8, q_proj=nf4, model.layers.0.*=16"
IN_BACKWARD = {"optimizer.update": "in_backward"}
CHUNKED = {"loss.method": "chunked"}
FULL = {"activation_checkpointing.policy": "full"}
SMALL = {"training.batch_size": 2, "training.sequence_length": 24}


def write(folder: Path, source: Path | str, changes: dict[str, Any], **options: Any) -> Path:
    plan = Plan().with_values({**SMALL, **changes})
    path, *_ = export(load(source, **options), plan, "script", folder)
    return Path(path)


def run(script: Path, *arguments: str) -> str:
    """What the script prints in two steps, in a process of its own."""
    done = forked.script(script, "--steps", "2", "--device", "cpu", *arguments)
    assert done.returncode == 0, done.stderr
    losses = re.findall(r"^step \d: loss (\d+\.\d+), peak ", done.stdout, re.MULTILINE)
    assert len(losses) == 2, done.stdout
    return done.stdout


def trainable(output: str) -> int:
    found = re.search(r"^(\d+) trainable parameters on cpu$", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1])


@pytest.mark.slow
def test_a_configuration_trains_in_bf16_on_a_text(tmp_path: Path, models: Path) -> None:
    script = write(tmp_path, models / "llama", {"precision": "bf16"})
    (tmp_path / "text.txt").write_text("A few words, again and again. " * 9)
    saved = tmp_path / "saved.safetensors"
    output = run(script, "--data", str(tmp_path / "text.txt"), "--output", str(saved))
    model = load(models / "llama")
    assert trainable(output) == model.trainable_parameter_count
    tensors = load_file(saved)
    assert sum(tensor.numel() for tensor in tensors.values()) == model.parameter_count
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}


@pytest.mark.slow
def test_trained_weights_get_adapters_and_recomputation(tmp_path: Path, models: Path) -> None:
    script = write(tmp_path, models / "trained", {**LORA, **FULL})
    saved = tmp_path / "saved.safetensors"
    output = run(script, "--output", str(saved))
    tensors = load_file(saved)
    assert sum(tensor.numel() for tensor in tensors.values()) == trainable(output)
    assert all(".lora_" in name and t.dtype is torch.float32 for name, t in tensors.items())


@pytest.mark.slow
def test_quantized_weights_get_adapters(tmp_path: Path, models: Path) -> None:
    script = write(tmp_path, models / "trained", QLORA)
    assert (tmp_path / "low_bit.py").is_file()
    saved = tmp_path / "saved.safetensors"
    output = run(script, "--output", str(saved))
    tensors = load_file(saved)
    assert sum(tensor.numel() for tensor in tensors.values()) == trainable(output)
    assert all(".lora_" in name for name in tensors)


@pytest.mark.slow
def test_a_recipe_trains(tmp_path: Path, models: Path) -> None:
    changes = {"precision": "bf16_mixed", "training.gradient_accumulation_steps": 2}
    output = run(write(tmp_path, models / "cnn.py", changes))
    assert trainable(output) == load(models / "cnn.py").trainable_parameter_count


def imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module; what it adds to the search path is taken away after the test."""
    monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])
    monkeypatch.setitem(sys.modules, "recipe", None)
    monkeypatch.delitem(sys.modules, "low_bit", raising=False)
    specification = importlib.util.spec_from_file_location("exported_train", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class _Hooked:
    """What the optimizers of a script that updates in backward keep."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module

    @property
    def state(self) -> dict[torch.Tensor, Any]:
        return {
            parameter: hook.args[0].state[parameter]
            for parameter in self._module.parameters()
            for hook in (parameter._post_accumulate_grad_hooks or {}).values()
        }


PEAKS: dict[str, tuple[str, dict[str, Any]]] = {
    "fp32": ("llama", {"precision": "fp32"}),
    "bf16": ("trained", {"precision": "bf16", "optimizer.implementation": "foreach"}),
    "mixed": ("llama", {"precision": "bf16_mixed", "training.outputs": "until_next_output"}),
    "lora": ("llama", LORA),
    "lora, full": ("llama", {**LORA, **FULL}),
    "every_n": (
        "llama",
        {"activation_checkpointing.policy": "every_n", "activation_checkpointing.every": 3},
    ),
    "selective": ("llama", {"activation_checkpointing.policy": "selective", "precision": "fp32"}),
    "unfused, full": ("llama", {"attention.kernel": "math", **FULL}),
    "eager": ("llama", {"attention.kernel": "eager"}),
    "accumulation": (
        "llama",
        {"training.gradient_accumulation_steps": 3, "training.zero_grad": "before_backward"},
    ),
    "outputs dropped": (
        "llama",
        {"training.zero_grad": "before_forward", "training.outputs": "until_loss"},
    ),
    "sgd": ("llama", {"optimizer.name": "sgd", "optimizer.momentum": 0.9}),
    "updates in backward": ("llama", IN_BACKWARD),
    "loss in chunks": ("llama", {**CHUNKED, "precision": "bf16"}),
    "loss in chunks, mixed, lora": ("llama", {**CHUNKED, **LORA, "precision": "bf16_mixed"}),
    "bits per layer": (
        "llama",
        {**LORA, "quantization.method": "linear", "quantization.per_layer": BITS},
    ),
    "fp8 products, mixed": ("llama", {"quantization.method": "fp8", "precision": "bf16_mixed"}),
    "rounded weights": ("llama", {"quantization.method": "qat"}),
    "rounded weights and inputs, mixed": (
        "llama",
        {
            "quantization.method": "qat",
            "quantization.round_inputs": "true",
            "quantization.per_layer": "down_proj=8",
            "precision": "bf16_mixed",
        },
    ),
    "updates in backward, mixed": ("llama", {**IN_BACKWARD, "precision": "bf16_mixed"}),
    "QLoRA, full": ("llama", {**QLORA, **FULL}),
    "recomputed by name, LoRA": (
        "llama",
        {
            **LORA,
            "activation_checkpointing.policy": "named",
            "activation_checkpointing.modules": "model.layers.*.mlp, model.layers.1",
        },
    ),
    "3 bits, mixed": (
        "trained",
        {
            **LORA,
            "quantization.method": "linear",
            "quantization.bits": 3,
            "precision": "bf16_mixed",
        },
    ),
    "recipe": ("cnn.py", {"precision": "bf16"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", PEAKS)
def test_its_peak_is_the_predicted_one(
    case: str,
    tmp_path: Path,
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, changes = PEAKS[case]
    script = imported(write(tmp_path, models / source, changes), monkeypatch)
    device = torch.device("cpu")
    module = script.build_model(device)
    in_backward = IN_BACKWARD.items() <= changes.items()
    if in_backward:
        script.update_in_backward(module)
        optimizer: Any = _Hooked(module)
    else:
        optimizer = script.build_optimizer(module)
    batches = script.make_batches(*([device] if source == "cnn.py" else [device, None]))

    def steps() -> None:
        script.train(module, *([] if in_backward else [optimizer]), batches, 2, device)

    unfused = changes.get("attention.kernel") == "math"
    with sdpa_kernel(SDPBackend.MATH) if unfused else nullcontext():  # as the script's main does
        steps()  # makes the optimizer's state
        peak = tensor_peak_bytes(steps, standing(module, optimizer, {}))

    predicted = estimate(load(models / source), Plan().with_values({**SMALL, **changes}), "cpu")
    parts = predicted.peak.by_category
    assert peak == predicted.peak.allocated_bytes - parts.workspaces
    states = sum(
        value.nbytes
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    )
    assert states == parts.optimizer_state
    assert "step 2: loss" in capsys.readouterr().out


def test_what_selective_keeps_is_what_the_technique_keeps(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"activation_checkpointing.policy": "selective"}
    script = imported(write(tmp_path, models / "llama", changes), monkeypatch)
    assert {kernel for kernel, name in NAMES.items() if name in PRODUCTS} == script.KEPT
