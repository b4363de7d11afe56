from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
import transformers

from memplanner.errors import SourceError
from memplanner.model import hub, load

CONFIG = '{"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 9}'


class Trap:
    """Would make a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["model.bin", "model.pt", "model.pth", "model.ckpt", "model.pkl"])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap(tmp_path / "trapped")))
    with pytest.raises(SourceError, match=r"can run any code.*safetensors.*recipe"):
        load(path)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.gguf", "weights"])
def test_a_pickle_under_another_name_is_told_by_its_bytes(tmp_path: Path, name: str) -> None:
    stream = io.BytesIO()
    torch.save({"a": torch.ones(1)}, stream, _use_new_zipfile_serialization=False)
    path = tmp_path / name
    path.write_bytes(stream.getvalue())
    with pytest.raises(SourceError, match="is a pickle"):
        load(path)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_every_binary_pickle_protocol_is_known(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "weights"
    path.write_bytes(pickle.dumps({"a": 1}, protocol))
    with pytest.raises(SourceError, match="is a pickle"):
        load(path)


@pytest.mark.parametrize(
    "source", ["", "nowhere", "./no/such/model.safetensors", "a\0b", "x" * 5000, "no.json", "~"]
)
def test_what_is_not_there_is_one_sentence(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        load(source)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_file_of_another_kind_says_what_can_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(SourceError, match="no model file"):
        load(path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(SourceError, match=r"not called config\.json"):
        load(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not valid JSON"),
        (b"[]", "no JSON object"),
        (b'{"a": 1,}', "not valid JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested too deeply"),
        (b" " * (5 * 2**20), "longer than 4 MiB"),
        (b'{"model_type": "gpt2", "n_embd": ' + b"9" * 10_000 + b"}", "not valid JSON"),
    ],
)
def test_a_bomb_for_a_configuration_is_one_sentence(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_an_unreadable_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.json"
    path.write_text(CONFIG)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match="permission denied"):
        load(path)


def test_the_hub_out_of_reach_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "hub_answers", lambda: False)
    download = huggingface_hub.hf_hub_download
    local: list[bool] = []

    def see(**options: Any) -> str:
        local.append(options["local_files_only"])
        return str(download(**options))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", see)
    with pytest.raises(SourceError, match="hub cannot be reached"):
        load("no-such-org/no-such-model")
    assert local == [True], "else the hub's client tries again for 24 seconds"


def test_a_cached_model_of_the_hub_opens_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "hub_answers", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--some--model"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text(CONFIG)

    model = load("some/model")
    assert (model.name, model.kind, model.class_name) == ("some/model", "hub", "GPT2LMHeadModel")


def test_weights_of_the_hub_are_those_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured, whole = tmp_path / "configured", tmp_path / "whole"
    module = transformers.GPT2LMHeadModel(transformers.GPT2Config(**json.loads(CONFIG)))
    module.save_pretrained(whole)
    configured.mkdir()
    (configured / "config.json").write_bytes((whole / "config.json").read_bytes())
    monkeypatch.setattr(hub, "_config", lambda *_: configured / "config.json")
    monkeypatch.setattr(hub, "_snapshot", lambda *_: whole)

    model = load("some/model")
    assert model.load_weights is not None
    filled = model.build(torch.device("cpu"))
    model.load_weights(filled)
    assert all(map(torch.equal, filled.parameters(), module.parameters()))

    (whole / "model.safetensors").unlink()
    with pytest.raises(SourceError, match="some/model are quantized or no safetensors files"):
        model.load_weights(filled)


def test_a_name_is_text_and_a_path_is_utf_8(tmp_path: Path) -> None:
    odd = tmp_path / "a\n\x1b[2Jb"
    odd.mkdir()
    (odd / "config.json").write_text(CONFIG)
    assert load(odd).name == "a [2Jb"
    with pytest.raises(SourceError, match=r"\\udcff' is not named in UTF-8; rename it"):
        load(tmp_path / "\udcff")


def test_a_port_that_nobody_listens_on_counts_as_out_of_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert not hub.hub_answers()
