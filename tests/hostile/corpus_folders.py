"""The malformed folders of models, and indices among them; see ``corpus``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.hostile.corpus_pickles import CANARY
from tests.hostile.folder_parts import ADAPTER, INDEX, bare_weights, config, file
from tests.hostile.folder_parts import index as index_of
from tests.hostile.folders import BETWEEN, Entry, pack
from tests.hostile.seeds import safetensors, state, tensor

_W = {"w": tensor([2], 0, 8)}
_SHARD = safetensors(_W, bytes(8))
_CONFIG = config()
_LONG = "é" * 121 + ".safetensors"
"""Of as many bytes as a name can have."""


def index() -> Iterator[tuple[Any, ...]]:
    """Each index is opened, beside the shards ``a`` and ``b``."""
    a, b = (file(f"{name}.safetensors", _SHARD) for name in "ab")
    whole = safetensors({"v": tensor([2], 0, 8)}, bytes(8))
    v = file("b.safetensors", whole)
    two = index_of(w="a.safetensors", v="b.safetensors")
    yield "two shards", "", _opened(two, a, v)
    yield "a tensor in the other shard", "lacks v", _opened(two, a, b)
    yield "a shard gone", "names b.safetensors, which is missing", _opened(two, a)
    yield "a shard empty", "cut off in its first 8 bytes", _opened(two, a, v._replace(data=b""))
    yield "a shard short", "cut off", _opened(two, a, v._replace(data=whole[:-1]))
    yield "a shard a folder", "which is missing", _opened(two, a, v._replace(kind="folder"))
    yield "a shard a pipe", "which is missing", _opened(two, a, v._replace(kind="pipe"))
    for name, target in (
        ("itself", b"b.safetensors"),
        ("nowhere", b"gone"),
        ("a device", b"/dev/zero"),
        ("the folder", b"."),
    ):
        link = Entry("link", b"b.safetensors", target)
        yield f"a shard a link to {name}", "which is missing", _opened(two, a, link)
    memory = Entry("link", b"b.safetensors", b"/proc/self/mem")
    yield "a shard a link to memory", "cannot be read", _opened(two, a, memory)
    again = Entry("link", b"b.safetensors", b"a.safetensors")
    yield "a shard a link to the other", "which are one file", _opened(two, a, again)
    pickled = v._replace(data=state(CANARY + b"."))
    yield "a shard a pickle", "no safetensors file", _opened(two, a, pickled)
    own = Entry("link", b"b.safetensors", INDEX)
    yield "a shard the index", "no safetensors file", _opened(two, a, own)
    for name in ("\n\x1b[2J.safetensors", "\u202e.safetensors", _LONG):
        odd = [index_of(w=name), file(name, _SHARD)]
        yield f"a shard called {name!a:.20}", "", _opened(*odd)
        yield f"a shard called {name!a:.20} gone", "which is missing", _opened(odd[0])
    longer = index_of(w="é" + _LONG)
    yield "a shard called longer than can be", "which is missing", _opened(longer)
    control = safetensors({"\x1b[2J": tensor([2], 0, 8)}, bytes(8))
    named = index_of(**{"\x1b[2J": "a.safetensors"})
    yield "a tensor called by controls", "no text", _opened(named, a._replace(data=control))
    yield "an index a folder", "has no config.json", _opened(Entry("folder", INDEX), a)
    yield "an index a pipe", "is not there", _opened(Entry("pipe", INDEX), a)
    yield "an index a link to itself", "is not there", _opened(Entry("link", INDEX, INDEX), a)
    yield (
        "an index a pickle",
        "no state dict",
        _opened(Entry("file", INDEX, state(CANARY + b".")), a),
    )
    yield "a configuration beside it", "describes", _opened(
        index_of(**{"lm_head.weight": "a.safetensors"}), _CONFIG,
        file("a.safetensors", safetensors({"lm_head.weight": tensor([2], 0, 8)}, bytes(8))),
    )  # fmt: skip
    yield "no folder at all", "holds one", BETWEEN * 40


def folder() -> Iterator[tuple[Any, ...]]:
    """Each is opened as a folder."""
    weights = file("model.safetensors", _SHARD)
    yield "nothing", "has no config.json; name a folder", pack([])
    for kind, data in (("folder", b""), ("pipe", b""), ("link", b"config.json")):
        odd = Entry(kind, b"config.json", data)
        yield f"a configuration a {kind}", "has no config.json", pack([odd])
    memory = Entry("link", b"config.json", b"/proc/self/mem")
    yield "a configuration a link to memory", "cannot be read", pack([memory])
    yield (
        "a configuration a link to weights",
        "not valid JSON",
        pack([weights, Entry("link", b"config.json", b"model.safetensors")]),
    )
    yield "an adapter alone", "an adapter without its model", pack([file("adapter_config.json")])
    yield "a pipeline alone", "a diffusers pipeline", pack([file("model_index.json")])
    yield "weights alone", "open model.safetensors in it", pack([weights])
    for name in (b"a\n\x1b[2Jb.gguf", b"\xff\xfe.gguf", b"\xe2\x80\xae.gguf"):
        yield f"weights alone called {name!r}", "has no config.json", pack([Entry("file", name)])
    for kind in ("folder", "pipe"):
        odd = Entry(kind, b"model.safetensors")
        yield f"weights a {kind}", "", pack([_CONFIG, odd])
    yield "weights of another model", "", pack([_CONFIG, weights])
    other = safetensors({"lm_head.weight": tensor([2], 0, 8)}, bytes(8))
    yield (
        "weights of another size",
        "open the files of one model together",
        pack([_CONFIG, weights._replace(data=other)]),
    )
    control = safetensors({"\x1b[2J": tensor([2], 0, 8)}, bytes(8))
    yield "weights called by controls", "", pack([_CONFIG, weights._replace(data=control)])
    yield (
        "a pickle of weights",
        "",
        pack([_CONFIG, file("pytorch_model.bin", state(CANARY + b"."))]),
    )
    for name in (b"a\n\x1b[2Jb", "\u202eb".encode(), b"n" * 255):
        yield f"called {name[:9]!r}", "", pack([_CONFIG], called=name)
    yield "called by no text", "is not named in UTF-8", pack([_CONFIG], called=b"\xff\xfe")
    named = config(architectures=["\x1b[2JForCausalLM"])
    yield "a class called by controls", "", pack([named])
    yield from _adapters()
    yield from _tokenizers()
    for what, plan, says in (
        ("empty", b"", "must be a mapping"),
        ("an alias bomb", b"a: &a [*a]", "alias"),
        ("of another precision", b"precision: fp32", "lacks"),
    ):
        saved = [_CONFIG, weights, Entry("file", b"plan.yaml", plan)]
        yield f"a plan {what}", says, pack(saved)


def _adapters() -> Iterator[tuple[Any, ...]]:
    """Beside a model whose weights are called as transformers called them once."""
    pickled = file("adapter_model.bin", state(CANARY + b"."))
    for name, adapter in (
        ("of LoRA", ADAPTER),
        ("of no kind", {}),
        ("from elsewhere", {**ADAPTER, "base_model_name_or_path": "/etc/passwd"}),
    ):
        beside = [_CONFIG, bare_weights(), file("adapter_config.json", adapter), pickled]
        yield f"an adapter {name} beside it", "", pack(beside)
    for name in ("adapter_model.bin", "../x.safetensors"):
        chosen = config(transformers_weights=name)
        yield f"weights said to be in {name}", "", pack([chosen, bare_weights(), pickled])
    generation = file("generation_config.json", b"[" * 100_000)
    yield "deep words of generation", "", pack([_CONFIG, bare_weights(), generation])


def _tokenizers() -> Iterator[tuple[Any, ...]]:
    for name, what, data in (
        ("tokenizer.json", "cut off", b"{"),
        ("tokenizer.json", "a list", b"[]"),
        ("tokenizer.json", "deep", b'{"a":' + b"[" * 100_000),
        ("tokenizer.json", "to come", b'{"version":"9.0"}'),
        ("tokenizer.json", "of unknown merges",
         b'{"model":{"type":"BPE","vocab":{},"merges":["a b"]}}'),
        ("tokenizer.model", "a pickle", state(CANARY + b".")),
        ("spiece.model", "zeros", b"\0" * 50),
        ("vocab.txt", "not UTF-8", b"\xff"),
        ("vocab.json", "a list", b"[]"),
    ):  # fmt: skip
        yield f"{name} {what}", "cannot be opened", pack([_CONFIG, file(name, data)])
    words = {"type": "WordLevel", "vocab": {"a": 1}, "unk_token": "[U]"}
    unknown = file("tokenizer.json", {"model": words, "added_tokens": []})
    yield "a word that no tokenizer knows", "cannot be used", pack([_CONFIG, unknown])
    code = {"auto_map": {"AutoTokenizer": ["m.T", "m.T"]}}
    own = file("m.py", b"import os; os.mkdir('canary-dir')\nclass T: pass")
    yield (
        "a tokenizer's own code",
        "cannot be opened",
        pack([_CONFIG, file("tokenizer_config.json", code), file("vocab.txt", b"a"), own]),
    )


def _opened(*entries: Entry) -> bytes:
    return pack(entries, opens=INDEX)
