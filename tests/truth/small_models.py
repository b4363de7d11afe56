"""Small models of real architectures, in sizes that train a step in about a second on two cores."""

from __future__ import annotations

import transformers

from tests.truth.small import Small

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
