"""The malformed files that are text or lines; see ``corpus``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.hostile.seeds import LLAMA, seed


def _yaml(reader: str) -> Iterator[tuple[Any, ...]]:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(30))
    yield "alias bomb", "alias", bomb.encode()
    yield "alias of itself", "alias", b"a: &a [*a]"
    yield "code", "tag", b"a: !!python/object/apply:os.mkdir [canary-dir]"
    yield "tag", "tag", b"a: !x 3"
    yield "deep flow", "nested too deeply", b"a: " + b"[" * 100_000
    yield "deep dashes", "nested too deeply", b"- " * 100_000
    yield "documents", "a single document", b"---\n" * 60_000
    yield "huge", "larger than 256 KiB", b"#" * (256 * 1024 + 1)
    yield "hexadecimal", "cannot be written out", b"micro_batch_size: 0x" + b"f" * 4000
    yield "6000 digits", "cannot be written out", b"micro_batch_size: " + b"9" * 6000
    yield "character beyond all", "not valid YAML", b'precision: "\\UFFFFFFFF"'
    yield "half a character", "cannot be written out", b'precision: "\\uD800"'
    yield "date that is none", "not valid YAML", b"precision: 2020-13-45"
    yield "a version to come", "not valid YAML", b"%YAML 1.3\n---\nprecision: bf16"
    yield "a version to come, later", "a version that is not", b"? [a, b]\n%YAML 1.3\n---\n: 3"
    yield "no digits", "a number has no digits", b"%YAML 1.1\n---\nprecision: -_"
    yield "key a list of lists", "a key is no single value", b"? [[a]]\n: 3"
    yield "key a list of tables", "a key is no single value", b"? [{a: b}]\n: 3"
    yield "not UTF-8", "not text in UTF-8", b"\xff\xfe"
    yield "a zero", "not valid YAML", b"a: \0"
    yield "twice a key", "duplicate key", b"precision: bf16\nprecision: fp32\n"
    yield "key a list", "has no keys of" if reader == "trainer" else "not a key", b"? [a, b]\n: 3"
    yield "tab", "not valid YAML", b"a:\tb\n\t- c"
    yield "quote without end", "not valid YAML", b'a: "' + b"b" * 200_000


def plan() -> Iterator[tuple[Any, ...]]:
    yield from _yaml("plan")
    for name, body, says in (
        ("a list", "[]", "must be a mapping"),
        ("nothing", "", "must be a mapping"),
        ("schema 2", "schema: 2", "newer memplanner"),
        ("schema huge", "schema: 99999999999999999999", "newer memplanner"),
        ("schema a word", "schema: x", "must be a number"),
        ("section a word", "training: x", "must be a mapping"),
        ("batch negative", "training: {batch_size: -1}", "training.batch_size is -1"),
        ("batch of truth", "training: {batch_size: true}", "training.batch_size is true"),
        ("batch not a number", "training: {batch_size: .nan}", "training.batch_size is nan"),
        ("rate infinite", "optimizer: {learning_rate: .inf}", "optimizer.learning_rate is inf"),
        ("key unknown", "trainin: {}", "not a key"),
        ("key of controls", '"a\\n\\e[2J": 3', "not a key"),
        ("key a number", "3: 4", "not a key"),
    ):
        yield name, says, body.encode()


def trainer() -> Iterator[tuple[Any, ...]]:
    yield from _yaml("trainer")
    for name, body, says in (
        ("nothing", "", "no keys and values"),
        ("a list", "[1]", "no keys and values"),
        ("keys unknown", "abc: 1", "no keys of a trainer"),
        ("batch a word", "micro_batch_size: x\nadapter: lora", "takes a number"),
        ("batch infinite", "micro_batch_size: .inf\nadapter: lora", "takes a whole number"),
        ("batch a list", "micro_batch_size: [1]\nadapter: lora", "takes a number"),
        ("flag a word", "sample_packing: maybe\nadapter: lora", "takes true or false"),
        ("json cut", '{"zero_optimization": {', "not valid JSON"),
        ("json twice", '{"optim": "sgd", "optim": "adamw_torch"}', "occurs twice"),
        ("json deep", '{"a":' * 100 + "1" + "}" * 100, "nested too deeply"),
        ("json very deep", '{"a":' * 40_000, "not valid JSON"),
        ("json digits", '{"train_batch_size": ' + "9" * 5000 + "}", "not valid JSON"),
        ("stage 7", '{"zero_optimization": {"stage": 7}}', "takes 0, 1, 2 or 3"),
        ("quote open", "torchrun --module a 'b", "shell's words"),
        ("no command", 'echo "x --module y"', "starts no trainer"),
    ):
        yield name, says, body.encode()
    for name in (
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x.json",
        "x.json",
        "n" * 300 + ".json",
    ):
        body = f"distributed_type: DEEPSPEED\ndeepspeed_config: {{deepspeed_config_file: '{name}'}}"
        yield f"beside it {name[:40]}", "", body.encode()


def text() -> Iterator[tuple[Any, ...]]:
    yield "empty", "is empty", b""
    yield "blanks", "is empty", b" \n\t " * 1000
    yield "bytes", "not UTF-8", b"\xff\xfe\xfd"
    yield "half a character", "not UTF-8", b"abc\xc3(x"
    yield "half a pair", "not UTF-8", b"\xed\xa0\x80 abc"
    yield "a longer form", "not UTF-8", b"\xc0\x80 abc"
    yield "20 MiB", "", lambda: "é".encode() * (10 * 2**20)


def protocol() -> Iterator[tuple[Any, ...]]:
    for name, line in (
        ("no JSON", b"x"), ("a list", b"[]"), ("a number", b"3"), ("nothing", b"{}"),
        ("kind unknown", b'{"kind":"x","id":1}'), ("kind a list", b'{"kind":[],"id":1}'),
        ("no id", b'{"kind":"hello"}'), ("id a word", b'{"kind":"hello","id":"x"}'),
        ("id huge", b'{"kind":"hello","id":' + b"9" * 5000 + b"}"),
        ("half a character", b'{"kind":"hello","id":"\\ud800"}'),
        ("deep", b'{"kind":"hello","id":' + b"[" * 300_000),
        ("bytes", b"\xff\xfe"), ("a zero", b"\0"), ("cut", b'{"kind":"hello","id":1'),
        ("source a number", b'{"kind":"open_model","id":1,"source":3}'),
        ("kind of no character", b'{"kind":"\xf3\x93\xa2\xb4\\u001b[2J","id":1}'),
    ):  # fmt: skip
        yield name, "cannot be read", line + b"\n"


def config() -> Iterator[tuple[Any, ...]]:
    whole = seed("config")
    for cut in (0, 1, 20, len(whole) - 1):
        yield f"cut at {cut}", "not valid JSON", whole[:cut]
    yield "a list", "no JSON object", b"[]"
    yield "deep", "nested too deeply", b'{"a":' + b"[" * 100_000
    yield "5 MiB", "longer than 4 MiB", b" " * (5 * 2**20)
    yield "twice a key", "occurs twice", b'{"a":1,"a":1}'
    yield "not UTF-8", "not UTF-8", b"\xff"
    yield "UTF-16", "not UTF-8", json.dumps(LLAMA).encode("utf-16")
    yield "no model", "names neither", b"{}"
    yield "a model that is none", "does not have", b'{"model_type":"\\u0000"}'
    yield "architectures a number", "names neither", b'{"architectures":3}'
    yield "a class that is no model", "does not have", b'{"architectures":["os.system"]}'
    own = b'{"model_type":"x","auto_map":{"AutoModel":"m.M"}}'
    yield "code of its own", "needs Python code", own
    for name, value, says in (
        ("num_hidden_layers", 10**9, "more than any model"),
        ("num_hidden_layers", -(10**9), "more than any model"),
        ("num_hidden_layers", "many", "LlamaConfig"),
        ("hidden_size", 10**30, "more than any model"),
        ("hidden_size", 10**4000, "more than any model"),
        ("hidden_size", [], "LlamaConfig"),
        ("hidden_size", -8, "cannot be built"),
        ("vocab_size", 2**40, "more than any model"),
        ("vocab_size", -1, "cannot be built"),
        ("num_attention_heads", 2**41, "more than any model"),
        ("num_attention_heads", 0, ""),
        ("hidden_act", "os.system", "cannot be built"),
        ("hidden_act", {"a": 1}, "LlamaConfig"),
        ("max_position_embeddings", 2**60, "more than any model"),
        ("attn_implementation", "someone/kernels-of-theirs", ""),
        ("_attn_implementation", "someone/kernels-of-theirs", ""),
    ):
        data = json.dumps({**LLAMA, name: value}).encode()
        shown = str(value)
        yield f"{name} is {shown[:24]} of {len(shown)}", says, data
    backbone = {"model_type": "detr", "backbone": "some/one", "use_timm_backbone": False}
    yield "a backbone elsewhere", "DetrConfig", json.dumps(backbone).encode()
