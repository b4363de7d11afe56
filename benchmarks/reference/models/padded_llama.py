"""Llama 3.2 3B with a batch of unequal lengths, as PEFT's method comparison trains it.

Padded rows give transformers a mask of its own (batch × 1 × sequence × sequence), so torch takes
the memory-efficient kernel instead of flash, and keys and values are repeated for every head
(``transformers/integrations/sdpa_attention.py: use_gqa_in_sdpa`` is false with a mask). A batch
in which all rows have the same length, which is what a preset is given, needs no mask.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from memplanner.model.presets import find_preset

INPUTS = ("input_ids=BxS:int64", "labels=BxS:int64", "attention_mask=Bx1xSxS:bool")


class PaddedLlama(LlamaForCausalLM):  # type: ignore[misc]  # transformers has no types
    """transformers' class, with the loss over all items of the batch as the run asks for it."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers', with ``num_items_in_batch``."""
        return super().forward(*args, num_items_in_batch=1, **kwargs)


def llama_3_2_3b() -> nn.Module:
    """The preset's configuration, without a cache."""
    file = find_preset("llama-3.2-3b")
    module = PaddedLlama(LlamaConfig(**file.config, use_cache=False))
    module.tie_weights()
    assert isinstance(module, torch.nn.Module)
    return module
