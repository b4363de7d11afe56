"""Configurations of several kinds of models, each as small as it can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_TEXT: dict[str, Any] = {
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "vocab_size": 9, "max_position_embeddings": 16,
}  # fmt: skip
_VISION: dict[str, Any] = {
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "image_size": 8, "patch_size": 4,
}  # fmt: skip
_CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {"model_type": "bert", "architectures": ["BertForMaskedLM"], **_TEXT},
    {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 9,
     "n_positions": 16},
    {"model_type": "t5", "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1,
     "num_decoder_layers": 1, "num_heads": 2, "vocab_size": 9},
    {"model_type": "mixtral", "num_key_value_heads": 2, "num_local_experts": 2,
     "num_experts_per_tok": 1, "sliding_window": 4, **_TEXT},
    {"model_type": "llama", "num_key_value_heads": 1, "head_dim": 4,
     "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                      "high_freq_factor": 4.0, "original_max_position_embeddings": 16}, **_TEXT},
    {"model_type": "gemma2", "num_key_value_heads": 1, "head_dim": 4, "sliding_window": 4,
     "layer_types": ["sliding_attention"], **_TEXT},
    {"model_type": "vit", "architectures": ["ViTForImageClassification"],
     "id2label": {"0": "a", "1": "b"}, **_VISION},
    {"model_type": "resnet", "architectures": ["ResNetForImageClassification"],
     "embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic"},
    {"model_type": "whisper", "d_model": 8, "encoder_layers": 1, "decoder_layers": 1,
     "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 8,
     "decoder_ffn_dim": 8, "vocab_size": 9, "num_mel_bins": 4, "max_source_positions": 8,
     "max_target_positions": 8, "pad_token_id": 0},
    {"model_type": "llava", "text_config": {"model_type": "llama", **_TEXT},
     "vision_config": {"model_type": "clip_vision_model", **_VISION}, "image_token_index": 8},
    {"model_type": "mamba", "hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 9,
     "state_size": 2},
)  # fmt: skip


def configurations() -> Iterator[bytes]:
    """Each as a ``config.json``."""
    for values in _CONFIGURATIONS:
        yield json.dumps(values).encode()
