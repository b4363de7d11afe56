"""State dicts, exported programs, ONNX and Keras files: parameters, and nothing that runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import memplanner as mp
from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.loaded import Model
from tests.model.small_models import META

TYPES = (torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool,
         torch.float8_e4m3fn)  # fmt: skip


class Small(nn.Module):
    """Two linear layers around a norm that keeps statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.last = nn.Linear(8, 2)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.last(self.norm(self.first(values)).relu())  # type: ignore[no-any-return]  # torch's own lack of types


def shapes(model: Model) -> dict[str, list[int]]:
    module = model.build(META)
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: list(tensor.shape) for name, tensor in named.items()}


def expected(module: nn.Module) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in module.state_dict().items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    st.dictionaries(
        st.from_regex(r"[a-c](\.[a-c0-2]){0,3}", fullmatch=True),
        st.tuples(st.lists(st.integers(1, 4), max_size=3), st.sampled_from(TYPES)),
        min_size=1,
    )
)
def test_what_torch_saves_is_described(
    tmp_path: Path, tensors: dict[str, tuple[list[int], torch.dtype]]
) -> None:
    path = tmp_path / "weights.pt"
    torch.save({name: torch.zeros(shape).to(kind) for name, (shape, kind) in tensors.items()}, path)
    module = load(path).build(META)
    found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    wanted = {name: (shape, kind) for name, (shape, kind) in tensors.items()}
    assert {name: (list(t.shape), t.dtype) for name, t in found.items()} == wanted


def test_a_checkpoints_model_is_found_and_its_optimizer_left_out(tmp_path: Path) -> None:
    module = Small()
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(3, 4)).sum().backward()
    optimizer.step()
    path = tmp_path / "checkpoint.ckpt"
    torch.save({"epoch": 3, "optimizer": optimizer.state_dict(), "model": module.state_dict()},
               path)  # fmt: skip

    model = load(path)
    assert shapes(model) == expected(module)
    assert (model.kind, model.parameters_only) == ("state_dict", True)
    assert "only its tensors are known" in model.notes[0]


def test_tied_weights_and_parameters_are_told_once(tmp_path: Path) -> None:
    table = nn.Parameter(torch.ones(10, 4))
    path = tmp_path / "tied.bin"
    torch.save({"embed.weight": table, "head.weight": table, "part": table.data[:2]}, path)
    model = load(path)
    assert shapes(model) == {"embed.weight": [10, 4], "part": [2, 4]}
    assert model.notes[-1] == "Tied to others and counted once: head.weight."


def test_an_estimate_of_a_state_dict_covers_its_states(tmp_path: Path) -> None:
    module = Small()
    path = tmp_path / "small.pt"
    torch.save(module.state_dict(), path)
    plan = mp.Plan.model_validate({"precision": "fp32"})
    parts = mp.estimate(load(path), plan).peak.by_category
    trained = 4 * sum(parameter.numel() for parameter in module.parameters())
    assert (parts.parameters, parts.gradients) == (trained, trained)
    assert parts.optimizer_state >= 2 * trained


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def archived(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_what_a_state_dict_would_call_is_not_called(tmp_path: Path) -> None:
    path = tmp_path / "trap.pt"
    torch.save({"a": torch.ones(1), "b": Trap(tmp_path / "trapped")}, path)
    assert shapes(load(path)) == {"a": [1]}
    assert not (tmp_path / "trapped").exists()


def test_a_whole_module_is_refused_with_what_to_save(tmp_path: Path) -> None:
    path = tmp_path / "whole.pt"
    torch.save(Small(), path)
    with pytest.raises(SourceError, match=r"an object of .*Small and no state dict; save model\."):
        load(path)


def test_dictionaries_within_each_other_end(tmp_path: Path) -> None:
    """A dictionary of itself, and one that is nested in thousands of ways."""
    inner: dict[str, Any] = {"a": 1}
    for _ in range(7):
        inner = {str(number): inner for number in range(4)}
    itself: dict[str, Any] = {"inner": inner}
    itself["itself"] = itself
    path = archived(tmp_path / "deep.pt", **{"deep/data.pkl": pickle.dumps(itself, 2)})
    with pytest.raises(SourceError, match="holds no tensor"):
        load(path)


def rebuilt(shape: Any, key: Any = "0", offset: Any = 0) -> bytes:
    """A state dict of one tensor ``a`` that says of itself what it likes."""

    class _Storage:
        pass

    class _Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            kind = torch.FloatStorage
            return ("storage", kind, key, "cpu", 1) if isinstance(value, _Storage) else None

    class _Tensor:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            arguments = (_Storage(), offset, shape, (1,), False, {})
            return torch._utils._rebuild_tensor_v2, arguments

    stream = io.BytesIO()
    _Pickler(stream, 2).dump({"a": _Tensor()})
    return stream.getvalue()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rebuilt((2**60,)), "does not know"),
        (rebuilt((1000,)), "longer than what is stored"),
        (rebuilt((1,), offset=100), "longer than what is stored"),
        (rebuilt((1,), key="../../0"), "longer than what is stored"),
        (rebuilt((-1,)), "does not know"),
        (rebuilt((1,) * 50), "does not know"),
        (rebuilt("ab"), "does not know"),
        (pickle.dumps([1, 2]), "holds a list and no state dict"),
        (pickle.dumps({}), "holds no tensor"),
        (b"garbage", "cut off or damaged"),
    ],
)
def test_a_lying_state_dict_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = archived(tmp_path / "a.pt", **{"a/data.pkl": text, "a/data/0": b"1234"})
    with pytest.raises(SourceError, match=said) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_an_exported_program_has_its_parameters_and_buffers(tmp_path: Path) -> None:
    module = Small()
    program = torch.export.export(module, (torch.ones(3, 4),))
    torch.export.save(program, tmp_path / "small.pt2")
    model = load(tmp_path / "small.pt2")
    assert shapes(model) == expected(module)
    assert model.kind == "exported_program"
    assert model.trainable_parameter_count == sum(one.numel() for one in module.parameters())


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("{}", "names no weights"),
        ('{"config": {"a": {}}}', "does not know"),
        ('{"config": 3}', "names no weights"),
        ("[" * 3000, "nested too deeply|not valid JSON"),
        (json.dumps({"config": {"a": {"path_name": "w", "tensor_meta": {
            "dtype": 7, "sizes": [{"as_int": 2**60}], "storage_offset": {"as_int": 0}}}}}),
         "has no shape"),
    ],
)  # fmt: skip
def test_a_lying_program_is_refused(tmp_path: Path, table: str, said: str) -> None:
    names = {"m/archive_format": b"pt2",
             "m/data/weights/model_weights_config.json": table.encode()}  # fmt: skip
    with pytest.raises(SourceError, match=said):
        load(archived(tmp_path / "m.pt2", **names))


