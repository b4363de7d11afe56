from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.data import TEXT_BYTES, batches, read_text
from memplanner.model.first_plan import default_plan
from tests.model.small_models import CPU, SMALL, small_model

PICTURE = {**SMALL, "image_size": 32, "patch_size": 8}


def test_bytes_of_a_text_are_its_tokens_in_order_without_end(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("abcdefg")
    model = small_model("LlamaForCausalLM", **{**SMALL, "vocab_size": 128})
    data = batches(model, path, 2, 3, CPU)

    assert data.description == "notes.txt, 7 tokens"
    first, second = islice(data, 2)
    assert bytes(first["input_ids"].flatten().tolist()) == b"abcdef"
    assert bytes(second["input_ids"].flatten().tolist()) == b"gabcde"
    assert first["labels"] is first["input_ids"]
    assert next(data)["input_ids"].shape == (2, 3)


def test_bytes_beyond_the_vocabulary_are_folded_into_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("größer")
    model = small_model("LlamaForCausalLM", **SMALL)
    assert next(batches(model, path, 1, 8, CPU))["input_ids"].max() < 99


def test_labels_of_a_classifier_stay_classes(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("some text")
    model = small_model("BertForSequenceClassification", **SMALL, num_labels=3)
    assert next(batches(model, path, 4, 6, CPU))["labels"].shape == (4,)


def test_the_tokenizer_of_the_source_is_used(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 3}'
    )
    unknown = "[UNK]"
    words = {unknown: 0, "one": 1, "two": 2}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "PreTrainedTokenizerFast"}'
    )
    text = tmp_path / "notes.txt"
    text.write_text("one two two three")

    data = batches(load(tmp_path), text, 1, 4, CPU)
    assert next(data)["input_ids"].tolist() == [[1, 2, 2, 0]]
    assert data.description == "notes.txt, 4 tokens"


def test_generated_data_has_the_planned_shape() -> None:
    text = batches(small_model("LlamaForCausalLM", **SMALL), None, 2, 5, CPU)
    picture = batches(small_model("ViTForImageClassification", **PICTURE), None, 2, 5, CPU)

    assert [batch["input_ids"].shape for batch in islice(text, 3)] == [(2, 5)] * 3
    assert text.description == "generated tokens"
    assert picture.description == "generated pictures"


def test_a_text_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    model = small_model("LlamaForCausalLM", **SMALL)
    empty, binary = tmp_path / "empty.txt", tmp_path / "binary.txt"
    empty.write_text(" \n")
    binary.write_bytes(b"text \xff\xfe")

    with pytest.raises(SourceError, match="cannot be read"):
        batches(model, tmp_path / "missing.txt", 1, 4, CPU)
    with pytest.raises(SourceError, match="is empty"):
        batches(model, empty, 1, 4, CPU)
    with pytest.raises(SourceError, match=r"not UTF-8 text \(byte 5\)"):
        batches(model, binary, 1, 4, CPU)
    with pytest.raises(SourceError, match="no input_ids"):
        batches(small_model("ViTForImageClassification", **PICTURE), empty, 1, 4, CPU)


def test_a_long_text_is_read_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"x" + "é".encode() * (TEXT_BYTES // 2 + 10))
    assert len(read_text(path)) == 1 + (TEXT_BYTES - 1) // 2


@pytest.mark.parametrize(
    ("name", "batch_size", "sequence_length", "precision"),
    [
        ("llama-3.1-8b", 1, 2048, "bf16"),
        ("gpt2", 1, 1024, "bf16"),
        ("bert-base", 1, 512, "bf16"),
        ("t5-small", 1, 512, "bf16"),
        ("whisper-tiny", 1, 448, "bf16"),
    ],
)
def test_the_first_plan_stays_within_the_model(
    name: str, batch_size: int, sequence_length: int, precision: str
) -> None:
    plan = default_plan(load(f"preset:{name}"))
    assert plan.training.batch_size == batch_size
    assert plan.training.sequence_length == sequence_length
    assert plan.precision == precision


def test_the_first_plan_of_pictures_is_eight_in_full_precision() -> None:
    plan = default_plan(load("preset:resnet-50"))
    assert (plan.training.batch_size, plan.precision) == (8, "fp32")
    assert torch.get_default_dtype() == torch.float32
