from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from tests.truth.small_models import CNN

TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "use_cache": True,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``llama`` (a configuration), ``trained`` (with weights) and ``cnn.py``."""
    folder = tmp_path_factory.mktemp("models")
    config = transformers.LlamaConfig(**TINY)
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder / "llama")
    torch.manual_seed(1)
    transformers.LlamaForCausalLM(config).save_pretrained(folder / "trained")
    (folder / "cnn.py").write_text(CNN)
    return folder


@pytest.fixture(scope="session")
def llama(models: Path) -> Model:
    return load(models / "llama")


@pytest.fixture(scope="session")
def cnn(models: Path) -> Model:
    return load(models / "cnn.py")


@pytest.fixture(scope="session")
def card() -> Device:
    return find_device("H100 80GB")


@pytest.fixture(scope="session")
def cpu() -> Device:
    return find_device("cpu")