def field(number: int, data: bytes | int) -> bytes:
    """A protobuf field."""
    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    found = bytearray()
    while True:
        found.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(found)


def graph(*tensors: bytes) -> bytes:
    node = field(1, field(4, b"MatMul"))
    return field(1, 8) + field(7, node + b"".join(field(5, tensor) for tensor in tensors))


def initializer(shape: list[int], raw: bytes = b"", name: bytes = b"w", kind: int = 1) -> bytes:
    sides = b"".join(field(1, side) for side in shape)
    return sides + field(2, kind) + field(8, name) + (field(9, raw) if raw else b"")


def test_initializers_of_onnx_are_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(graph(initializer([2, 3], bytes(24)), initializer([4], bytes(32), b"i", 7),
                           initializer([5], b"", b"outside", 10)))  # fmt: skip
    model = load(path)
    assert shapes(model) == {"w": [2, 3], "outside": [5], "i": [4]}
    assert model.parameter_count == 11
    assert "1 MatMul" in model.notes[0]


def test_onnx_as_its_own_library_writes_it(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is no requirement")
    from onnx import helper, numpy_helper

    weight = numpy_helper.from_array(np.ones((3, 4), dtype=np.float32), "layer.weight")
    half = numpy_helper.from_array(np.ones((7,), dtype=np.float16), "half")
    values = [helper.make_tensor_value_info(name, 1, [1, 4]) for name in ("x", "y")]
    node = helper.make_node("MatMul", ["x", "layer.weight"], ["y"])
    made = helper.make_graph([node], "g", values[:1], values[1:], [weight, half])
    onnx.save(helper.make_model(made), tmp_path / "m.onnx")
    assert shapes(load(tmp_path / "m.onnx")) == {"layer.weight": [3, 4], "half": [7]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 40,
        field(7, b""),
        b"\x3a\xff\xff\xff\xff\x0f",
        graph(initializer([2**50])),
        graph(initializer([1] * 40)),
        graph(initializer([2, 3], bytes(4))),
        graph(initializer([1], name=b"n" * 2**17)),
        b"\x3b",
    ],
)
def test_a_lying_onnx_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"ONNX|is empty") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_are_onnx_or_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with suppress(SourceError):
        assert load(path).parameters_only


def _h5(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 4), dtype=np.float32)
        file["layers/dense/vars/1"] = np.ones(4, dtype=np.float16)
        file["optimizer/vars/0"] = np.ones(99, dtype=np.float32)
        file["layers/outside"] = h5py.ExternalLink("/etc/hostname", "/a")
        file["layers/again"] = h5py.SoftLink("/layers/dense")


def _keras(path: Path) -> None:
    weights = path.with_name("model.weights.h5")
    _h5(weights)
    archived(path, **{"config.json": b"{}", "model.weights.h5": weights.read_bytes()})


@pytest.mark.parametrize(("name", "write"), [("m.h5", _h5), ("m.keras", _keras)])
def test_keras_variables_are_parameters(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    write(tmp_path / name)
    model = load(tmp_path / name)
    assert shapes(model) == {"layers.dense.vars.0": [3, 4], "layers.dense.vars.1": [4]}
    assert model.kind == "keras"


def test_damaged_keras_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    _h5(path)
    whole = path.read_bytes()
    for size in (20, 100, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(SourceError, match=r"HDF5|damaged"):
            load(path)
    with pytest.raises(SourceError, match=r"HDF5|damaged"):
        load(archived(tmp_path / "m.keras", **{"model.weights.h5": whole[:50]}))
