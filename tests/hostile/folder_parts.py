"""What lies in folders of models, each as small as it can be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from math import prod
from typing import Any

from tests.hostile.folders import Entry
from tests.hostile.seeds import LLAMA, safetensors, tensor

INDEX = b"model.safetensors.index.json"
ADAPTER = {
    "peft_type": "LORA", "base_model_name_or_path": "base", "r": 2, "lora_alpha": 4,
    "target_modules": ["q_proj"], "task_type": "CAUSAL_LM",
}  # fmt: skip
TOKENIZER = {
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [{"id": 0, "content": "[U]", "single_word": False, "lstrip": False,
                      "rstrip": False, "normalized": False, "special": True}],
    "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None, "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[U]": 0, "a": 1, "b": 2}, "unk_token": "[U]"},
}  # fmt: skip

Shapes = Sequence[tuple[str, tuple[int, ...]]]


def file(name: str | bytes, data: bytes | Mapping[str, Any] = b"{}") -> Entry:
    """A file of these bytes, or of this JSON."""
    told = name if isinstance(name, bytes) else name.encode()
    return Entry("file", told, data if isinstance(data, bytes) else json.dumps(data).encode())


def config(**changes: Any) -> Entry:
    """The ``config.json`` of a Llama."""
    return file("config.json", {**LLAMA, **changes})


def index(**shards: str) -> Entry:
    """An index that says of each tensor in which file it is."""
    return file(INDEX, {"metadata": {"total_size": 64}, "weight_map": shards})


def weights(name: str, shapes: Shapes) -> Entry:
    """A safetensors file of tensors in fp16."""
    return file(name, _safetensors(tuple(shapes)))


@cache
def llama() -> Shapes:
    """The tensors of the Llama that ``config`` describes."""
    from transformers import LlamaConfig, LlamaForCausalLM

    state = LlamaForCausalLM(LlamaConfig(**LLAMA)).state_dict()
    return tuple((name, tuple(tensor.shape)) for name, tensor in state.items())


def bare_weights() -> Entry:
    """Its weights by the names of the model inside it, which transformers has to change."""
    shapes = [(name.removeprefix("model."), shape) for name, shape in llama()]
    return weights("model.safetensors", shapes)


@cache
def _safetensors(shapes: Shapes) -> bytes:
    header, position = {}, 0
    for name, sides in shapes:
        header[name] = tensor(list(sides), position, position := position + 2 * prod(sides), "F16")
    return safetensors(header, bytes(position))
