"""Each reader of files by its name: what it takes, and a few files as they should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def model(path: Path) -> object:
    from memplanner.model import load

    return load(path)


def config(path: Path) -> object:
    from memplanner.model import load

    return load(path.parent)


def folder(path: Path) -> object:
    """The folder that a file's bytes are, down to its weights and tokenizer where it has some."""
    import torch

    from memplanner.model import load
    from memplanner.model.data import open_tokenizer, tokenize
    from memplanner.run.reloading import load_compressed
    from tests.hostile.case import is_one_line
    from tests.hostile.folders import opened

    place = opened(path)
    model = load(place)
    assert all(map(is_one_line, (model.name, model.class_name, *model.notes)))
    assert model.info().model_dump_json()
    if model.load_weights is not None:
        model.load_weights(model.build(torch.device("cpu")))
    if model.tokenizer is not None:
        open_tokenizer.cache_clear()
        tokenize(model, "Some text.", place)
    if (place / "plan.yaml").is_file():
        load_compressed(place)
    return model


def plan(path: Path) -> object:
    from memplanner.plan.file import read_plan

    return read_plan(path)


def trainer(path: Path) -> object:
    from memplanner.importing import read_trainer

    return read_trainer(path)


def snapshot(path: Path) -> object:
    from memplanner.snapshot.reader import read_snapshot

    return read_snapshot(path)


def text(path: Path) -> object:
    from memplanner.model.data import read_text

    return read_text(path)


def protocol(path: Path) -> object:
    from tests.hostile.protocol_lines import read

    return read(path.read_bytes())


READERS: dict[str, Callable[[Path], object]] = {
    "safetensors": model,
    "gguf": model,
    "onnx": model,
    "archive": model,
    "keras": model,
    "config": config,
    "index": folder,
    "folder": folder,
    "plan": plan,
    "trainer": trainer,
    "snapshot": snapshot,
    "text": text,
    "protocol": protocol,
}
ENDINGS = {
    "safetensors": "m.safetensors", "gguf": "m.gguf", "onnx": "m.onnx", "archive": "m.pt",
    "keras": "m.keras", "config": "config.json", "index": "index.packed", "folder": "folder.packed",
    "plan": "plan.yaml", "trainer": "t.yaml",
    "snapshot": "s.pickle", "text": "t.txt", "protocol": "lines.jsonl",
}  # fmt: skip
FOLDERS = ("index", "folder")
"""Readers of a folder, which a file's bytes are."""
