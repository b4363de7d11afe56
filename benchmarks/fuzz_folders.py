"""Folders as they should be, of every kind that is opened: see ``tests/hostile/folders.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tests.hostile.folder_parts import (
    ADAPTER,
    INDEX,
    TOKENIZER,
    Shapes,
    bare_weights,
    config,
    file,
    index,
    llama,
    weights,
)
from tests.hostile.folders import BETWEEN, Entry, pack, unpack
from tests.hostile.seeds import STATE, seed, state

_SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")

_ODD = "a\n\x1b[2J\u202eé.safetensors"
"""A name that a system takes, and no terminal should be shown."""


def indices() -> Iterator[bytes]:
    """Of weights in shards: their index, or one of them, is opened."""
    alone: Shapes = [("a.b.weight", (2, 3)), ("a.b.bias", (2,)), ("c.weight", (4,))]
    yield pack(_sharded(alone), opens=INDEX)
    yield pack(_sharded(alone), opens=_SHARDS[0].encode())
    yield pack([config(), *_sharded(llama())], opens=INDEX)
    one = index(**{name: _SHARDS[0] for name, _ in alone})
    yield pack([one, weights(_SHARDS[0], alone)], opens=INDEX)
    odd = index(**{name: _ODD for name, _ in alone})
    yield pack([odd, weights(_ODD, alone)], opens=INDEX, called=_ODD.encode())


def folders() -> Iterator[bytes]:
    """Of models, adapters and pipelines, each opened as a folder."""
    whole = weights("model.safetensors", llama())
    adapter = file("adapter_config.json", ADAPTER)
    tokenizer = file("tokenizer.json", TOKENIZER)
    yield pack([config(), whole])
    yield pack([config(), *_sharded(llama())])
    yield pack([config(), file("pytorch_model.bin", state(STATE))])
    yield pack([config(quantization_config={"quant_method": "gptq", "bits": 4}), whole])
    yield pack([adapter, weights("adapter_model.safetensors", [("lora_A.weight", (2, 8))])])
    yield pack([config(), tokenizer, file("tokenizer_config.json")])
    yield pack([file("model_index.json", {"_class_name": "A"})])
    yield pack([file("weights.safetensors", seed("safetensors"))])
    # as the hub's own cache keeps a file: a link to what is called by its hash
    linked = file("5f2e", whole.data), Entry("link", whole.name, b"5f2e")
    yield pack([config(), *linked, Entry("folder", b"onnx")])
    yield pack([config(architectures=["LlamaModel"]), whole])
    yield pack([file("a.gguf", seed("gguf")), tokenizer])
    generation = file("generation_config.json", {"max_length": 20, "eos_token_id": 2})
    yield pack([config(), bare_weights(), adapter, generation])
    yield pack([config(), whole, file("plan.yaml", b"precision: bf16\n")])
    yield pack([config(), whole, Entry("pipe", b"tokenizer.json")], called=_ODD.encode())


def _sharded(shapes: Shapes) -> Iterator[Entry]:
    half = (len(shapes) + 1) // 2
    parts = (shapes[:half], shapes[half:])
    yield index(**{name: _SHARDS[place] for place, part in enumerate(parts) for name, _ in part})
    for shard, part in zip(_SHARDS, parts, strict=True):
        yield weights(shard, part)


Close = Callable[[bytes], bytes]


def parts(packed: bytes) -> Iterator[tuple[bytes, Close, bool]]:
    """What is damaged by itself of a folder: its lines, each file, and a header in it.

    With each, what closes the folder around it again, and whether it is text.
    """
    lines, *held = packed.split(BETWEEN)
    yield lines, partial(_closed, held=held, place=-1, lines=lines), True
    _, _, entries = unpack(packed)
    for place, entry in enumerate(entries):
        close = partial(_closed, held=held, place=place, lines=lines)
        is_text = entry.name.endswith((b".json", b".yaml")) or entry.kind == "link"
        yield held[place], close, is_text
        if entry.name.endswith(b".safetensors") and entry.kind == "file":
            length = int.from_bytes(entry.data[:8], "little")
            rest = entry.data[8 + length :]
            yield entry.data[8 : 8 + length], partial(_headed, rest=rest, close=close), True


def _closed(data: bytes, *, held: list[bytes], place: int, lines: bytes) -> bytes:
    if place < 0:
        return BETWEEN.join([data, *held])
    return BETWEEN.join([lines, *held[:place], data, *held[place + 1 :]])


def _headed(header: bytes, *, rest: bytes, close: Close) -> bytes:
    return close(len(header).to_bytes(8, "little") + header + rest)
