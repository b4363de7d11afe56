"""A user's mistake is one sentence that names the thing and the fix, and exit code 2."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.run.recipes import write_recipe
from tests.terminal import LOUD, assert_one_sentence, memplanner, silent, started


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("tiny"))


def _config(folder: Path, text: str) -> Path:
    path = folder / "config.json"
    path.write_text(text)
    return path


def _file(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    return write


_TENSOR = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
_RECIPE_BATCH = "def batch(batch_size, sequence_length):\n    return {}\n"

BAD_SOURCES: dict[str, Callable[[Path], str | Path]] = {
    "a preset that is none": lambda _: "preset:llama-9",
    "no such file": lambda folder: folder / "missing.safetensors",
    "an empty folder": lambda folder: folder,
    "a pickle": _file("weights.pt", pickle.dumps([1])),
    "a pickle by another name": _file("weights.safetensors", pickle.dumps([1])),
    "a file of no known kind": _file("model.onnx", b"model"),
    "a cut-off header": _file("cut.safetensors", struct.pack("<Q", 500) + _TENSOR),
    "cut-off weights": _file("cut.safetensors", struct.pack("<Q", len(_TENSOR)) + _TENSOR + b"1"),
    "a lying GGUF": _file("lie.gguf", b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60)),
    "a cut-off GGUF": _file("cut.gguf", b"GGUF\x03"),
    "a JSON bomb": lambda folder: _config(folder, "[" * 500_000),
    "a JSON bomb in an object": lambda folder: _config(
        folder, '{"a":' * 100_000 + "1" + "}" * 100_000
    ),
    "no JSON": lambda folder: _config(folder, "{model_type: llama}"),
    "an unknown architecture": lambda folder: _config(
        folder, '{"model_type": "abacus", "architectures": ["AbacusForCausalLM"]}'
    ),
    "an absurd size": lambda folder: _config(
        folder, '{"model_type": "llama", "num_hidden_layers": 1000000000}'
    ),
    "a recipe that raises": _file("raises.py", b"import torch\nraise ValueError('no\\ngood')\n"),
    "a recipe that exits": _file("exits.py", b"import sys\nsys.exit(3)\n"),
    "a recipe that is no Python": _file("wrong.py", b"def model(:\n"),
    "a recipe without model()": _file("without.py", _RECIPE_BATCH.encode()),
    "a recipe whose model is none": _file(
        "text.py", f"def model():\n    return 'text'\n{_RECIPE_BATCH}".encode()
    ),
    "a zero byte": lambda _: "a\0b",
    "a name that is no text": lambda folder: f"{folder}/\udcff.py",
}


@pytest.mark.parametrize("make", BAD_SOURCES.values(), ids=BAD_SOURCES.keys())
def test_a_source_that_cannot_be_opened_is_one_sentence(
    tmp_path: Path, make: Callable[[Path], str | Path]
) -> None:
    source = make(tmp_path)
    shown = memplanner("estimate", source, "--device", "cpu", "--json")
    name = "preset" if str(source).startswith("preset:") else Path(source).name
    named = name.encode("ascii", "ignore").decode().partition("\0")[0]
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, named)


def test_code_that_comes_with_a_model_needs_an_option(tmp_path: Path) -> None:
    path = _config(tmp_path, '{"model_type": "x", "auto_map": {"AutoModel": "modeling_x.X"}}')
    shown = memplanner("estimate", path, "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "modeling_x.py",
                        "--trust-code")  # fmt: skip


def test_a_recipe_runs_after_a_yes_at_the_terminal_or_the_option(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMPLANNER_TRUSTED_FOLDERS", "")
    estimate = ("estimate", tiny, "--device", "cpu")
    shown = memplanner(*estimate)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, tiny.name, "--trust-code")

    monkeypatch.setattr("memplanner.cli.arguments.at_terminal", lambda: True)
    for answer, code in (("n", 1), ("y", 0)):
        shown = memplanner(*estimate, typed=f"{answer}\n")
        assert (shown.exit_code, bool(shown.stdout)) == (code, code == 0)
        assert "with your rights on this machine" in shown.stderr
        assert "Run it?" in shown.stderr
    assert memplanner(*estimate, typed="").exit_code == 0  # it is remembered


def test_a_hub_id_without_a_network_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shown = memplanner("estimate", "no-such-org/no-such-model", "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "no-such-org/no-such-model",
                        "cannot be reached", "open its folder")  # fmt: skip


BAD_OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "a wrong key": (("--set", "training.batchsize=3"), "training.batch_size"),
    "a wrong section": (("--set", "trainin.batch_size=3"), "trainin"),
    "a section as a key": (("--set", "training=3"), "training"),
    "a wrong value": (("--set", "precision=fp8"), "precision"),
    "a word for a number": (("--set", "training.batch_size=many"), "training.batch_size"),
    "no value": (("--set", "precision"), "KEY=VALUE"),
    "a negative batch": (("--batch-size", "-1"), "training.batch_size"),
    "no sequence": (("--sequence-length", "0"), "training.sequence_length"),
    "an unknown device": (("--device", "H1000"), "H1000"),
    "an ambiguous device": (("--device", "A100"), "name one of them"),
    "no device": (("--device", " "), "No device"),
    "a card that is not here": (("--device", "cuda:99"), "CUDA card"),
}


@pytest.mark.parametrize(("arguments", "words"), BAD_OPTIONS.values(), ids=BAD_OPTIONS.keys())
def test_a_wrong_option_is_one_sentence(tiny: Path, arguments: tuple[str, ...], words: str) -> None:
    if "cuda:99" in arguments and torch.cuda.is_available():
        words = "cuda:99"
    if "--device" not in arguments:
        arguments = (*arguments, "--device", "cpu")
    shown = memplanner("estimate", tiny, *arguments)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, words)


BAD_PLANS = {
    "a wrong key": ("training: {batchsize: 3}", "batchsize"),
    "a wrong value": ("precision: fp8", "precision"),
    "a newer schema": ("schema: 99", "schema"),
    "no YAML": ("training: [1, 2", "YAML"),
    "a list": ("- 1", ""),
    "a tag": ("precision: !!python/object:os.system x", "tag"),
    "an alias": ("a: &a {b: 1}\nc: *a", "alias"),
}


@pytest.mark.parametrize(("text", "words"), BAD_PLANS.values(), ids=BAD_PLANS.keys())
def test_a_wrong_plan_is_one_sentence_that_names_the_file(
    tiny: Path, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    shown = memplanner("estimate", tiny, "--device", "cpu", "--plan", file)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(file), words)


def test_a_plan_that_is_not_there_is_named_before_the_model_opens(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    shown = memplanner("estimate", "preset:none", "--device", "cpu", "--plan", file)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(file))


@pytest.mark.parametrize("text", ["x", "x=", "x=2xQ:int64", "x=2x3:int65", "=2:int64", "x=-1"])
def test_a_malformed_input_is_one_sentence(text: str) -> None:
    shown = memplanner("estimate", "torch.nn:Identity", "--device", "cpu", "--input", text)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr)


@pytest.mark.parametrize("source", ["torch.nn:NoSuch", "no_such_module:Net", "torch.nn:Identity"])
def test_an_importable_that_cannot_be_opened_is_one_sentence(source: str) -> None:
    shown = memplanner("estimate", source, "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, source.partition(":")[2])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ValueError('no\\ngood')", "no"),
        ("raise SystemExit(3)", "SystemExit"),
        ("1 / 0", "ZeroDivisionError"),
        ("torch.ones(2) @ torch.ones(3)", "size"),
    ],
)
def test_a_forward_that_raises_is_one_sentence(tmp_path: Path, code: str, words: str) -> None:
    path = tmp_path / "raises.py"
    path.write_text(silent(LOUD)
                    .replace('("printed in forward")', code))  # fmt: skip
    shown = memplanner("estimate", path, "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "raises", words)


def test_an_unknown_target_is_one_sentence(tiny: Path) -> None:
    shown = memplanner("export", tiny, "--target", "accelerat", "--device", "cpu")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, "did you mean accelerate")


@pytest.mark.parametrize(
    "output", ["/dev/full", "/proc/plan.yaml", "missing/plan.yaml", "file/plan.yaml", "n" * 300]
)
def test_an_output_that_cannot_be_written_is_one_sentence(
    tiny: Path, tmp_path: Path, output: str
) -> None:
    (tmp_path / "file").write_text("kept")
    path = tmp_path / output  # an absolute one stays
    shown = memplanner("export", tiny, "--target", "plan", "--device", "cpu", "--output", path)
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(path))
    assert [other.name for other in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    shown = memplanner("export", tiny, "--target", "plan", "--device", "cpu",
                       "--output", tmp_path / "plan.yaml")  # fmt: skip
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--steps", "0"), "steps"),
        (("--device", "H100 80GB"), "not in this machine"),
        (("--device", "cpu", "--batch-size", "1000000"), "force"),
    ],
)
def test_a_run_that_cannot_start_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    path = tmp_path / "quiet.py"
    path.write_text(silent(LOUD))
    shown = memplanner("apply", path, *arguments, "--json")
    assert_one_sentence(shown.exit_code, shown.stdout, shown.stderr, words)


def test_an_option_of_the_wrong_type_has_exit_code_2(tiny: Path) -> None:
    shown = memplanner("estimate", tiny, "--batch-size", "two")
    assert shown.exit_code == 2
    assert "Invalid value for '--batch-size'" in shown.stderr


def test_a_full_disk_behind_standard_output_is_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        shown = started("presets", "--json", stdout=full)
    assert_one_sentence(shown.returncode, "", shown.stderr, "Standard output", "no space left")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    shown = started("presets", "--json", stdout=writing)
    os.close(writing)
    assert (shown.returncode, shown.stderr) == (1, "")
