"""Small models of real architectures, in sizes that train a step in about a second on two cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

_TEXT = {"vocab_size": 1024, "use_cache": False}
_LLAMA = {
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
_BERT = {
    "hidden_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "intermediate_size": 512,
}


@dataclass(frozen=True)
class Small:
    """An architecture with a configuration; ``attention`` is what transformers is told."""

    model_class: str
    config: Callable[[], Any]
    attention: str = "sdpa"

    def write(self, folder: Path) -> Path:
        """A folder with the configuration, as a user would have it."""
        config = self.config()
        config.architectures = [self.model_class]
        config.save_pretrained(folder)
        return folder

    def build(self) -> Any:
        """The real model with random weights, built by transformers alone."""
        config = self.config()
        config._attn_implementation = self.attention
        return getattr(transformers, self.model_class)(config)


SMALL: dict[str, Small] = {
    "llama": Small(
        "LlamaForCausalLM",
        lambda: transformers.LlamaConfig(num_hidden_layers=7, **_LLAMA, **_TEXT),
    ),
    "gpt2 eager": Small(
        "GPT2LMHeadModel",
        lambda: transformers.GPT2Config(
            n_embd=128, n_layer=6, n_head=4, n_positions=256,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, **_TEXT,
        ),
        attention="eager",
    ),
    "gpt2 dropout": Small(
        "GPT2LMHeadModel",
        lambda: transformers.GPT2Config(n_embd=128, n_layer=6, n_head=4, n_positions=256, **_TEXT),
    ),
    "bert": Small(
        "BertForSequenceClassification",
        lambda: transformers.BertConfig(vocab_size=1024, **_BERT),
    ),
    "vit": Small(
        "ViTForImageClassification",
        lambda: transformers.ViTConfig(image_size=64, patch_size=8, num_labels=10, **_BERT),
    ),
    "gemma2": Small(
        "Gemma2ForCausalLM",
        lambda: transformers.Gemma2Config(
            num_hidden_layers=10, head_dim=16, sliding_window=32, **_LLAMA, **_TEXT
        ),
        attention="eager",
    ),
    "t5": Small(
        "T5ForConditionalGeneration",
        lambda: transformers.T5Config(
            d_model=128, d_ff=256, num_layers=6, num_heads=4, d_kv=32,
            decoder_start_token_id=0, **_TEXT,
        ),
    ),
    "resnet": Small(
        "ResNetForImageClassification",
        lambda: transformers.ResNetConfig(
            hidden_sizes=[32, 64, 96, 128], depths=[2, 2, 2, 2], embedding_size=16, num_labels=10
        ),
        attention="eager",
    ),
}  # fmt: skip

_TINY_TEXT = {"vocab_size": 512, "use_cache": False}
_TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
_TINY_ENCODER = {
    "hidden_size": 64,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "intermediate_size": 128,
}
_TINY_PAIR = {
    "d_model": 64,
    "encoder_layers": 5,
    "decoder_layers": 5,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
}

ARCHITECTURES: dict[str, Small] = {
    "mistral, sliding window": Small(
        "MistralForCausalLM",
        lambda: transformers.MistralConfig(
            num_hidden_layers=6, sliding_window=16, **_TINY, **_TINY_TEXT
        ),
    ),
    "gemma-3, local and global": Small(
        "Gemma3ForCausalLM",
        lambda: transformers.Gemma3TextConfig(
            num_hidden_layers=14, head_dim=16, sliding_window=16, **_TINY, **_TINY_TEXT
        ),
    ),
    "qwen3": Small(
        "Qwen3ForCausalLM",
        lambda: transformers.Qwen3Config(num_hidden_layers=6, head_dim=16, **_TINY, **_TINY_TEXT),
    ),
    "gpt-neox": Small(
        "GPTNeoXForCausalLM",
        lambda: transformers.GPTNeoXConfig(
            max_position_embeddings=128, **_TINY_ENCODER, **_TINY_TEXT
        ),
    ),
    "phi": Small(
        "PhiForCausalLM",
        lambda: transformers.PhiConfig(num_hidden_layers=6, **_TINY, **_TINY_TEXT),
    ),
    "mixtral": Small(
        "MixtralForCausalLM",
        lambda: transformers.MixtralConfig(
            num_hidden_layers=6, num_local_experts=4, **_TINY, **_TINY_TEXT
        ),
    ),
    "deepseek-v3, latent attention": Small(
        "DeepseekV3ForCausalLM",
        lambda: transformers.DeepseekV3Config(
            num_hidden_layers=7, first_k_dense_replace=1, n_routed_experts=8,
            num_experts_per_tok=2, n_group=2, topk_group=1, moe_intermediate_size=32,
            q_lora_rank=32, kv_lora_rank=16, qk_rope_head_dim=8, v_head_dim=16,
            qk_nope_head_dim=16, n_shared_experts=1,
            **{**_TINY, "num_key_value_heads": 4}, **_TINY_TEXT,
        ),
    ),
    "gpt-oss": Small(
        "GptOssForCausalLM",
        lambda: transformers.GptOssConfig(
            num_hidden_layers=6, num_local_experts=4, num_experts_per_tok=2, head_dim=16,
            sliding_window=16, **_TINY, **_TINY_TEXT,
        ),
        attention="eager",
    ),
    "bart": Small(
        "BartForConditionalGeneration",
        lambda: transformers.BartConfig(
            max_position_embeddings=128, **_TINY_PAIR, **_TINY_TEXT
        ),
    ),
    "mamba": Small(
        "MambaForCausalLM",
        lambda: transformers.MambaConfig(
            hidden_size=64, num_hidden_layers=6, state_size=8, **_TINY_TEXT
        ),
        attention="eager",
    ),
    "convnext": Small(
        "ConvNextForImageClassification",
        lambda: transformers.ConvNextConfig(
            hidden_sizes=[16, 32, 64, 128], depths=[2, 2, 6, 2], num_labels=10, image_size=64
        ),
        attention="eager",
    ),
    "whisper": Small(
        "WhisperForConditionalGeneration",
        lambda: transformers.WhisperConfig(
            decoder_start_token_id=1, pad_token_id=0, bos_token_id=1, eos_token_id=2,
            suppress_tokens=None, begin_suppress_tokens=None, **_TINY_PAIR, **_TINY_TEXT,
        ),
    ),
    "opt": Small(
        "OPTForCausalLM",
        lambda: transformers.OPTConfig(
            hidden_size=64, ffn_dim=128, num_hidden_layers=6, num_attention_heads=4,
            word_embed_proj_dim=64, max_position_embeddings=128, **_TINY_TEXT,
        ),
    ),
    "electra": Small(
        "ElectraForPreTraining",
        lambda: transformers.ElectraConfig(vocab_size=512, embedding_size=32, **_TINY_ENCODER),
    ),
    "segformer": Small(
        "SegformerForSemanticSegmentation",
        lambda: transformers.SegformerConfig(
            hidden_sizes=[16, 32, 48, 64], depths=[2, 2, 2, 2], num_labels=5, image_size=64
        ),
        attention="eager",
    ),
}  # fmt: skip

CNN = '''
"""A small convolutional classifier with batch norm."""

import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [3, 16, 32, 64]
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            )
            for before, after in zip(widths[:-1], widths[1:], strict=True)
        )
        self.head = nn.Linear(64, 10)

    def forward(self, images, labels):
        for block in self.blocks:
            images = block(images)
        logits = self.head(images.mean(dim=(2, 3)))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def model():
    return Classifier()


def batch(batch_size, sequence_length):
    return {
        "images": torch.randn(batch_size, 3, 32, 32),
        "labels": torch.randint(0, 10, (batch_size,)),
    }
'''
