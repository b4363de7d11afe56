"""What is unfolded on paper is what a recording of the whole model gives, event by event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memplanner.estimate.recorder import Recorder
from memplanner.techniques.target import Target
from tests.estimate.recordings import (
    CPU,
    H100,
    differences,
    planned,
    recipe,
    record_folded,
    record_whole,
    tiny,
)

FOREACH = {"optimizer__implementation": "foreach"}
IN_BACKWARD = {"optimizer__update": "in_backward"}
CHECKPOINTED = {"activation_checkpointing__policy": "full"}
LORA = {"adapters__method": "lora", "adapters__rank": 2}
CARRIED = {"training__zero_grad": "before_backward", "training__outputs": "until_next_output"}
MIXED = {"precision": "bf16_mixed"}
ACCUMULATED = {"training__gradient_accumulation_steps": 3}

CASES: list[tuple[str, dict[str, Any], Target]] = [
    ("llama", {}, CPU),
    ("llama", FOREACH, CPU),
    ("llama", {"optimizer__implementation": "fused"}, CPU),
    ("llama", {"optimizer__name": "adafactor"}, CPU),
    ("llama", {"optimizer__name": "rmsprop", "optimizer__momentum": 0.9, **FOREACH}, CPU),
    ("llama", {"optimizer__name": "adagrad"}, CPU),
    ("llama", {"optimizer__name": "sgd", **FOREACH}, CPU),
    ("llama", CHECKPOINTED, CPU),
    (
        "long llama",
        {"activation_checkpointing__policy": "every_n", "activation_checkpointing__every": 2},
        CPU,
    ),
    ("llama", {"activation_checkpointing__policy": "selective", **FOREACH}, CPU),
    ("llama", LORA, CPU),
    ("llama", {**LORA, **CHECKPOINTED, **FOREACH}, CPU),
    ("llama", {**MIXED, **CHECKPOINTED}, CPU),
    ("llama", {**ACCUMULATED, **FOREACH}, CPU),
    ("llama", {**CARRIED, **ACCUMULATED}, CPU),
    ("llama", {**CARRIED, **FOREACH}, CPU),
    ("llama", {"training__zero_grad": "before_forward"}, CPU),
    ("llama", {"precision": "bf16"}, H100),
    ("llama", IN_BACKWARD, CPU),
    ("llama", {**IN_BACKWARD, **LORA, **CHECKPOINTED, **FOREACH}, H100),
    ("gpt2", {**IN_BACKWARD, "optimizer__name": "adafactor"}, CPU),
    ("gemma2", {}, CPU),
    ("gemma2", {**CHECKPOINTED, **FOREACH}, CPU),
    ("gemma2", MIXED, H100),
    ("gemma3", FOREACH, CPU),
    ("gpt2", {}, CPU),
    ("gpt2", {**CARRIED, **FOREACH, "precision": "bf16"}, H100),
    ("gpt2", {"attention__kernel": "eager", **LORA}, CPU),
    ("bert", {}, CPU),
    ("bert", {**CHECKPOINTED, **ACCUMULATED}, CPU),
    ("bert", {**MIXED, **FOREACH}, H100),
    ("t5", {}, CPU),
    ("t5", {**CHECKPOINTED, **FOREACH}, CPU),
    ("vit", {}, CPU),
    ("vit", {**LORA, **FOREACH, "precision": "bf16"}, CPU),
    ("swin", {}, CPU),
    ("mixtral", FOREACH, CPU),
    ("mixtral", {**MIXED, **CHECKPOINTED}, H100),
    ("qwen2_moe", {"precision": "bf16"}, CPU),
]


def _title(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key.rpartition('__')[2]}={part}" for key, part in value.items()) or "-"
    return value.kind if isinstance(value, Target) else str(value)


@pytest.mark.parametrize(("name", "values", "target"), CASES, ids=_title)
def test_a_folded_model_is_the_whole_one(name: str, values: dict[str, Any], target: Target) -> None:
    plan = planned(**values)
    folded = record_folded(tiny(name), plan, target)
    assert folded is not None
    assert differences(folded, record_whole(tiny(name), plan, target)) == []


def test_other_lengths_around_the_window_fold_too() -> None:
    for length in (16, 17):
        plan = planned(1, length)
        folded = record_folded(tiny("gemma2"), plan, H100)
        assert folded is not None
        assert differences(folded, record_whole(tiny("gemma2"), plan, H100)) == []


ALIKE_ONLY_TO_LOOK_AT = {
    "block 5 is treated differently": (
        "for i, block in enumerate(self.blocks):\n"
        "            x = block(x)\n"
        "            if i == 5: x = torch.cat([x, x])"
    ),
    "every fourth is followed by more": (
        "for i, block in enumerate(self.blocks):\n"
        "            x = block(x)\n"
        "            if i % 4 == 3: x = x.sigmoid()"
    ),
    "every third": (
        "for i, block in enumerate(self.blocks):\n"
        "            x = block(x)\n"
        "            if i % 3 == 0: x = x.sigmoid()"
    ),
    "the last by its number": (
        "for i, block in enumerate(self.blocks):\n"
        "            x = block(x)\n"
        "            if i < 8: x = x.sigmoid()"
    ),
    "the last three do not run": "for block in self.blocks[:6]: x = block(x)",
    "block 5 learns nothing": (
        "for i, block in enumerate(self.blocks):\n"
        "            with torch.set_grad_enabled(i != 5): y = block(x)\n"
        "            x = x + y"
    ),
    "nothing learns before block 5": (
        "for i, block in enumerate(self.blocks):\n"
        "            x = block(x)\n"
        "            if i == 5: x = x.detach()"
    ),
    "block 7 is named": "x = x + self.blocks[7](x)\n        for block in self.blocks: x = block(x)",
    "block 5 is kept for the end": (
        "for i, block in enumerate(self.blocks):\n"
        "            x = block(x)\n"
        "            if i == 5: kept = x\n"
        "        x = x * kept"
    ),
    "skips across, as in a U-Net": (
        "kept = []\n"
        "        for block in self.blocks[:4]:\n"
        "            x = block(x)\n"
        "            kept.append(x)\n"
        "        for block in self.blocks[4:8]: x = block(x * kept.pop())"
    ),
    "all before, as in a DenseNet": (
        "kept = [x]\n"
        "        for block in self.blocks: kept.append(block(torch.stack(kept).mean(0)))\n"
        "        x = kept[-1]"
    ),
    "each adds to the batch": "for block in self.blocks: x = torch.cat([block(x), x[:1]])",
    "all see the first": "x = sum(block(x) for block in self.blocks)",
    "the list runs twice": "for block in [*self.blocks, *self.blocks]: x = block(x)",
    "backwards": "for block in reversed(self.blocks): x = block(x)",
    "one layer between all": "for block in self.blocks: x = self.between(block(x)).relu()",
    "a row of a parameter for each": (
        "for i, block in enumerate(self.blocks): x = block(x) * self.rows[i]"
    ),
    "nothing odd": "for block in self.blocks: x = block(x)",
}

RECIPE = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(x)))


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block() for _ in range(9))
        self.between, self.head = nn.Linear(8, 8), nn.Linear(8, 4)
        self.rows = nn.Parameter(torch.ones(9, 8))

    def forward(self, x):
        {forward}
        return self.head(x).sum()


def model():
    return Blocks()


def batch(batch_size, sequence_length):
    return {{"x": torch.randn(batch_size, sequence_length, 8)}}
"""


