"""A ``.gguf`` file: its architecture rebuilt from the metadata, else its parameters alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from memplanner.errors import SourceError
from memplanner.model.gguf_config import config_values
from memplanner.model.gguf_header import GgufHeader, read_gguf
from memplanner.model.hugging_face import model_from_config
from memplanner.model.hugging_face_config import resolve
from memplanner.model.loaded import Model
from memplanner.model.parameter_tree import tree_model

_COMPUTED = ("rope_freqs.", "rope_factors_")
"""Tensors that transformers computes instead of storing."""
_WHOLE = ("F32", "F16", "BF16", "F64")


def load_gguf(path: Path, *, source: str) -> Model:
    """The model in the GGUF file ``path``, of which only the header is read.

    The rebuilt model counts as right when it has as many parameters as the file; otherwise the
    file's tensors are all that is known, and a note says so. Raises ``SourceError``.
    """
    header = read_gguf(path)
    name = path.stem
    architecture = str(header.metadata.get("general.architecture", "unnamed"))[:80]
    values = config_values(header)
    if values is None:
        return _parameters_only(
            header, name, source, f"transformers cannot rebuild the architecture {architecture}"
        )
    try:
        model_class, config, _ = resolve(values, path, trust_code=False)
        model = model_from_config(
            model_class,
            config,
            name=name,
            source=source,
            kind="gguf",
            tokenizer=str(path),
        )
    except SourceError as error:
        return _parameters_only(
            header, name, source, f"{architecture} cannot be rebuilt ({str(error).rstrip('.')})"
        )
    stored = sum(t.elements for t in header.tensors if not t.name.startswith(_COMPUTED))
    if model.parameter_count != stored:
        reason = (
            f"rebuilt as {model.class_name} it would have {model.parameter_count} parameters "
            f"instead of the {stored} stored"
        )
        return _parameters_only(header, name, source, reason)
    quantized = sorted({t.dtype for t in header.tensors if t.dtype not in _WHOLE})
    if quantized:
        note = (
            f"The file stores {', '.join(quantized)}; training is planned on weights that are "
            "expanded to the plan's precision."
        )
        model = replace(model, notes=(*model.notes, note))
    return replace(model, load_weights=_loader(model_class, path))


def _parameters_only(header: GgufHeader, name: str, source: str, reason: str) -> Model:
    return tree_model(
        header.tensors,
        name=name,
        source=source,
        kind="gguf",
        note=f"Only the tensors are known, because {reason}: the estimate covers parameters, "
        "gradients and optimizer state, not activations.",
    )


def _loader(model_class: type[Any], path: Path) -> Any:
    def load_weights(module: nn.Module) -> None:
        from memplanner.model.weights import ADAPTER, copy_from_transformers

        adapter = path.with_name(ADAPTER)
        if adapter.is_file():  # transformers would put that adapter's weights into the model
            raise SourceError(f"{adapter} is an adapter beside {path.name}; move one of the two.")
        copy_from_transformers(module, model_class, path.parent, path.parent, gguf_file=path.name)

    return load_weights
