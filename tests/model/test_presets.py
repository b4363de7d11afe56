from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.presets import find_preset, presets

PUBLISHED = {
    "llama-3.1-8b": 8030261248,
    "llama-3.1-70b": 70553706496,
    "llama-3.1-405b": 405853388800,
    "llama-3.2-1b": 1235814400,
    "llama-3.2-3b": 3212749824,
    "llama-2-7b": 6738415616,
    "llama-2-70b": 68976648192,
    "tinyllama-1.1b": 1100048384,
    "smollm2-135m": 134515008,
    "smollm2-1.7b": 1711376384,
    "qwen2.5-7b": 7615616512,
    "qwen3-8b": 8190735360,
    "mistral-7b-v0.1": 7241732096,
    "mixtral-8x7b": 46702792704,
    "gemma-2-2b": 2614341888,
    "gemma-2-9b": 9241705984,
    "phi-3-mini": 3821079552,
    "gpt2": 124439808,
    "gpt2-xl": 1557611200,
    "bert-base": 109514298,
    "t5-small": 60506624,
    "vit-b-16": 86567656,
    "vit-l-16": 304326632,
    "resnet-50": 25557032,
    "whisper-tiny": 37760640,
}


def test_the_list_names_every_published_model_with_its_size() -> None:
    assert {preset.name: preset.parameters for preset in presets()} == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_builds_weightless_with_exactly_the_published_parameters(name: str) -> None:
    model = load(f"preset:{name}")
    module = model.build(torch.device("meta"))

    assert model.parameter_count == PUBLISHED[name]
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}
    assert module.training
    assert model.class_name == find_preset(name).preset.class_name == type(module).__name__
    assert model.batch(2, 8, torch.device("meta"))


def test_sequences_are_limited_where_positions_are_learned() -> None:
    assert load("preset:gpt2").max_sequence_length == 1024
    assert load("preset:bert-base").max_sequence_length == 512
    assert load("preset:whisper-tiny").max_sequence_length == 448
    rotary = load("preset:llama-3.1-8b")
    assert rotary.max_sequence_length is None
    assert rotary.config["max_position_embeddings"] == 131072


def test_only_models_of_sequences_take_one() -> None:
    assert load("preset:t5-small").takes_sequence
    assert not load("preset:resnet-50").takes_sequence


def test_an_unknown_preset_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(SourceError, match=r"did you mean preset:llama-3.1-8b\?|choose one of"):
        load("preset:llama-3.1-8")


def test_listing_presets_imports_no_torch() -> None:
    code = (
        "import sys; from memplanner.model.presets import presets; assert len(presets()) == 25; "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
