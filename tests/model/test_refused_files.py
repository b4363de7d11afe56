"""What readers say of files that the system refuses, or that hold what is rare."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from memplanner.errors import SourceError
from memplanner.model import (
    archive,
    hugging_face_limits,
    keras_file,
    load,
    onnx_file,
    safetensors_header,
)
from memplanner.model.archive import opened
from memplanner.model.data import batches, read_text
from memplanner.model.gguf_header import read_gguf
from memplanner.model.onnx_file import load_onnx
from memplanner.model.pickled import first_bytes
from memplanner.model.plain_pickle import read_plain
from memplanner.model.plain_values import Made, Name
from memplanner.model.reading import read_json
from memplanner.model.safetensors_header import read_index, read_safetensors
from memplanner.model.sources import is_program
from memplanner.model.trust import digest_of
from memplanner.snapshot.reader import read_snapshot
from tests.hostile.seeds import LLAMA, REBUILT, safetensors, seed, state, tensor
from tests.model.small_models import CPU, SMALL, small_model
from tests.model.test_gguf import gguf, key, text
from tests.model.test_weight_files import field, graph, initializer

HUNDRED = b"K\1" * 8
"""Numbers that a pickle ends with, so that its common opcodes are read in one go."""


def said(act: Callable[[], object]) -> str:
    with pytest.raises(SourceError) as caught:
        act()
    return str(caught.value)


@pytest.mark.parametrize(
    "read",
    [
        read_gguf, read_safetensors, read_text, read_json, read_snapshot, first_bytes,
        lambda path: load_onnx(path, source=""), lambda path: digest_of([path]),
        lambda path: opened(path).__enter__(),
    ],
)  # fmt: skip
def test_a_folder_is_no_file(tmp_path: Path, read: Callable[[Path], object]) -> None:
    sentence = said(lambda: read(tmp_path))
    assert sentence == f"{tmp_path} cannot be read (is a directory); check the path."


def test_a_shard_that_is_a_folder_is_missing(tmp_path: Path) -> None:
    index = tmp_path / "m.safetensors.index.json"
    index.write_text('{"weight_map": {"w": "m.safetensors"}}')
    (tmp_path / "m.safetensors").mkdir()
    assert "names m.safetensors, which is missing" in said(lambda: read_index(index))


def test_counts_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (safetensors_header, onnx_file):
        monkeypatch.setattr(module, "MOST_TENSORS", 1)
    monkeypatch.setattr(archive, "MOST_MEMBERS", 1)
    monkeypatch.setattr(keras_file, "MOST_PARTS", 1)
    for reader, sentence in (
        ("safetensors", "names 2 tensors, more than any model has"),
        ("onnx", "it has more tensors than a model"),
        ("archive", "has more members than a model needs"),
    ):
        path = tmp_path / f"m.{'pt' if reader == 'archive' else reader}"
        path.write_bytes(seed(reader))
        assert sentence in said(lambda path=path: load(path))  # type: ignore[misc]  # a default
    path = hdf5(tmp_path, lambda file: file.create_group("a/b"))
    assert "has more parts than a model" in said(lambda: load(path))


def test_a_configuration_of_too_many_modules_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hugging_face_limits, "MODULES", 5)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert "describes a model of more than 5 modules" in said(lambda: load(tmp_path))


# Archives


def test_a_member_that_ends_early_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", b"}" * 100)
    data = made.getvalue()
    place = data.index(b"PK\1\2") + 24  # the size in the list of members
    path.write_bytes(data[:place] + struct.pack("<I", 200) + data[place + 4 :])
    assert "data.pkl is not as long as its entry says" in said(lambda: load(path))


def test_a_state_dict_beside_a_configuration_opens_the_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(seed("archive"))
    model = load(path)
    assert (model.kind, model.class_name) == ("state_dict", "LlamaForCausalLM")
    assert "is a pickle and stays unread" in model.notes[0]


def test_an_older_exported_program_is_exported_again(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("serialized_exported_program.json", "{}")
    assert "exported by an older torch" in said(lambda: load(path))


def test_tensors_of_a_subclass_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    plain = REBUILT.removesuffix(b"R")  # the call's name and its arguments, without the call
    name, arguments = plain.split(b"\n((", 1)
    subclass = b"ctorch._tensor\n_rebuild_from_type_v2\n("
    call = subclass + name + b"\n" + b"cmy.own\nTensor\n" + b"((" + arguments + b"Nt" + b"R"
    path.write_bytes(state(b"\x80\2}X\1\0\0\0w" + call + b"s."))
    assert load(path).parameter_count == 4


# Pickles


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"Ix\n.", "a number that is none"),
        (b"Fx\n.", "a number that is none"),
        (b"NN\x93.", "a name that is no text"),
        (b"N" + HUNDRED + b"a.", "items of what is no list"),
        (b"]" * 40, "no end"),
    ],
)
def test_what_a_pickle_gets_wrong_is_said(data: bytes, sentence: str) -> None:
    assert sentence in said(lambda: read_plain(data, "it"))


def test_common_opcodes_are_read_alike_in_one_go_and_one_by_one() -> None:
    inner = [1, -5, 2**40, "word"]
    value = [inner, *([inner] * 300), {"a": inner}]
    data = pickle.dumps(value, 4)
    assert read_plain(data, "it") == value
    last = b"\x80\4]\x94(K\1r\0\1\0\0j\0\1\0\0e."  # a place in the memo beyond the first byte's
    assert read_plain(last, "it") == [1, 1]
    assert read_plain(b"(" + b"\x8a\2\1\1" * 5 + b"t.", "it") == (257,) * 5


def test_classes_of_every_protocol_are_names_and_nothing_more() -> None:
    instance = read_plain(b"(K\1ios\nmkdir\n.", "it")
    named = read_plain(b"cos\nmkdir\n)}\x92.", "it")
    called = read_plain(b"(cos\nmkdir\nK\1o.", "it")
    for made, arguments in ((instance, (1,)), (named, ((), {})), (called, (1,))):
        assert isinstance(made, Made)
        assert (made.call, made.arguments) == (Name("os", "mkdir"), arguments)
    assert read_plain(b"cos\nmkdir\n)RK\1a.", "it").call == Name("os", "mkdir")
    assert read_plain(b"]}b.", "it") == []


# GGUF


def test_short_lists_of_numbers_are_kept_and_lists_of_lists_skipped(tmp_path: Path) -> None:
    numbers = text("heads") + struct.pack("<IIQ3I", 9, 4, 3, 1, 2, 3)
    within = text("deep") + struct.pack("<IIQ", 9, 9, 2) + struct.pack("<IQI", 4, 1, 7) * 2
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf([numbers, within, key("a", "b")], []))
    header = read_gguf(path)
    assert header.metadata == {"heads": [1, 2, 3], "a": "b"}
    assert header.lengths == {"heads": 3, "deep": 2}


@pytest.mark.parametrize("length", [40, 2**40])
def test_a_vocabulary_beyond_the_files_end_is_cut_off(tmp_path: Path, length: int) -> None:
    words = text("w") + struct.pack("<IIQQ", 9, 8, 3, length) + bytes(16)
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + words)
    assert "speaks of a list of 3 texts" in said(lambda: read_gguf(path))


# ONNX


def test_shapes_may_be_packed_and_data_may_lie_outside(tmp_path: Path) -> None:
    packed = field(1, b"\2\3") + field(2, 1) + field(8, b"p")
    outside = field(1, 5) + field(2, 1) + field(8, b"v") + field(9, b"") + field(14, 1)
    path = tmp_path / "m.onnx"
    path.write_bytes(graph(packed, outside, initializer([1], bytes(4))))
    assert load(path).parameter_count == 2 * 3 + 5 + 1


# Keras


def hdf5(folder: Path, fill: Callable[[Any], object]) -> Path:
    path = folder / "m.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def test_what_is_no_weight_is_passed_over(tmp_path: Path) -> None:
    def fill(file: Any) -> None:
        file["layers/dense/vars/0"] = np.zeros((2, 3), "float32")
        file["layers/names"] = np.array([b"a", b"b"])
        file["layers/nothing"] = h5py.Empty("float32")
        file["optimizer/vars/0"] = np.zeros((2, 3), "float32")
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/x")
        file["/".join("d" * 70) + "/w"] = np.zeros(5, "float32")  # deeper than any model

    assert load(hdf5(tmp_path, fill)).parameter_count == 6


def test_a_file_without_weights_or_with_odd_names_is_refused(tmp_path: Path) -> None:
    assert "holds no weights" in said(lambda: load(hdf5(tmp_path, lambda file: None)))
    odd = hdf5(tmp_path, lambda file: file.create_group("a\x1b[2J"))
    assert "has a part called a" in said(lambda: load(odd))


def test_without_h5py_its_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hdf5(tmp_path, lambda file: None)
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert said(lambda: load(path)).endswith("run pip install 'memplanner[keras]'.")


# Configurations


def config(folder: Path, **changes: Any) -> Path:
    (folder / "config.json").write_text(json.dumps({**LLAMA, **changes}))
    return folder


def test_a_class_that_is_gone_has_a_stand_in(tmp_path: Path) -> None:
    model = load(config(tmp_path, architectures=["LlamaForNothing"]))
    assert "no LlamaForNothing of this type: LlamaForCausalLM stands in." in model.notes[0]
    unnamed = load(config(tmp_path, architectures=[]))
    assert unnamed.notes[0].startswith("The configuration names no class: ")


def test_a_part_of_a_model_that_no_class_trains_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "align_text_model"}')
    assert "names the architecture “align_text_model”" in said(lambda: load(tmp_path))


def test_code_for_no_model_class_is_refused(tmp_path: Path) -> None:
    folder = config(tmp_path, model_type="own", auto_map={"AutoConfig": "own.Config"})
    sentence = said(lambda: load(folder, trust_code=True))
    assert "names code for AutoConfig and for no model class that can train" in sentence


def test_a_models_own_code_that_raises_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "cache")
    )
    names = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    folder = config(tmp_path, model_type="own", auto_map=names)
    (folder / "own.py").write_text("raise ZeroDivisionError('of its own')\n")
    sentence = said(lambda: load(folder, trust_code=True))
    assert "the model's own code raised ZeroDivisionError (of its own)" in sentence


def test_quantized_weights_are_told(tmp_path: Path) -> None:
    folder = config(tmp_path, quantization_config={"quant_method": "gptq"})
    (folder / "model.safetensors").write_bytes(safetensors({"w": tensor([1], 0, 4)}, bytes(4)))
    assert load(folder).notes[-1] == (
        "The weights are stored quantized (gptq); apply starts from random ones."
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("model_index.json", "holds a diffusers pipeline; open its network through a recipe"),
        ("m.gguf", "has no config.json; add it, or open m.gguf in it instead"),
        ("adapter_config.json", "holds an adapter without its model"),
        ("notes.txt", "has no config.json; name a folder that holds one"),
    ],
)
def test_a_folder_without_a_configuration_says_what_it_is(
    tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / name).write_text("{}")
    assert sentence in said(lambda: load(tmp_path))


# Text


def test_a_tokenizer_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    folder = config(tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    notes = tmp_path / "notes.txt"
    notes.write_text("words")
    sentence = said(lambda: batches(load(folder), notes, 1, 4, CPU))
    assert "cannot be opened" in sentence
    assert "leave the text file out" in sentence


def test_what_has_no_tokens_trains_on_no_text(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("words")
    recipe = tmp_path / "net.py"
    recipe.write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def forward(self, input_ids):\n"
        "        return super().forward(input_ids.float())\n"
        "def model():\n    return Net(4, 2)\n"
        "def batch(batch_size, sequence_length):\n"
        "    return {'input_ids': torch.zeros(batch_size, 4, dtype=torch.int64)}\n"
        "def loss(output, batch):\n    return output.sum()\n"
    )
    model = load(recipe, trust_code=True)
    assert batches(model, None, 1, 4, CPU).description == "the recipe's own batches"
    assert "has no table of tokens" in said(lambda: batches(model, notes, 1, 4, CPU))
    recipe.write_text(recipe.read_text().replace("Net(4, 2)", "torch.nn.Embedding(50, 2)"))
    bytes_of_it = next(batches(load(recipe, trust_code=True), notes, 1, 4, CPU))["input_ids"]
    assert bytes_of_it.max() < 50


def test_generated_sound_is_called_so() -> None:
    model = small_model("Wav2Vec2ForCTC", **{**SMALL, "conv_dim": (8,) * 7})
    assert batches(model, None, 1, 4000, CPU).description == "generated sound"


# Programs


def test_programs_are_told_by_their_names() -> None:
    assert is_program("a/Net.PY")
    assert is_program("package.module:Net")
    assert not is_program("preset:gpt2")
    assert not is_program("org/name")


def test_what_a_programs_own_error_says_stays(tmp_path: Path) -> None:
    recipe = tmp_path / "net.py"
    recipe.write_text(
        "from memplanner.errors import SourceError\n"
        "def model():\n    raise SourceError('The net has no size; give it one.')\n"
        "def batch(batch_size, sequence_length):\n    return {}\n"
    )
    assert said(lambda: load(recipe, trust_code=True)) == "The net has no size; give it one."
