"""PEFT's other methods on Llama 3.2 3B: a bf16 base with adapters in fp32, as the comparison ran.

A plan knows LoRA alone, so these models come with their adapters in place.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import torch
from peft import LNTuningConfig, LoraConfig, PeftConfig, VeraConfig, get_peft_model
from torch import nn

from benchmarks.reference.models.kept_types import KeepsTypes
from benchmarks.reference.models.padded_llama import llama_3_2_3b

TARGETS = ["q_proj", "v_proj"]


class Adapted(KeepsTypes):
    """A model with its adapters."""

    def __init__(self, adapted: nn.Module) -> None:
        super().__init__()
        self.adapted = adapted

    def forward(self, **batch: Any) -> Any:
        """What transformers returns."""
        return self.adapted(**batch)


def _make(config: PeftConfig) -> Adapted:
    base: Any = llama_3_2_3b().to(torch.bfloat16)
    with warnings.catch_warnings():
        # Norms are no linear layers, and VeRA shares its matrices: PEFT warns of both.
        warnings.simplefilter("ignore", UserWarning)
        return Adapted(get_peft_model(base, config))


dora = partial(_make, LoraConfig(r=32, lora_alpha=64, target_modules=TARGETS, use_dora=True))
vera = partial(_make, VeraConfig(r=256, target_modules=TARGETS, d_initial=0.1, vera_dropout=0.0))
norms = partial(_make, LNTuningConfig(task_type="CAUSAL_LM"))
