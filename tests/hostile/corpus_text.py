"""The malformed files that are text, lines or snapshots; see ``corpus``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def _yaml(reader: str) -> Iterator[tuple[Any, ...]]:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(30))
    yield "alias bomb", "alias", bomb.encode()
    yield "alias of itself", "alias", b"a: &a [*a]"
    yield "code", "tag", b"a: !!python/object/apply:os.mkdir [canary-dir]"
    yield "tag", "tag", b"a: !x 3"
    yield "deep flow", "nested too deeply", b"a: " + b"[" * 100_000
    yield "deep dashes", "nested too deeply", b"- " * 100_000
    yield "documents", "too long", b"---\n" * 60_000
    yield "huge", "larger than 256 KiB", b"#" * (256 * 1024 + 1)
    yield "hexadecimal", "cannot be written out", b"micro_batch_size: 0x" + b"f" * 4000
    yield "6000 digits", "cannot be written out", b"micro_batch_size: " + b"9" * 6000
    yield "character beyond all", "not valid YAML", b'precision: "\\UFFFFFFFF"'
    yield "half a character", "cannot be written out", b'precision: "\\uD800"'
    yield "date that is none", "not valid YAML", b"precision: 2020-13-45"
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
    for name in ("../../etc/passwd", "/etc/passwd", "..\\..\\x.json", "x.json"):
        body = f"distributed_type: DEEPSPEED\ndeepspeed_config: {{deepspeed_config_file: '{name}'}}"
        yield f"beside it {name}", "", body.encode()


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
    ):  # fmt: skip
        yield name, "cannot be read", line + b"\n"
