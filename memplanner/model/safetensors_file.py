"""A ``.safetensors`` file or a sharded index: with a ``config.json`` a model, else parameters."""

from __future__ import annotations

import re
from pathlib import Path

from memplanner.model.hugging_face_folder import load_folder
from memplanner.model.loaded import Model
from memplanner.model.parameter_tree import tree_model
from memplanner.model.safetensors_header import INDEX_ENDING, read_index, read_safetensors

_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.safetensors")


def load_safetensors(path: Path, *, source: str, trust_code: bool = False) -> Model:
    """The model whose weights ``path`` holds; only headers are read. Raises ``SourceError``.

    A shard opens the whole model when its index lies beside it.
    """
    shard = _SHARD.fullmatch(path.name)
    if shard is not None:
        index = path.with_name(shard[1] + INDEX_ENDING)
        path = index if index.is_file() else path
    stored = read_index(path) if path.name.endswith(INDEX_ENDING) else read_safetensors(path)
    if (path.parent / "config.json").is_file():
        return load_folder(
            path.parent,
            source=source,
            kind="safetensors",
            trust_code=trust_code,
            weights=stored,
        )
    return tree_model(
        stored,
        name=path.name.removesuffix(INDEX_ENDING).removesuffix(".safetensors"),
        source=source,
        kind="safetensors",
        note=f"{path.name} has no config.json beside it, so only its tensors are known: the "
        "estimate covers parameters, gradients and optimizer state, not activations.",
    )
