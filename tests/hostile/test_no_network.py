"""Nothing asks the network but a hub id that the user names."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
import transformers
from safetensors.torch import save_file

from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.data import open_tokenizer
from tests.hostile.seeds import LLAMA, seed
from tests.model.test_gguf import small_llama
from tests.run.recipes import write_recipe
from tests.terminal import memplanner


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the network was asked for; every question is refused."""
    questions: list[str] = []

    def refuse(*arguments: Any, **_: Any) -> NoReturn:
        questions.append(str(arguments))
        raise OSError("the network is out of reach")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return questions


def test_commands_ask_nobody(asked: list[str], tmp_path: Path) -> None:
    config = {**LLAMA, "backbone": "org/model", "_name_or_path": "org/model"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    weights = tmp_path / "m.safetensors"
    weights.write_bytes(seed("safetensors"))
    plan = tmp_path / "trainer.yaml"
    plan.write_bytes(seed("trainer"))
    memplanner("presets")
    for source in (tmp_path, weights, write_recipe(tmp_path)):
        load(source)
    small = ("--device", "cpu", "--batch-size", "1", "--sequence-length", "16")
    memplanner("estimate", tmp_path, *small, "--plan", plan)
    assert asked == []


def test_weights_and_tokenizers_of_a_folder_ask_nobody(asked: list[str], tmp_path: Path) -> None:
    config = transformers.LlamaConfig(**LLAMA)
    kept = transformers.LlamaForCausalLM(config)
    kept.save_pretrained(tmp_path)
    renamed = {
        name.removeprefix("model."): tensor.clone() for name, tensor in kept.state_dict().items()
    }
    save_file(renamed, tmp_path / "model.safetensors")  # so transformers has to name them again
    model = load(tmp_path)
    copied = model.build(torch.device("cpu"))
    assert model.load_weights is not None
    model.load_weights(copied)
    assert all(map(torch.equal, copied.parameters(), kept.parameters()))

    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(small_llama())
    for place in (tmp_path, gguf):
        with suppress(SourceError):  # there is no tokenizer, and nobody is asked for one
            open_tokenizer(str(place))
    assert asked == []


def test_a_hub_that_is_out_of_reach_is_asked_once(asked: list[str]) -> None:
    with pytest.raises(SourceError, match="is not on this machine and the hub cannot be reached"):
        load("no-such-org/no-such-model")
    assert len(asked) == 1


def test_a_hub_id_is_asked_for(asked: list[str]) -> None:
    shown = memplanner("estimate", "no-such-org/no-such-model", "--device", "cpu")
    assert shown.exit_code == 2
    assert asked
