"""``memplanner check``: its words and its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
import transformers

from memplanner.messages.check import Checked
from tests.terminal import assert_one_sentence, memplanner

FILE = """
base_model: {model}
micro_batch_size: {batch}
sequence_len: 64
bf16: true
learning_rate: 1e-4
relora: true
datasets:
  - path: words
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=300,
    )  # fmt: skip
    config.architectures = ["LlamaForCausalLM"]
    folder = tmp_path_factory.mktemp("tiny")
    config.save_pretrained(folder)
    return folder


@pytest.fixture
def file(tmp_path: Path, model: Path) -> Path:
    path = tmp_path / "train.yaml"
    path.write_text(FILE.format(model=model, batch=2))
    return path


def test_what_fits_ends_with_zero(file: Path) -> None:
    result = memplanner("check", file, "--device", "A100 80GB")
    assert result.exit_code == 0
    assert "train.yaml (Axolotl): " in result.stdout
    assert " fits A100 80GB, " in result.stdout
    assert "Not in these figures: relora: true has no place in a plan." in result.stderr


def test_what_does_not_fit_ends_with_one_and_the_smallest_change(file: Path) -> None:
    """Samples without number: fewer at a time fit."""
    sets = ("--set", "training.batch_size=200000", "--set", "training.sequence_length=1024")
    result = memplanner("check", file, "--device", "A100 80GB", *sets, "--json")
    assert result.exit_code == 1
    checked = Checked.model_validate_json(result.stdout)
    assert checked.verdict == "does_not_fit"
    assert checked.spare_bytes < 0
    assert checked.plan.training.batch_size == 200_000
    assert checked.trainer == "Axolotl"
    for change in checked.changes:
        assert change.found.verdict == "fits"
        assert change.found.changes


def test_another_model_takes_the_files_place(file: Path) -> None:
    result = memplanner("check", file, "--device", "A100 80GB", "--model", "preset:gpt2", "--json")
    assert result.exit_code == 0
    assert Checked.model_validate_json(result.stdout).model == "gpt2"


@pytest.mark.parametrize(
    ("text", "more", "sentence"),
    [
        ("colour: red", (), "no keys of a trainer"),
        ("micro_batch_size: 1\nsequence_len: 8", (), "names no model; add --model"),
        ("base_model: nowhere\nsequence_len: 8", (), "nowhere"),
        (FILE, ("--set", "training.batch_size=none"), "training.batch_size"),
    ],
)
def test_what_cannot_be_read_ends_with_two(
    text: str, more: tuple[str, ...], sentence: str, tmp_path: Path, model: Path
) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(text.replace("{model}", str(model)).replace("{batch}", "1"))
    result = memplanner("check", path, "--device", "A100 80GB", *more)
    assert_one_sentence(result.exit_code, result.stdout, result.stderr, sentence)


def test_an_unknown_card_is_said_before_the_file_is_read(tmp_path: Path) -> None:
    result = memplanner("check", tmp_path / "none.yaml", "--device", "A1000000")
    assert result.exit_code == 2
    assert "A1000000" in result.stderr
