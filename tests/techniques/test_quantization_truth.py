"""Predicted peaks of quantized models against really measured training steps on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from memplanner.messages.device import Device
from tests.techniques.quantized_step import Level, peak_bytes
from tests.truth.ground_truth import allocator_peak_bytes, tensor_peak_bytes
from tests.truth.small_models import SMALL

CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
SHAPES = {"llama": (2, 64), "gpt2 eager": (2, 48), "bert": (4, 32), "vit": (4, 1)}
TARGETS = {
    "llama": ["q_proj", "v_proj"],
    "gpt2 eager": ["c_attn"],
    "bert": ["query", "value"],
    "vit": ["q_proj", "v_proj"],
}
EIGHT = {"method": "linear", "bits": 8, "granularity": "channel", "symmetric": True}
FOUR = {"method": "linear", "bits": 4, "group_size": 32}
NF4 = {"method": "nf4", "double_quantization": False}
QLORA = {"method": "nf4"}
METHODS: dict[str, dict[str, Any]] = {"8 bits": EIGHT, "4 bits": FOUR, "NF4": NF4, "QLoRA": QLORA}


def _cases() -> list[Any]:
    cases: list[tuple[str, dict[str, Any]]] = [
        (name, {"quantization": section}) for name in SHAPES for section in METHODS.values()
    ]
    cases += [("llama", {"quantization": {"method": "linear", "bits": bits}}) for bits in (2, 3, 5)]
    cases += [
        (name, {"quantization": section, "precision": precision})
        for name in ("llama", "vit")
        for section in (FOUR, QLORA)
        for precision in ("bf16", "bf16_mixed")
    ]
    full = {"activation_checkpointing": {"policy": "full"}}
    cases += [
        ("llama", {"quantization": {"method": "companding", "bits": 4}}),
        ("llama", {"quantization": QLORA, **full}),
        ("llama", {"quantization": QLORA, "precision": "bf16", **full}),
        ("llama", {"quantization": FOUR, "training": {"gradient_accumulation_steps": 2}}),
        ("llama", {"quantization": {**FOUR, "per_layer": ["down_proj=8", "q_proj=nf4"]}}),
        (
            "llama",
            {"quantization": {**FOUR, "per_layer": ["1.mlp.down_proj=8", "0.mlp.up_proj=3"]}},
        ),
        ("vit", {"quantization": {**FOUR, "per_layer": ["v_proj=2"]}, "precision": "bf16"}),
    ]
    return [pytest.param(*case, id=f"{case[0]}: {_title(case[1])}") for case in cases]


def _title(sections: dict[str, Any]) -> str:
    parts = []
    for name, section in sections.items():
        values = section.values() if isinstance(section, dict) else (section,)
        parts.append(f"{name} {' '.join(map(str, values))}")
    return ", ".join(parts)


def peaks(
    name: str, sections: dict[str, Any], folder: Path, level: Level = tensor_peak_bytes
) -> tuple[Any, int]:
    """Predicted, and measured in bytes at one ``level``."""
    batch_size, sequence_length = SHAPES[name]
    training = {"batch_size": batch_size, "sequence_length": sequence_length}
    plan = mp.Plan.model_validate(
        {
            "precision": "fp32",
            "attention": {"kernel": SMALL[name].attention.replace("sdpa", "auto")},
            **sections,
            "training": training | sections.get("training", {}),
        }
    )
    torch.manual_seed(0)
    model = mp.load(SMALL[name].write(folder))
    batch = model.batch(batch_size, sequence_length, torch.device("cpu"))
    measured = peak_bytes(SMALL[name].build(), batch, plan, level)
    return mp.estimate(model, plan, device=CPU).peak, measured


@pytest.mark.slow
@pytest.mark.parametrize(("name", "sections"), _cases())
def test_peak_is_what_a_real_step_takes(
    name: str, sections: dict[str, Any], tmp_path: Path
) -> None:
    lora = {"method": "lora", "rank": 4, "target_modules": TARGETS[name]}
    peak, tensors = peaks(name, {"adapters": lora, **sections}, tmp_path)
    assert peak.allocated_bytes - peak.by_category.workspaces == tensors


LORA = {"method": "lora", "rank": 4, "target_modules": TARGETS["llama"]}
QAT = {"method": "qat", "bits": 4, "group_size": 32}
AWARE: list[tuple[str, dict[str, Any]]] = [
    *((name, {"quantization": QAT}) for name in SHAPES),
    ("llama", {"quantization": {**QAT, "granularity": "channel", "symmetric": True}}),
    ("llama", {"quantization": {**QAT, "round_inputs": True}}),
    ("gpt2 eager", {"quantization": {**QAT, "round_inputs": True}, "precision": "bf16"}),
    ("llama", {"quantization": QAT, "precision": "bf16"}),
    ("llama", {"quantization": QAT, "precision": "bf16_mixed"}),
    ("vit", {"quantization": {**QAT, "round_inputs": True}, "precision": "bf16_mixed"}),
    ("llama", {"quantization": QAT, "activation_checkpointing": {"policy": "full"}}),
    ("llama", {"quantization": QAT, "training": {"gradient_accumulation_steps": 2}}),
    *((name, {"quantization": {"method": "fp8"}}) for name in SHAPES),
    ("llama", {"quantization": {"method": "fp8"}, "precision": "bf16_mixed"}),
    ("vit", {"quantization": {"method": "fp8"}, "precision": "bf16"}),
    ("llama", {"quantization": {"method": "fp8"}, "adapters": LORA}),
    ("llama", {"quantization": {"method": "fp8"}, "adapters": LORA, "precision": "bf16_mixed"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sections"),
    [pytest.param(*case, id=f"{case[0]}: {_title(case[1])}") for case in AWARE],
)
def test_training_with_rounded_weights_or_products_takes_what_was_predicted(
    name: str, sections: dict[str, Any], tmp_path: Path
) -> None:
    peak, tensors = peaks(name, sections, tmp_path)
    assert peak.allocated_bytes - peak.by_category.workspaces == tensors


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", SHAPES)
def test_states_in_eight_bits_take_what_bitsandbytes_takes(
    name: str, precision: str, tmp_path: Path
) -> None:
    """At allocator level: its kernels' temporaries are no tensors that a mode could see."""
    pytest.importorskip("bitsandbytes", reason="an optional requirement")
    sections = {"precision": precision, "optimizer": {"implementation": "bitsandbytes_8bit"}}
    peak, allocated = peaks(name, sections, tmp_path, allocator_peak_bytes)
    assert peak.allocated_bytes == pytest.approx(allocated, rel=0.001)


def test_the_peak_falls_by_what_the_weights_lose(tmp_path: Path) -> None:
    """Four bits in groups of 32 with two scales in bf16 are five bits a weight."""
    model = mp.load(SMALL["llama"].write(tmp_path))
    lora = {"method": "lora", "rank": 4}
    kept = {
        method: mp.estimate(
            model, mp.Plan.model_validate({"adapters": lora, "quantization": section}), CPU
        ).peak.by_category.parameters
        for method, section in (("none", {}), ("linear", FOUR))
    }
    layer = 2 * 128 * 128 + 2 * 128 * 32 + 3 * 128 * 352
    assert kept["none"] - kept["linear"] == 7 * layer * (16 - 5) // 8
