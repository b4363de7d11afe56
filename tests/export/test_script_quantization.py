"""The module in few bits beside an exported script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memplanner.errors import PlanError
from memplanner.export import render
from memplanner.export.script_quantization import LOW_BIT_FILE, low_bit_source
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan

LORA = {"adapters.method": "lora"}


def rendered(model: Model, device: Device, **changes: Any) -> dict[str, str]:
    values = {key.replace("__", "."): value for key, value in changes.items()}
    plan = Plan().with_values({**LORA, **values})
    return {file.name: file.text for file in render("script", model, plan, device).files}


def test_it_needs_torch_alone(tmp_path: Path) -> None:
    """In a Python that finds nothing of memplanner, and no other file either."""
    (tmp_path / LOW_BIT_FILE).write_text(low_bit_source())
    code = (
        "import sys, torch, low_bit\n"
        "layer = low_bit.QuantizedLinear(torch.randn(8, 64), None, low_bit.Format('nf4'))\n"
        "layer(torch.randn(2, 64, requires_grad=True)).sum().backward()\n"
        "print(any(name.startswith('memplanner') for name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "False\n", done.stderr


def test_it_is_formatted(tmp_path: Path) -> None:
    path = tmp_path / LOW_BIT_FILE
    path.write_text(low_bit_source())
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "--line-length", "100", path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_it_is_there_only_where_the_plan_needs_it(llama: Model, card: Device) -> None:
    assert set(rendered(llama, card)) == {"train.py"}
    assert set(rendered(llama, card, quantization__method="nf4")) == {"train.py", LOW_BIT_FILE}


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"quantization__method": "linear"}, ['        "linear",', "        bits=4,"]),
        (
            {"quantization__method": "nf4", "precision": "bf16_mixed"},
            [
                "        double_quantization=True,",
                "        compute_type=torch.bfloat16,",
                '        use_bitsandbytes=device.type == "cuda" and installed(),',
            ],
        ),
        (
            {
                "quantization__method": "companding",
                "quantization__layers": "named",
                "quantization__target_modules": "model.layers.1.mlp.*",
            },
            ['    "model.layers.1.mlp.gate_proj",', '        curve="mu_law",'],
        ),
        (
            {
                "quantization__method": "linear",
                "quantization__per_layer": "v_proj=nf4, model.layers.1.*=16",
            },
            [
                "OWN_BITS = {",
                '    "model.layers.0.self_attn.v_proj",',
                '        "nf4": Format(',
                "    formats = dict.fromkeys(names, kept)",
                "        formats,",
            ],
        ),
        (
            {"adapters__method": "none", "quantization__method": "qat"},
            ["    round_layers(model, names, formats)", "    quantize(model)"],
        ),
    ],
)
def test_the_script_says_the_format(
    llama: Model, card: Device, changes: dict[str, Any], lines: list[str]
) -> None:
    text = rendered(llama, card, **changes)["train.py"]
    compile(text, "train.py", "exec")
    assert set(lines) <= set(text.splitlines())


def test_layers_of_gpt2s_own_class_are_found_by_it(card: Device) -> None:
    text = rendered(load("preset:gpt2"), card, quantization__method="linear")["train.py"]
    assert "from transformers.pytorch_utils import Conv1D" in text
    assert "isinstance(layer, nn.Linear | Conv1D)" in text
    assert 'QUANTIZED = ("c_attn", "c_proj", "c_fc")' in text


def test_what_cannot_be_quantized_is_not_exported(card: Device) -> None:
    with pytest.raises(PlanError, match="shares its weight"):
        rendered(
            load("preset:gpt2"), card, quantization__method="linear", quantization__layers="all"
        )


def test_accelerate_says_that_it_cannot_say_it(llama: Model, card: Device) -> None:
    plan = Plan().with_values({**LORA, "quantization.method": "nf4"})
    sentences = render("accelerate", llama, plan, card).cannot_say
    (found,) = (sentence for sentence in sentences if sentence.startswith("Quantization"))
    assert "quantization.method=nf4, double_quantization=True" in found
    assert "BitsAndBytesConfig" in found
