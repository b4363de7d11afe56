"""The malformed files, reader by reader, each with words of the sentence that it ends in."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile import corpus_text
from tests.hostile.case import Case
from tests.hostile.readers import ENDINGS
from tests.hostile.seeds import (
    LLAMA,
    PROGRAM,
    REBUILT,
    SNAPSHOT,
    STATE,
    field,
    graph,
    initializer,
    safetensors,
    seed,
    state,
    tensor,
    zipped,
)
from tests.model.test_gguf import gguf, key, text

CANARY = b"cposix\nmkdir\n(X\x0a\0\0\0canary-dirtR"
"""What unpickling would make a folder for, in the folder that the tests run in."""

Data = bytes | Callable[[], bytes]


def cases(*readers: str) -> list[Case]:
    """Those of ``readers``; all of them where none is named."""
    found: list[Case] = []
    for reader in readers or _MAKERS:
        for name, says, data, *more in _MAKERS[reader]():
            beside = more[0] if more else {}
            file = more[1] if len(more) > 1 else ENDINGS[reader]
            found.append(Case(reader, name, says, data, file, beside))
    return found


def _safetensors() -> Iterator[tuple[Any, ...]]:
    whole = seed("safetensors")
    for cut in (0, 1, 7):
        yield f"cut at {cut}", "cut off in its first 8 bytes", whole[:cut]
    for cut in (8, 9, 40, len(whole) - 13):
        yield f"cut at {cut}", "cut off", whole[:cut]
    for cut in (1, 4, 11):
        yield f"data short of {cut}", "cut off", whole[:-cut]
    yield "data too long", "too long", whole + b"x"
    for length in (2**27, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"header of {length}", "no safetensors file", safetensors({}, b"", length)
    yield "header longer than file", "cut off", safetensors({}, b"", 10_000)
    yield "deep lists", "nested too deeply", safetensors(b'{"a":' + b"[" * 200_000)
    yield "closed deep lists", "nested too deeply", safetensors(
        b'{"a":' + b"[" * 500 + b"]" * 500 + b"}")  # fmt: skip
    yield "millions of values", "more values", lambda: safetensors(
        b'{"a":[' + b"[]," * 5_000_000 + b"[]]}")  # fmt: skip
    yield "twice the same name", "occurs twice", safetensors(b'{"a":1,"a":2}')
    yield "not UTF-8", "not UTF-8", safetensors(b'{"\xff":1}')
    yield "half a character", "half a character", safetensors(b'{"\\ud800":1}')
    yield "a list", "no JSON object", safetensors(b"[]")
    yield "5000 digits", "not valid JSON", safetensors(b'{"a":' + b"9" * 5000 + b"}")
    yield "not a number", "no valid place", safetensors(b'{"a":NaN}')
    good = {"a": tensor([2], 0, 8)}
    for name, change, says in (
        ("dtype unknown", {"dtype": "F33"}, "the type"),
        ("dtype a list", {"dtype": []}, "the type"),
        ("shape negative", {"shape": [-1]}, "no valid shape"),
        ("shape huge", {"shape": [2**64]}, "no valid shape"),
        ("shape overflows", {"shape": [2**33, 2**33]}, "does not take"),
        ("shape of floats", {"shape": [2.0]}, "no valid shape"),
        ("shape of truth", {"shape": [True, 2]}, "no valid shape"),
        ("too many dimensions", {"shape": [1] * 17}, "no valid shape"),
        ("offsets turned", {"data_offsets": [8, 0]}, "no valid place"),
        ("offsets negative", {"data_offsets": [-8, 0]}, "no valid place"),
        ("offsets three", {"data_offsets": [0, 8, 9]}, "no valid place"),
        ("offsets huge", {"data_offsets": [0, 2**70]}, "does not take"),
        ("a hole", {"data_offsets": [1, 9]}, "begins at 1"),
    ):
        yield name, says, safetensors({"a": {**good["a"], **change}}, bytes(8))
    overlap = {"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}
    yield "overlapping", "begins at 4", safetensors(overlap, bytes(12))
    control = safetensors({"a\n\x1b[2J\u202e": tensor([9], 0, 8)}, bytes(8))
    yield "a name of control characters", "does not take", control
    index = "model.safetensors.index.json"
    for name in ("../x", "/etc/passwd", "..\\x", "C:x", "a/b", ".x", "", "a\0b", "\\\\host\\x"):
        table = json.dumps({"weight_map": {"w": name + ".safetensors"}}).encode()
        yield f"index names {name!r}", "no file beside", table, {}, index
    for name, shard in (("a list", []), ("a number", 3), ("a link up", "..")):
        table = json.dumps({"weight_map": {"w": shard}}).encode()
        yield f"index names {name}", "no file beside", table, {}, index
    lacking = b'{"weight_map":{"w":"a.safetensors"}}'
    yield "index of a missing file", "missing", lacking, {}, index
    yield "index of a lacking file", "lacks w", lacking, {"a.safetensors": safetensors({})}, index
    for name, table in (("none", b"{}"), ("empty", b'{"weight_map":{}}')):
        yield f"index with {name}", "no weight_map", table, {}, index


def _gguf() -> Iterator[tuple[Any, ...]]:
    whole = seed("gguf")
    for cut in (0, 3, 4, 8, 16, 23):
        yield f"cut at {cut}", "cut off", whole[:cut]
    for cut in (24, 31, 60, 100, 200, 400, 700, len(whole) - 1):
        yield f"cut at {cut}", "cut off or damaged", whole[:cut]
    yield "another magic", "no GGUF", b"GGUX" + whole[4:]
    for version in (0x10001, 1, 4, 2**31):
        yield f"version {version}", "GGUF version", b"GGUF" + struct.pack("<I", version) + whole[8:]
    for tensors, keys in ((2**64 - 1, 0), (2**62, 0), (0, 2**64 - 1), (0, 2**40), (10**6, 10**6)):
        yield f"counts {tensors} {keys}", "speaks of", gguf([], [], 3, (tensors, keys)) + bytes(40)

    def one(value: bytes) -> bytes:
        return gguf([text("k") + value], []) + bytes(64)

    yield "text of everything", "a text of", one(struct.pack("<IQ", 8, 2**64 - 1))
    yield "type unknown", "a value of type", one(struct.pack("<I", 77))
    for kind in (0, 6, 8, 9, 12, 77):
        lying = one(struct.pack("<IIQ", 9, kind, 2**61))
        yield f"list of type {kind}", "a list of", lying
    deep = struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 6
    yield "lists too deep", "a list of type 9", one(deep)
    twice = gguf([key("k", 1), key("k", 2)], [])
    yield "twice the same key", "two keys", twice
    odd = struct.pack("<Q", 1) + b"\xff" + struct.pack("<II", 4, 1)
    yield "not UTF-8", "not UTF-8", gguf([odd], [])
    yield "alignment 0", "an alignment", gguf([key("general.alignment", 0)], []) + bytes(32)
    yield "alignment huge", "an alignment", gguf([key("general.alignment", 2**31)], []) + bytes(32)
    yield "two tensors of a name", "two tensors", gguf([], [("w", (2,)), ("w", (2,))])

    def described(sides: list[int], kind: int = 0, offset: int = 0) -> bytes:
        data = text("w") + struct.pack("<I", len(sides))
        data += b"".join(struct.pack("<Q", side) for side in sides)
        return b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + data + struct.pack("<IQ", kind, offset)

    for name, data, says in (
        ("side huge", described([2**63]), "shape"),
        ("sides overflow", described([2**40, 2**40]), "shape"),
        ("offset huge", described([2], 0, 2**64 - 1), "at 1844"),
        ("no whole block", described([3], 2), "shape"),
        ("type of tensor unknown", described([2], 999), "is not known"),
    ):
        yield name, says, data + bytes(64)
    yield "nine dimensions", "9 dimensions", described([1] * 9) + bytes(64)


def _onnx() -> Iterator[tuple[Any, ...]]:
    whole = seed("onnx")
    yield "empty", "empty", b""
    for cut in (1, 2, 3, 4, 10, 20, 30, len(whole) - 1):
        yield f"cut at {cut}", "no ONNX model", whole[:cut]
    for byte in (0x0B, 0x0C, 0x0E, 0x0F):
        yield f"field kind {byte & 7}", "a field of kind", bytes([byte]) * 4
    yield "number without end", "without an end", b"\x08" + b"\xff" * 11
    yield "part of everything", "a part of", b"\x3a" + b"\xff" * 9 + b"\x01"
    yield "two graphs", "no ONNX model", graph() + graph()
    yield "no initializer", "no initializers", graph()
    yield "side huge", "shape", graph(initializer([2**63]))
    yield "side negative", "shape", graph(initializer([2**64 - 1]))
    yield "17 sides", "dimensions", graph(initializer([1] * 17))
    packed = graph(field(1, b"\1" * 40) + field(8, b"w"))
    yield "40 packed sides", "dimensions", packed
    yield "data of another size", "in 3 bytes", graph(initializer([2], b"abc"))
    yield "long name", "a name of", graph(initializer([1], b"", b"n" * 70_000))
    yield "twice a name", "two initializers", graph(initializer([1]), initializer([2]))
    yield "too many parts", "more parts", lambda: field(7, b"\x10\0" * 4_300_000)
    names = b"".join(field(1, field(4, b"Op%d" % number)) for number in range(5000))
    yield "5000 operations", "more operations", field(7, names)


def _archive() -> Iterator[tuple[Any, ...]]:
    whole = seed("archive")
    for cut in (4, 30, 100, len(whole) - 60, len(whole) - 22, len(whole) - 1):
        yield f"cut at {cut}", "no whole archive", whole[:cut]
    end = whole.rfind(b"PK\5\6")
    for name, place, value in (
        ("list of 4 GiB", end + 12, struct.pack("<I", 2**32 - 2)),
        ("list at the end of time", end + 16, struct.pack("<I", 2**32 - 2)),
    ):
        yield name, "no whole archive", whole[:place] + value + whole[place + 4 :]
    many = b"PK\1\2" + bytes(42)

    def long_list() -> bytes:
        data = b"PK\3\4" + bytes(26) + many * 600_000
        return data + b"PK\5\6" + struct.pack(
            "<HHHHIIH", 0, 0, 65535, 65535, len(many) * 600_000, 30, 0)  # fmt: skip

    yield "600 000 members", "list of members", long_list
    bomb = zipped(zipfile.ZIP_DEFLATED, a__data_dot_pkl=b"}" + b"0" * 80_000_000)
    yield "deflate bomb told", "more than such a part needs", bomb
    for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        data = bytearray(zipped(method, a__data_dot_pkl=b"}" + b"0" * 80_000_000))
        place = data.rfind(b"PK\1\2") + 24
        data[place : place + 4] = struct.pack("<I", 2)
        yield f"{name} bomb that says 2 bytes", "in a way that no model's is", bytes(data)
    small = bytearray(bomb)
    place = small.rfind(b"PK\1\2") + 24
    small[place : place + 4] = struct.pack("<I", 2)
    yield "deflate bomb that says 2 bytes", "no whole archive", bytes(small)
    broken = bytearray(zipped(zipfile.ZIP_DEFLATED, a__data_dot_pkl=STATE * 9))
    place = broken.find(b"data.pkl") + 8
    broken[place : place + 6] = b"\xff" * 6
    yield "broken deflate", "no whole archive", bytes(broken)
    locked = bytearray(whole)
    locked[locked.find(b"PK\1\2") + 8] |= 1
    yield "a password", "no whole archive", bytes(locked)
    yield "members outside", "no kind that memplanner knows", zipped(
        **{"..__..__canary-dir__x": b"x"})  # fmt: skip
    yield "nothing in it", "no kind that memplanner knows", zipped(x=b"")
    for name, says, pickled in _pickles():
        yield f"pickle: {name}", says, state(pickled)
    for name, value, says in (
        ("storage too short", REBUILT.replace(b"K\2K\2\x86", b"K\x63K\2\x86"), "longer than"),
        ("offset too far", REBUILT.replace(b"QK\0K\2", b"QK\x63K\2"), "longer than"),
        ("storage missing", REBUILT.replace(b"X\1\0\0\x000", b"X\1\0\0\x00z"), "longer than"),
        ("type unknown", REBUILT.replace(b"FloatStorage", b"FloppStorage"), "does not know"),
        ("storage a path", REBUILT.replace(b"X\1\0\0\x000", b"X\5\0\0\x00../.."), "longer than"),
    ):
        yield name, says, state(b"}X\1\0\0\0w" + value + b"s.")
    long = b"X" + struct.pack("<I", 5000) + b"n" * 5000
    yield "a long name", "does not know", state(b"}" + long + b"}X\1\0\0\0w" + REBUILT + b"ss.")
    half = b"}X\3\0\0\0\xed\xa0\x80" + REBUILT + b"s."
    yield "half a character", "does not know", state(half)
    for name, says, table in (
        ("nothing", "names no weights", {}),
        ("a list", "names no weights", {"config": []}),
        ("a number", "does not know", {"config": {"w": 3}}),
        ("huge side", "no shape", _program(sizes=[{"as_int": 2**70}])),
        ("negative offset", "no shape", _program(storage_offset={"as_int": -1})),
        ("type unknown", "does not know", _program(dtype=99)),
        ("type a list", "does not know", _program(dtype=[])),
        ("17 sides", "no shape", _program(sizes=[{"as_int": 1}] * 17)),
    ):
        member = {"p__data__weights__model_weights_config_dot_json": json.dumps(table).encode()}
        yield f"program: {name}", says, zipped(**member)


def _program(**changes: object) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(json.dumps(PROGRAM))
    table["config"]["w"]["tensor_meta"].update(changes)
    return table


def _pickles() -> Iterator[tuple[str, str, bytes]]:
    yield "empty", "no end", b""
    yield "no end", "no end", b"}"
    yield "a value too few", "a value too few", b"."
    yield "no mark", "no mark", b"t."
    yield "opcode unknown", "the opcode", b"\xff."
    yield "extension", "the opcode", b"\x82\x01."
    yield "protocol 9", "protocol 9", b"\x80\x09}."
    for code in (b"X", b"T", b"B"):
        yield f"{code!r} of 4 GiB", "a text of", code + b"\xff\xff\xff\xff}."
    for code in (b"\x8d", b"\x8e", b"\x96"):
        yield f"{code!r} of everything", "a text of", code + b"\xff" * 8 + b"}."
    yield "number of 2 GiB", "a number of", b"\x8b\xff\xff\xff\x7f}."
    yield "number of 10 000 digits", "digits", b"I" + b"9" * 10_000 + b"\n."
    yield "place of 20 digits", "a place", b"p" + b"9" * 20 + b"\n."
    yield "never made", "was not made", b"h\x07."
    yield "not a list", "no list", b"NNa."
    yield "not a dictionary", "no dictionary", b"NNNs."
    yield "odd items", "no dictionary", b"}(NNNu."
    yield "key a list", "a key", b"}]Ns."
    yield "canary", "no state dict", CANARY + b"."
    yield "canary in a table", "holds no tensor", b"}X\1\0\0\0w" + CANARY + b"s."
    yield "canary as a tensor", "does not know", (
        b"}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(" + CANARY + b"NNtRs.")  # fmt: skip
    yield "canary as a parameter", "does not know", (
        b"}X\1\0\0\0wctorch._utils\n_rebuild_parameter\n(" + CANARY + b"tRs.")  # fmt: skip
    holds_itself = b"}q\0(X\1\0\0\0wctorch._utils\n_rebuild_parameter\n]q\1Rq\2h\1h\2a0u."
    yield "a parameter of itself", "does not know", holds_itself
    tables = b"}q\0"
    for level in range(1, 12):
        inside = b"".join(b"X\2\0\0\0%02dh" % number + bytes([level - 1]) for number in range(90))
        tables += b"}q" + bytes([level]) + b"(" + inside + b"u"
    yield "90 to the 11th tables", "holds no tensor", tables + b"."
    pairs = b"".join(b"q" + bytes([level]) + b"h" + bytes([level]) + b"\x86" for level in range(60))
    yield "a key of 2 to the 60th parts", "holds no tensor", b"}K\1" + pairs + b"Ns."
    yield "a key 100 000 deep", "holds no tensor", b"}K\1" + b"\x85" * 100_000 + b"Ns."
    yield "calls 100 000 deep", "an unknown class", b"N" + b")R" * 100_000 + b"."
    yield "lists 200 000 deep", "a list", b"]" * 200_000 + b"a" * 199_999 + b"."
    same = b"".join(
        b"\x8a\x0b" + (number * (2**61 - 1)).to_bytes(11, "little") + b"N"
        for number in range(8, 100_000)
    )
    yield "keys of one hash", "more than 64 bits", b"}(" + same + b"u."
    yield "more values than are read", "more values", b"]" * (2**22 + 9) + b"."


def _keras() -> Iterator[tuple[Any, ...]]:
    whole = seed("keras")
    place = whole.find(b"\x89HDF")
    for step in (8, 16, 40, 48, 64, 96):
        yield f"damage at {step}", "Bad CRC-32", _changed(whole, place + step)
    for step in (8, 13, 40, 48, 64, 96):
        file = _changed(whole[place:], step)
        yield f"h5 damage at {step}", "", file, {}, "m.h5"
    packed = zipped(zipfile.ZIP_DEFLATED, model_dot_weights_dot_h5=bytes(900))
    yield "compressed", "holds model.weights.h5 compressed", packed
    yield "no HDF5", "no whole HDF5", zipped(model_dot_weights_dot_h5=b"x" * 900)
    yield "empty", "no whole HDF5", zipped(model_dot_weights_dot_h5=b"")
    for cut in (8, 9, 48, 400):
        file = whole[place : place + cut]
        yield f"h5 cut at {cut}", "no whole HDF5", file, {}, "m.h5"


def _changed(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def _config() -> Iterator[tuple[Any, ...]]:
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


def _snapshot() -> Iterator[tuple[Any, ...]]:
    whole = seed("snapshot")
    yield "empty", "empty", b""
    for cut in (1, 2, 9, 20, 60, 120, len(whole) - 1):
        yield f"cut at {cut}", "cut off or damaged", whole[:cut]
    for name, says, pickled in _pickles():
        if name not in ("empty", "more values than are read"):
            yield name, "no memory snapshot" if says in _OF_STATE_DICTS else says, pickled
    for name, change, says in (
        ("size negative", {"size": -1}, "no sense"),
        ("size huge", {"size": 2**60}, "no sense"),
        ("size a word", {"size": "x"}, "no sense"),
        ("address huge", {"addr": 2**64}, "no sense"),
        ("time huge", {"time_us": 2**63}, "no sense"),
        ("frames a word", {"frames": "x"}, ""),
        ("frames of lists", {"frames": [[], 3]}, ""),
        ("a name of a list", {"frames": [{"name": [], "filename": [], "line": 1}]}, ""),
    ):
        value = json.loads(json.dumps(SNAPSHOT))
        value["device_traces"][0][0].update(change)
        yield name, says, pickle.dumps(value)
    endless: list[Any] = []
    for _ in range(60):
        endless = [endless, endless]  # 2**60 words, if anybody wrote them out
    value = json.loads(json.dumps(SNAPSHOT))
    value["device_traces"][0][0]["frames"] = [{"name": endless}]
    yield "a name without end", "", pickle.dumps(value)
    yield "millions of dictionaries", "more values", lambda: (
        b"\x80\x04]" + b"}\x94" * 2_500_000 + b".")  # fmt: skip
    yield "traces a number", "no memory snapshot", pickle.dumps({"device_traces": 3})
    yield "no history", "no history", pickle.dumps({"device_traces": [[]]})


_OF_STATE_DICTS = {
    "no state dict",
    "holds no tensor",
    "does not know",
    "an unknown class",
    "a list",
}


_MAKERS: dict[str, Callable[[], Iterator[tuple[Any, ...]]]] = {
    "safetensors": _safetensors, "gguf": _gguf, "onnx": _onnx, "archive": _archive,
    "keras": _keras, "config": _config, "plan": corpus_text.plan, "trainer": corpus_text.trainer,
    "snapshot": _snapshot, "text": corpus_text.text, "protocol": corpus_text.protocol,
}  # fmt: skip
