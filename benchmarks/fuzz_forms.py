"""Valid files of each reader, of every form that it takes: what ``benchmarks/fuzz.py`` damages.

A checksum, or a length told in front, keeps nearly all damage out of the reader behind it. So
what lies in a container is also damaged by itself, and the container closed around it.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, get_args

from benchmarks.fuzz_configurations import configurations
from benchmarks.fuzz_folders import folders, indices, parts
from tests.hostile.corpus import cases
from tests.hostile.seeds import (
    PROGRAM,
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
from tests.importing import test_trainers_files as trainers
from tests.snapshot.test_reader import event, segment

_SMALL_PLANS = (
    "training: {batch_size: 4, sequence_length: 128, gradient_accumulation_steps: 2}\n"
    "sharding: {nodes: 2, cards_per_node: 8, data: zero_3, tensor: 2}\nprecision: bf16_mixed\n",
    "optimizer: {name: sgd, momentum: 0.9}\nactivation_checkpointing: {policy: full}\n"
    "attention: {kernel: flash}\nloss: {method: chunked, chunks: 4}\n",
    "quantization:\n  method: nf4\n  double_quantization: true\n"
    "adapters: {method: lora, rank: 8}\n",
)
_TOLD: dict[str, object] = {
    "plan": {"training": {"batch_size": 2}, "precision": "fp32"}, "plans": [{}, {}],
    "device": "cpu", "source": "x", "moment": "peak", "name": "a.b", "path": "x", "target": "plan",
    "budget_bytes": 1000,
}  # fmt: skip
"""What requests must say."""


@dataclass(frozen=True)
class Inside:
    """What lies in a container: damaged by itself, before ``close`` puts it there."""

    data: bytes
    close: Callable[[bytes], bytes]
    is_text: bool = False


@cache
def forms(reader: str) -> tuple[bytes, ...]:
    """Valid files of the reader, the simplest first."""
    return seed(reader), *_MAKERS.get(reader, _none)()


@cache
def insides(reader: str) -> tuple[Inside, ...]:
    """What containers of the reader hold."""
    if reader == "safetensors":
        headers = [file[8 : 8 + int.from_bytes(file[:8], "little")] for file in forms(reader)]
        return tuple(
            Inside(header, partial(_headed, rest=file[8 + len(header) :]), is_text=True)
            for file, header in zip(forms(reader), headers, strict=True)
        )
    if reader == "archive":
        valid = [STATE, *map(_pickle_of, map(_saved, _states()))]
        pickles = [*valid * 8, *_malformed_pickles()]
        program = Inside(json.dumps(PROGRAM).encode(), _program, is_text=True)
        return (*(Inside(pickled, _archive) for pickled in pickles), *[program] * 8)
    if reader == "keras":
        return tuple(Inside(data, _keras) for data in _hdf5())
    if reader in ("index", "folder"):
        return tuple(Inside(*part) for packed in forms(reader) for part in parts(packed))
    return ()


def _none() -> Iterator[bytes]:
    yield from ()


def _safetensors() -> Iterator[bytes]:
    several = {
        "__metadata__": {"format": "pt"}, "a.b.weight": tensor([2, 3], 0, 12, "BF16"),
        "a.b.bias": tensor([], 12, 20, "I64"), "c.running_mean": tensor([4], 20, 24, "F8_E4M3"),
    }  # fmt: skip
    yield safetensors(several, bytes(24))


def _gguf() -> Iterator[bytes]:
    from tests.model.test_gguf import gguf, key, small_llama

    whole = small_llama()
    for architecture in (b"qwen2", b"gemma", b"other"):  # names of as many letters
        yield whole.replace(b"llama", architecture)
    yield gguf([key("general.architecture", "x"), key("x.list", ["a"])], [("a.b", (2, 3))])


def _onnx() -> Iterator[bytes]:
    nodes = b"".join(field(1, field(1, b"a") + field(4, name)) for name in (b"Add", b"Relu"))
    outside = initializer([5, 3], b"", b"outside", 10) + field(14, 1)
    yield field(1, 8) + field(2, b"torch") + field(7, nodes + field(5, outside)) + field(8, b"\x10")
    yield graph(field(1, b"\2\3") + field(2, 16) + field(8, b"packed"), initializer([]))


def _archive_files() -> Iterator[bytes]:
    yield from map(_saved, _states())
    yield _program(json.dumps(PROGRAM).encode())


def _states() -> Iterator[object]:
    import torch
    from torch import nn

    small = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    yield small.state_dict()
    table = nn.Parameter(torch.ones(4, 2, dtype=torch.bfloat16))
    yield {"epoch": 3, "model": {"embed": table, "head": table}, "optimizer": {"state": {}}}


def _saved(state: object) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def _pickle_of(file: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        return archive.read(name)


def _malformed_pickles() -> Iterator[bytes]:
    for case in cases("archive"):
        if case.name.startswith("pickle: ") and isinstance(case.data, bytes):
            pickled = _pickle_of(case.data)
            if len(pickled) < 2**12:
                yield pickled


def _archive(pickled: bytes) -> bytes:
    return state(pickled, **{f"a__data__{number}": bytes(64) for number in range(1, 8)})


def _program(table: bytes) -> bytes:
    return zipped(p__data__weights__model_weights_config_dot_json=table)


def _hdf5() -> Iterator[bytes]:
    import h5py

    with zipfile.ZipFile(io.BytesIO(seed("keras"))) as archive:
        yield archive.read("model.weights.h5")
    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=[[1.0, 2.0]], dtype="f4")
        file.create_dataset("layers/dense/vars/1", shape=(4, 2), dtype="i8", chunks=(2, 2))
        file.create_dataset("optimizer/vars/0", data=3, dtype="f2")
        file["layers/again"] = h5py.SoftLink("/layers/dense")
        file["outside"] = h5py.ExternalLink("other.h5", "/x")
        file.attrs["keras_version"] = "3.0"
    yield inner.getvalue()


def _keras(data: bytes) -> bytes:
    return zipped(model_dot_weights_dot_h5=data)


def _headed(header: bytes, rest: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + rest


def _plans() -> Iterator[bytes]:
    yield from map(str.encode, _SMALL_PLANS)


def _trainers() -> Iterator[bytes]:
    for text in (trainers.QLORA, trainers.FSDP, trainers.FACTORY, trainers.TITAN,
                 trainers.DEEPSPEED, trainers.LAUNCH, trainers.ARGUMENTS):  # fmt: skip
        yield text.strip().encode()


def _snapshots() -> Iterator[bytes]:
    actions = ("segment_alloc", "alloc", "free_requested", "free_completed", "segment_free",
               "segment_map", "segment_unmap")  # fmt: skip
    trace = [event(action, 4096, 512, place) for place, action in enumerate(actions)]
    trace.append(event("oom", 0, 2**40, device_free=5))
    value: dict[str, Any] = {"segments": [segment(1, 1024, 512)], "device_traces": [[], trace]}
    for protocol in (2, 4):
        yield pickle.dumps(value, protocol)


def _requests() -> Iterator[bytes]:
    from memplanner.messages.requests import AnyRequest

    for kind in get_args(get_args(AnyRequest)[0]):
        fields = kind.model_fields
        said = {"kind": fields["kind"].default, "id": 1}
        said |= {name: _TOLD[name] for name, one in fields.items() if one.is_required() and
                 name != "id"}  # fmt: skip
        yield json.dumps(said).encode() + b"\n"


_MAKERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "safetensors": _safetensors,
    "gguf": _gguf,
    "onnx": _onnx,
    "archive": _archive_files,
    "keras": _hdf5,
    "config": configurations,
    "index": indices,
    "folder": folders,
    "plan": _plans,
    "trainer": _trainers,
    "snapshot": _snapshots,
    "protocol": _requests,
}
