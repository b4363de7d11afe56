"""Models in use with dynamic int8: predicted peaks against real forwards and generations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from memplanner.estimate.recorder import recorder
from memplanner.messages.device import Device
from memplanner.techniques.generating.loop import model_inputs
from memplanner.techniques.layer_choice import linear_names
from memplanner.techniques.low_bit.dynamic import use_dynamic_int8
from memplanner.techniques.target import Target
from tests.truth.real_generation import measure_forward, measure_generation
from tests.truth.small_models import SMALL

CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
CASES = [
    ("llama", "generation", "fp32"),
    ("llama", "generation", "bf16"),
    ("gpt2 eager", "generation", "fp32"),
    ("llama", "forward", "fp32"),
    ("bert", "forward", "bf16"),
    ("vit", "forward", "fp32"),
]


@pytest.mark.parametrize(("name", "use", "precision"), CASES)
def test_a_use_takes_what_is_predicted(name: str, use: str, precision: str, tmp_path: Path) -> None:
    small = SMALL[name]
    model = mp.load(small.write(tmp_path))
    plan = mp.Plan.model_validate(
        {
            "precision": precision,
            "attention": {"kernel": small.attention.replace("sdpa", "auto")},
            "training": {"batch_size": 2, "sequence_length": 24},
            "inference": {"use": use, "new_tokens": 6},
            "quantization": {"method": "dynamic_int8"},
        }
    )
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    module: Any = small.build().to(dtype)
    use_dynamic_int8(module, linear_names(module))
    batch = model.batch(2, 24, torch.device("cpu"))
    inputs = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in model_inputs(batch, use).items()
    }
    if use == "generation":
        measured = measure_generation(module, inputs, max_new_tokens=6, use_cache=True)
    else:
        measured = measure_forward(module, inputs)
    tape, _ = recorder(model).tape(plan, Target())
    assert tape.without_scratch().curve_bytes.max() == measured.tensor_bytes
    predicted = mp.estimate(model, plan, CPU).peak.allocated_bytes
    assert abs(predicted / measured.allocator_bytes - 1) < 0.01
