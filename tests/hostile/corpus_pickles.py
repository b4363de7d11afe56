"""The malformed pickles, and what holds them: state dicts, programs, snapshots; see ``corpus``."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.hostile.seeds import PROGRAM, REBUILT, SNAPSHOT, STATE, seed, state, zipped

CANARY = b"cposix\nmkdir\n(X\x0a\0\0\0canary-dirtR"
"""What unpickling would make a folder for, in the folder that the tests run in."""

_OF_STATE_DICTS = {
    "no state dict",
    "holds no tensor",
    "does not know",
    "an unknown class",
    "a list",
}


def archive() -> Iterator[tuple[Any, ...]]:
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
    told = partial(
        _bomb, zipfile.ZIP_DEFLATED, 80_000_000
    )  # made where it is needed: it takes long
    yield "deflate bomb told", "more than such a part needs", told
    for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
        small = _bomb_of_two_bytes(method)
        yield f"{name} bomb that says 2 bytes", "in a way that no model's is", small
    small = _bomb_of_two_bytes(zipfile.ZIP_DEFLATED)
    yield "deflate bomb that says 2 bytes", "no whole archive", small
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
        (
            "sides of nothing overflow",
            REBUILT.replace(
                b"K\2K\2\x86K\2K\1\x86",
                b"("
                + b"\x8a\7"
                + bytes(6)
                + b"\1"
                + b"\x8a\7"
                + bytes(6)
                + b"\1"
                + b"K\0tK\0K\0K\0\x87",
            ),
            "does not know",
        ),
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
        ("sides overflow", "no shape", _program(sizes=[{"as_int": 2**40}] * 2)),
        (
            "sides of nothing overflow",
            "no shape",
            _program(sizes=[{"as_int": side} for side in (2**48, 2**48, 0)]),
        ),
        ("negative offset", "no shape", _program(storage_offset={"as_int": -1})),
        ("type unknown", "does not know", _program(dtype=99)),
        ("type a list", "does not know", _program(dtype=[])),
        ("17 sides", "no shape", _program(sizes=[{"as_int": 1}] * 17)),
    ):
        member = {"p__data__weights__model_weights_config_dot_json": json.dumps(table).encode()}
        yield f"program: {name}", says, zipped(**member)


def _bomb(method: int, size: int) -> bytes:
    return zipped(method, a__data_dot_pkl=b"}" + b"0" * size)


def _bomb_of_two_bytes(method: int) -> bytes:
    """What says that it has two bytes, and has some millions."""
    data = bytearray(_bomb(method, 8_000_000))
    place = data.rfind(b"PK\1\2") + 24
    data[place : place + 4] = struct.pack("<I", 2)
    return bytes(data)


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


def snapshot() -> Iterator[tuple[Any, ...]]:
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