@pytest.mark.parametrize("values", [{}, {**CHECKPOINTED, **FOREACH}], ids=_title)
@pytest.mark.parametrize("title", ALIKE_ONLY_TO_LOOK_AT)
def test_what_only_looks_alike_is_recorded_whole(
    title: str, values: dict[str, Any], tmp_path: Path
) -> None:
    model = recipe(tmp_path, RECIPE.format(forward=ALIKE_ONLY_TO_LOOK_AT[title]))
    plan = planned(2, 5, **values)

    tape, method = Recorder(model).tape(plan, CPU)

    assert differences(tape, record_whole(model, plan)) == []
    if title in {"nothing odd", "backwards"}:
        assert "folded" in method


UNET = RECIPE.replace(
    "        self.blocks = nn.ModuleList(Block() for _ in range(9))",
    "        self.down = nn.ModuleList(Block() for _ in range(7))\n"
    "        self.up = nn.ModuleList(Block() for _ in range(7))",
)


@pytest.mark.parametrize(
    "forward",
    [
        "kept = []\n"
        "        for block in self.down:\n"
        "            x = block(x)\n"
        "            kept.append(x)\n"
        "        for block in self.up: x = block(x * kept.pop())",
        "for down, up in zip(self.down, self.up): x = up(down(x))",
        "for block in self.down: x = block(x)\n        for block in self.up: x = block(x)",
    ],
    ids=["skips from one to the other", "taking turns", "one after the other"],
)
def test_two_lists(forward: str, tmp_path: Path) -> None:
    model = recipe(tmp_path, UNET.format(forward=forward))
    plan = planned(2, 5, **FOREACH)
    tape, _ = Recorder(model).tape(plan, CPU)
    assert differences(tape, record_whole(model, plan)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    """bert-base gemma-2-2b gemma-2-9b gpt2 gpt2-xl llama-3.1-8b mistral-7b-v0.1 mixtral-8x7b
    phi-3-mini qwen2.5-7b qwen3-8b resnet-50 smollm2-135m t5-small vit-b-16 whisper-tiny""".split(),
)
def test_presets_are_what_their_folds_say(name: str) -> None:
    """Presets are folded on trust; here is what the trust rests on."""
    from memplanner.model import load

    model = load(f"preset:{name}")
    plan = planned(1, 64, precision="bf16")
    tape, _ = Recorder(model).tape(plan, H100)
    assert differences(tape, record_whole(model, plan, H100)) == []
