"""A Hugging Face folder, or its ``config.json``: the architecture, and weights where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from memplanner.errors import SourceError
from memplanner.model.hugging_face import model_from_config
from memplanner.model.hugging_face_config import resolve
from memplanner.model.loaded import Model
from memplanner.model.reading import read_json
from memplanner.model.tensors import StoredTensor
from memplanner.model.weights import ADAPTER, compare, find_weights, loader, pickled_weights

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")


def load_folder(
    folder: Path,
    *,
    source: str,
    kind: str = "hugging_face",
    name: str | None = None,
    trust_code: bool = False,
    weights: Sequence[StoredTensor] | None = None,
) -> Model:
    """The model whose ``config.json`` lies in ``folder``.

    ``weights`` are tensors already read from a file there; left out, the folder's safetensors
    are looked for. Only headers are read. Raises ``SourceError``.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise SourceError(_without_config(folder))
    values = read_json(path)
    model_class, config, notes = resolve(values, path, trust_code=trust_code)
    if (folder / ADAPTER).is_file():
        notes += (f"{ADAPTER} is left aside; plan an adapter under adapters.",)
    stored = find_weights(folder) if weights is None else tuple(weights)
    quantized = values.get("quantization_config")
    model = model_from_config(
        model_class,
        config,
        name=name or folder.resolve().name,
        source=source,
        kind=kind,
        tokenizer=_tokenizer(folder),
        notes=notes,
    )
    if not stored:
        return replace(model, notes=model.notes + _no_weights(folder))
    if isinstance(quantized, dict):
        method = str(quantized.get("quant_method", "quantized"))[:40]
        note = f"The weights are stored quantized ({method}); apply starts from random ones."
        return replace(model, notes=(*model.notes, note))
    notes = compare(model.build(torch.device("meta")), stored, str(path))
    return replace(
        model,
        notes=model.notes + notes,
        load_weights=loader(model_class, config, folder, stored),
    )


def _tokenizer(folder: Path) -> str | None:
    return str(folder) if any((folder / file).is_file() for file in _TOKENIZER_FILES) else None


def _no_weights(folder: Path) -> tuple[str, ...]:
    pickle = pickled_weights(folder)
    if pickle is None:
        return ()
    return (
        f"{pickle} is a pickle and stays unread, since loading one can run code; apply starts from "
        "random weights.",
    )


def _without_config(folder: Path) -> str:
    def holds(pattern: str) -> Any:
        return next(iter(sorted(folder.glob(pattern))), None)

    if (folder / ADAPTER).is_file():
        return (
            f"{folder} holds an adapter without its model; open the base model and plan the "
            "adapter under adapters."
        )
    if (folder / "model_index.json").is_file():
        return (
            f"{folder} holds a diffusers pipeline; open its network through a recipe file with "
            "model() and batch(batch_size, sequence_length)."
        )
    other = holds("*.gguf") or holds("*.safetensors")
    if other is not None:
        return f"{folder} has no config.json; add it, or open {other.name} in it instead."
    return f"{folder} has no config.json; name a folder that holds one."
