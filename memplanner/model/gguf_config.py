"""The transformers configuration that a GGUF file's metadata describe.

transformers has the table of keys; its own reader takes 3 s for a vocabulary of 49 000, since it
visits every token. The cases below the table follow its ``load_gguf_checkpoint``.
"""

from __future__ import annotations

from typing import Any

from memplanner.model.gguf_header import GgufHeader

_TIED = ("falcon", "bloom")
_MODEL_TYPES = {
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "gpt-oss": "gpt_oss",
    "minimax-m2": "minimax_m2",
}
_TEXT_PARTS = {"gemma3": "gemma3_text", "gemma4": "gemma4_text"}
"""GGUF holds the text backbone alone."""


def config_values(header: GgufHeader) -> dict[str, Any] | None:
    """The keys of a ``config.json``, or None for an architecture that transformers cannot read."""
    from transformers.integrations.ggml import (
        GGUF_CONFIG_DEFAULTS_MAPPING,
        GGUF_CONFIG_MAPPING,
    )

    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str):
        return None
    model_type = _MODEL_TYPES.get(architecture, architecture)
    if model_type == "llama" and header.metadata.get("general.name") == "mistral":
        model_type = "mistral"
    keys = GGUF_CONFIG_MAPPING.get(model_type)
    if keys is None or model_type in ("general", "tokenizer"):
        return None
    names = {tensor.name for tensor in header.tensors}
    values: dict[str, Any] = {
        "tie_word_embeddings": "output.weight" not in names or architecture in _TIED
    }
    values |= GGUF_CONFIG_DEFAULTS_MAPPING.get(model_type, {})
    for key, name in keys.items():
        value = header.metadata.get(f"{architecture}.{key}")
        if name is not None and value is not None:
            values[name] = value
    for key, name in GGUF_CONFIG_MAPPING.get("tokenizer", {}).items():
        value = header.metadata.get(f"tokenizer.{key}")
        if name is not None and value is not None:
            values[name] = value
    values["model_type"] = _TEXT_PARTS.get(model_type, model_type)
    _set_vocabulary(values, header)
    _set_special_cases(values, model_type, names)
    return values


def _set_vocabulary(values: dict[str, Any], header: GgufHeader) -> None:
    embedding = next((t for t in header.tensors if t.name == "token_embd.weight"), None)
    tokens = header.lengths.get("tokenizer.ggml.tokens")
    if embedding is not None and len(embedding.shape) == 2:
        values["vocab_size"] = embedding.shape[0]
    elif "vocab_size" not in values and tokens is not None:
        values["vocab_size"] = tokens


def _set_special_cases(values: dict[str, Any], model_type: str, names: set[str]) -> None:
    if model_type in ("t5", "umt5"):
        values["is_gated_act"] = True
    elif model_type == "stablelm":
        values["use_qkv_bias"] = any(name.endswith("attn_q.bias") for name in names)
        values["use_parallel_residual"] = not any("ffn_norm" in name for name in names)
    elif model_type == "lfm2":
        heads = values.get("num_key_value_heads")
        if isinstance(heads, list):
            values["num_key_value_heads"] = max(heads)
            values["full_attn_idxs"] = [index for index, count in enumerate(heads) if count > 0]
        values["block_auto_adjust_ff_dim"] = False
    elif model_type == "minimax_m2":
        gates = {0: "none", 1: "softmax", 2: "sigmoid"}
        gate = values.get("scoring_func")
        values["scoring_func"] = gates.get(gate, "softmax") if isinstance(gate, int) else gate
