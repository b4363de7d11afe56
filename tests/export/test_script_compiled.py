"""Scripts whose blocks are compiled and recompute: they really run, and take what is predicted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from memplanner.estimate import estimate
from memplanner.model import load
from memplanner.plan import Plan
from tests.export.started_script import started
from tests.export.test_script_runs import SMALL, imported, write
from tests.techniques.test_compilation import SCALARS
from tests.truth.ground_truth import allocator_peak_bytes

COMPILED: dict[str, Any] = {
    "compilation.mode": "blocks", "compilation.backend": "aot_eager_decomp_partition",
    "precision": "fp32", "optimizer.implementation": "for_loop",
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "products": {"activation_checkpointing.policy": "selective"},
    "every second product": {
        "activation_checkpointing.policy": "selective",
        "activation_checkpointing.operations": "attention, every_second_mm",
    },
    "by name": {
        "activation_checkpointing.policy": "named",
        "activation_checkpointing.modules": "model.layers.*.mlp",
    },
    "full, fp8": {"activation_checkpointing.policy": "full", "quantization.method": "fp8"},
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # dynamo asks
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function:DeprecationWarning")
@pytest.mark.parametrize("way", WAYS)
def test_it_takes_what_is_predicted(
    way: str, tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    changes = {**COMPILED, **WAYS[way]}
    script = imported(write(tmp_path, models / "llama", changes), monkeypatch)
    monkeypatch.setitem(sys.modules, script.__name__, script)  # Dynamo looks functions up there
    steps, there = started(script)
    peak = allocator_peak_bytes(steps, there)

    assert counters["frames"]["ok"] > 0
    assert not counters["graph_break"]
    predicted = estimate(load(models / "llama"), Plan().with_values({**SMALL, **changes}), "cpu")
    assert abs(peak - predicted.peak.allocated_bytes) <= SCALARS


def test_blocks_are_compiled_around_what_they_recompute(tmp_path: Path, models: Path) -> None:
    script = write(tmp_path, models / "llama", {**COMPILED, **WAYS["products"]})
    text = script.read_text()

    assert text.index("    checkpoint_blocks(model)") < text.index("    compile_blocks(model)")
    assert "recomputed(block.forward, context_fn=contexts)" in text
