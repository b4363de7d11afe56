"""What a GGUF file's metadata say of a model, architecture by architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memplanner.model import load
from memplanner.model.gguf_config import config_values
from memplanner.model.gguf_header import GgufHeader
from memplanner.model.tensors import StoredTensor
from tests.model.test_gguf import gguf, key

FILE = Path("m.gguf")


def described(metadata: dict[str, Any], *names: str, tokens: int | None = None) -> dict[str, Any]:
    lengths = {} if tokens is None else {"tokenizer.ggml.tokens": tokens}
    tensors = tuple(StoredTensor(name, "F32", (4,), 16, FILE) for name in names)
    values = config_values(GgufHeader(metadata, lengths, tensors))
    assert values is not None
    return values


def test_a_file_without_an_architecture_is_its_tensors_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf([key("general.name", "x")], [("a.weight", (2, 3))]))
    model = load(path)
    assert model.parameter_count == 6
    assert "because transformers cannot rebuild the architecture unnamed" in model.notes[0]


def test_a_llama_called_mistral_is_one() -> None:
    named = {"general.architecture": "llama", "general.name": "mistral"}
    assert described(named)["model_type"] == "mistral"
    assert described({"general.architecture": "llama"})["model_type"] == "llama"


def test_the_vocabulary_is_the_list_of_tokens_where_no_table_is_stored() -> None:
    assert described({"general.architecture": "llama"}, tokens=7)["vocab_size"] == 7
    assert "vocab_size" not in described({"general.architecture": "gpt2"})


def test_what_holds_an_output_layer_is_not_tied() -> None:
    llama = {"general.architecture": "llama"}
    assert described(llama)["tie_word_embeddings"] is True
    assert described(llama, "output.weight")["tie_word_embeddings"] is False


def test_an_encoder_with_decoder_has_gated_layers() -> None:
    assert described({"general.architecture": "t5"})["is_gated_act"] is True


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("second_norm", [False, True])
def test_biases_and_parallel_blocks_show_in_the_names(bias: bool, second_norm: bool) -> None:
    names = ["blk.0.attn_q.bias"] * bias + ["blk.0.ffn_norm.weight"] * second_norm
    values = described({"general.architecture": "stablelm"}, *names)
    assert values["use_qkv_bias"] is bias
    assert values["use_parallel_residual"] is not second_norm


def test_layers_without_heads_are_convolutions() -> None:
    heads = {"general.architecture": "lfm2", "lfm2.attention.head_count_kv": [0, 8, 0, 8]}
    values = described(heads)
    assert (values["num_key_value_heads"], values["full_attn_idxs"]) == (8, [1, 3])
    assert values["block_auto_adjust_ff_dim"] is False
    one = {"general.architecture": "lfm2", "lfm2.attention.head_count_kv": 8}
    assert "full_attn_idxs" not in described(one)


@pytest.mark.parametrize(("stored", "meant"), [(1, "softmax"), (2, "sigmoid"), (9, "softmax")])
def test_how_experts_are_scored_is_a_number_in_the_file(stored: int, meant: str) -> None:
    from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

    names = GGUF_CONFIG_MAPPING["minimax_m2"]
    scored = next(name for name, value in names.items() if value == "scoring_func")
    metadata = {"general.architecture": "minimax-m2", f"minimax-m2.{scored}": stored}
    assert described(metadata)["scoring_func"] == meant
