"""A model as a trainer's file names it, as a source that memplanner opens."""

from __future__ import annotations

import re

from memplanner.model.presets import PREFIX, presets

_ENDINGS = re.compile(r"-(instruct|chat|hf|base|it|pt|v\d+(\.\d+)?)$")
HUB_NAMES = {
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B",
    "llama-3.1-70b": "meta-llama/Llama-3.1-70B",
    "llama-3.1-405b": "meta-llama/Llama-3.1-405B",
    "llama-3.2-1b": "meta-llama/Llama-3.2-1B",
    "llama-3.2-3b": "meta-llama/Llama-3.2-3B",
    "llama-2-7b": "meta-llama/Llama-2-7b-hf",
    "llama-2-70b": "meta-llama/Llama-2-70b-hf",
    "gemma-2-2b": "google/gemma-2-2b",
    "gemma-2-9b": "google/gemma-2-9b",
    "mistral-7b-v0.1": "mistralai/Mistral-7B-v0.1",
    "mixtral-8x7b": "mistralai/Mixtral-8x7B-v0.1",
    "phi-3-mini": "microsoft/Phi-3-mini-4k-instruct",
    "qwen2.5-7b": "Qwen/Qwen2.5-7B",
    "qwen3-8b": "Qwen/Qwen3-8B",
    "smollm2-135m": "HuggingFaceTB/SmolLM2-135M",
    "smollm2-1.7b": "HuggingFaceTB/SmolLM2-1.7B",
    "tinyllama-1.1b": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "gpt2": "openai-community/gpt2",
    "gpt2-xl": "openai-community/gpt2-xl",
    "bert-base": "google-bert/bert-base-uncased",
    "t5-small": "google-t5/t5-small",
    "whisper-tiny": "openai/whisper-tiny",
    "vit-b-16": "google/vit-base-patch16-224",
    "vit-l-16": "google/vit-large-patch16-224",
    "resnet-50": "microsoft/resnet-50",
}
"""Where each preset's weights are on the Hugging Face hub."""


def source_of(model: str | None) -> str | None:
    """A preset of that architecture, else the name itself; None for none."""
    if not model:
        return None
    by_hub = {hub.lower(): name for name, hub in HUB_NAMES.items()}
    known = {preset.name for preset in presets()}
    if model.lower() in by_hub and by_hub[model.lower()] in known:
        return PREFIX + by_hub[model.lower()]
    bare = model.rpartition("/")[2].lower().replace("_", "-").replace("meta-", "")
    while True:
        if bare in known:
            return PREFIX + bare
        shorter = _ENDINGS.sub("", bare)
        if shorter == bare:
            return model
        bare = shorter


def hub_name(source: str) -> str:
    """What a trainer downloads for a source: the hub's name of a preset, else the source."""
    return HUB_NAMES.get(source.removeprefix(PREFIX), source)
