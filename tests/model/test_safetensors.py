from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.safetensors_header import read_safetensors
from tests.model.small_models import CPU, META, opened


def written(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(shape: list[Any], start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    st.dictionaries(
        st.from_regex(r"[a-c](\.[a-c0-2]){0,3}", fullmatch=True),
        st.tuples(
            st.lists(st.integers(0, 4), max_size=3),
            st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool]),
        ),
        min_size=1,
    )
)
def test_what_was_saved_is_described(
    tmp_path: Path, tensors: dict[str, tuple[list[int], torch.dtype]]
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({name: torch.zeros(shape, dtype=kind) for name, (shape, kind) in tensors.items()},
              path)  # fmt: skip

    stored = {tensor.name: tensor for tensor in read_safetensors(path)}
    assert {name: list(tensor.shape) for name, tensor in stored.items()} == {
        name: shape for name, (shape, _) in tensors.items()
    }
    model = load(path)
    module = model.build(META)
    found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    assert {name: (list(t.shape), t.dtype) for name, t in found.items()} == {
        name: (shape, kind) for name, (shape, kind) in tensors.items()
    }
    floats = sum(stored[name].elements for name, (_, k) in tensors.items() if k.is_floating_point)
    assert (model.parameter_count, model.parameters_only) == (floats, True)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_header_whose_length_begins_like_a_pickle_is_none(tmp_path: Path, protocol: int) -> None:
    header = json.dumps({"a": entry([1], 0, 4)}).encode().ljust(0x80 + (protocol << 8))
    assert load(written(tmp_path / "a.safetensors", header, b"1234")).parameter_count == 1


def test_a_file_alone_has_parameters_and_no_forward(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"layer.weight": torch.ones(2, 3), "layer.forward": torch.ones(1)}, path)
    model = load(path)

    assert model.kind == "safetensors"
    assert "no config.json" in model.notes[0]
    assert model.parameter_count == 7
    with pytest.raises(SourceError, match="weights alone"):
        model.build(CPU)(torch.ones(1))


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": entry([2], 0, 8)}, b"1234", "cut off"),
        ({"a": entry([2], 0, 8)}, b"123456789", "too long"),
        ({"a": entry([3], 0, 8)}, b"12345678", "does not take 8 bytes"),
        ({"a": entry([2**40, 2**40], 0, 8)}, b"12345678", "does not take"),
        ({"a": entry([-2], 0, 8)}, b"12345678", "no valid shape"),
        ({"a": entry([2.0], 0, 8)}, b"12345678", "no valid shape"),
        ({"a": entry([True], 0, 4)}, b"1234", "no valid shape"),
        ({"a": entry([2**60, 0], 0, 0)}, b"", "no valid shape"),
        ({"a": entry([1] * 99, 0, 4)}, b"1234", "no valid shape"),
        ({"a": entry([2], 8, 0)}, b"12345678", "no valid place"),
        ({"a": entry([2], 0, 8, "F31")}, b"12345678", "the type 'F31'"),
        ({"a": {"dtype": "F32", "shape": [2]}}, b"12345678", "no valid place"),
        ({"a": 3}, b"", "no valid place"),
        ({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, b"1234", "begins at 0 instead of 4"),
        ({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, b"1" * 12, "begins at 8 instead of 4"),
        ([], b"", "no JSON object"),
        (b"{", b"", "not valid JSON"),
        (b'{"a": 1, "a": 2}', b"", "occurs twice"),
        (b"\xff\xfe{}", b"", "not UTF-8"),
        (b"[" * 200_000, b"", "nested too deeply"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, b"", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", b"", "not valid JSON"),
    ],
)
def test_a_lying_header_is_one_sentence(
    tmp_path: Path, header: object, data: bytes, words: str
) -> None:
    path = written(tmp_path / "lie.safetensors", header, data)
    with pytest.raises(SourceError) as caught:
        load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [2**64 - 1, 2**40, 99_999_999, 100])
def test_a_header_longer_than_the_file_takes_no_memory(tmp_path: Path, length: int) -> None:
    path = written(tmp_path / "lie.safetensors", {}, length=length)
    with pytest.raises(SourceError, match=r"cut off|no safetensors file"):
        load(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_is_a_source_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a.b": torch.zeros(3, 2), "c": torch.zeros(1, dtype=torch.int8)}, path)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])

    sentence, parameters = opened(path)
    assert "\n" not in sentence
    assert parameters <= len(damaged)


def test_names_may_be_anything(tmp_path: Path) -> None:
    deep = ".".join("a" * 3000)
    names = ["", ".a", "a..b", "forward", "children", deep, "a", "a.b", "é"]
    header = {name: entry([1], 4 * i, 4 * i + 4) for i, name in enumerate(names)}
    model = load(written(tmp_path / "names.safetensors", header, b"0000" * len(names)))

    assert set(dict(model.build(META).named_parameters())) == set(names)
    assert model.parameter_count == len(names)


@pytest.mark.parametrize(
    "shard", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "a.bin", "..", 3, None]
)
def test_an_index_cannot_name_files_elsewhere(tmp_path: Path, shard: object) -> None:
    (tmp_path / "secret.safetensors").write_bytes(b"")
    folder = tmp_path / "model"
    folder.mkdir()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard}}))

    with pytest.raises(SourceError, match="no file beside it"):
        load(index)


def test_an_index_is_held_against_its_shards(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}))
    with pytest.raises(SourceError, match=r"one\.safetensors, which is missing"):
        load(index)
    save_file({"a": torch.zeros(2)}, tmp_path / "one.safetensors")
    with pytest.raises(SourceError, match="lacks b"):
        load(index)
    save_file({"a": torch.zeros(2), "b": torch.zeros(3)}, tmp_path / "one.safetensors")
    assert load(index).parameter_count == 5
    index.write_text("{}")
    with pytest.raises(SourceError, match="no weight_map"):
        load(index)
