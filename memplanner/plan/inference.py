"""The section ``inference``: a model that is used rather than trained."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import field_validator

from memplanner.plan.section import Section, choices, option

Use = Annotated[
    Literal["training", "generation", "forward"],
    choices(
        ("training", "Training", "Forward, backward and the optimizer's step."),
        (
            "generation",
            "Generation",
            "A prompt is read and tokens are written one by one, as transformers’ generate does.",
        ),
        ("forward", "One forward", "Without gradients: to classify, to embed, to score."),
    ),
]
Round = Literal["step", "generation", "forward"]
"""What each use does again and again: a run counts them."""
Cache = Annotated[
    Literal["dynamic", "static", "quantized", "none"],
    choices(
        ("dynamic", "Grows", "Keys and values of the tokens so far; a new tensor every token."),
        ("static", "Static", "Room for all tokens from the start; nothing is copied."),
        (
            "quantized",
            "Quantized",
            "Older tokens in few bits, expanded one layer at a time. Saves memory now.",
        ),
        ("none", "None", "Every token reads the whole text again: least memory kept, slowest."),
    ),
]
Choosing = Annotated[
    Literal["greedy", "sampled"],
    choices(
        ("greedy", "The likeliest", "No copy of the logits but one."),
        ("sampled", "Sampled of the 50 likeliest", "Some copies of one token's logits more."),
    ),
]


ONLY_TRAINING = (
    "optimizer",
    "activation_checkpointing",
    "activation_offload",
    "loss",
    "distillation",
)
"""Sections that have nothing to do where nothing is trained."""
ONLY_TRAINING_KEYS = (
    "training.gradient_accumulation_steps",
    "training.zero_grad",
    "training.outputs",
)
"""The same of single keys."""


def only_trains(key: str) -> bool:
    """Whether a section, or a key of one, has something to do in training alone."""
    return key in ONLY_TRAINING_KEYS or key.partition(".")[0] in ONLY_TRAINING


class Inference(Section):
    """What the model is planned for, and the keys and values that generation keeps."""

    title: ClassVar[str] = "Use"
    explanation: ClassVar[str] = (
        "Plans a model for use instead of training: the prompt has the length of the sequence, "
        "the batch is the micro-batch, and what only training needs is left out."
    )

    use: Use = option("training", "Planned for", "What the model does.")
    new_tokens: int = option(
        256,
        "New tokens",
        "Tokens written for each prompt; generation does not end before.",
        when="use=generation",
        ge=1,
        le=2**20,
        suggestions=(64, 256, 1024, 4096),
    )
    cache: Cache = option(
        "dynamic",
        "KV cache",
        "How keys and values of earlier tokens are kept, in the type of the model.",
        when="use=generation",
    )
    windows: bool = option(
        True,
        "Windows only",
        "Layers with sliding attention keep their window and no more. The text is the same.",
        when="cache=dynamic",
    )
    cache_bits: int = option(
        4,
        "Cache bits",
        "Of a key or value of an older token: 2, 4 or 8.",
        when="cache=quantized",
        ge=2,
        le=8,
        suggestions=(2, 4, 8),
    )
    cache_group: int = option(
        64,
        "Cache group",
        "Numbers of one head and token that share a scale and a minimum.",
        when="cache=quantized",
        ge=8,
        le=1024,
        suggestions=(32, 64, 128),
    )
    cache_residual: int = option(
        128,
        "Whole tokens",
        "So many of the latest tokens are written before they are packed together.",
        when="cache=quantized",
        ge=1,
        le=65536,
        suggestions=(32, 64, 128, 256),
    )
    choosing: Choosing = option(
        "greedy", "Next token", "How it is chosen from the logits.", when="use=generation"
    )
    beams: int = option(
        1,
        "Beams",
        "Texts that are followed for each prompt; each has a cache of its own.",
        when="use=generation",
        ge=1,
        le=256,
        suggestions=(1, 4),
    )

    @field_validator("cache_bits")
    @classmethod
    def _fills_bytes(cls, bits: int) -> int:
        if bits not in (2, 4, 8):
            raise ValueError(f"{bits} bits fill no whole bytes of one token; choose 2, 4 or 8")
        return bits

    @property
    def round(self) -> Round:
        """What is done again and again, in a word."""
        return "step" if self.use == "training" else self.use

    @property
    def summary(self) -> str:
        """Such as ``256 tokens, static cache``."""
        if self.use == "training":
            return "off"
        if self.use == "forward":
            return "one forward"
        words = {"dynamic": "growing cache", "none": "no cache"}
        text = f"{self.new_tokens} tokens, {words.get(self.cache, f'{self.cache} cache')}"
        return text if self.beams == 1 else f"{text}, {self.beams} beams"
