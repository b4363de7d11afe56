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
    "plan": plan,
    "trainer": trainer,
    "snapshot": snapshot,
    "text": text,
    "protocol": protocol,
}
ENDINGS = {
    "safetensors": "m.safetensors", "gguf": "m.gguf", "onnx": "m.onnx", "archive": "m.pt",
    "keras": "m.keras", "config": "config.json", "plan": "plan.yaml", "trainer": "t.yaml",
    "snapshot": "s.pickle", "text": "t.txt", "protocol": "lines.jsonl",
}  # fmt: skip
