"""The docstring at a script's head: what it trains, and what it does not carry."""

from __future__ import annotations

from textwrap import wrap

from memplanner.export.head import WIDTH, origin
from memplanner.export.script_sharding import start_words
from memplanner.export.target import Subject
from memplanner.techniques.distilled_model import planned_model


def sequence_length(subject: Subject) -> int:
    """What the plan asks, as far as the model's positions go."""
    wanted = subject.plan.training.sequence_length
    limit = planned_model(subject.model, subject.plan).max_sequence_length
    return wanted if limit is None else min(wanted, limit)


def head(subject: Subject, length: int, cannot_say: tuple[str, ...]) -> str:
    """The script's docstring."""
    training = subject.plan.training
    size = "1 sample" if training.batch_size == 1 else f"{training.batch_size} samples"
    if subject.model.takes_sequence:
        size += f" of length {length}"
        if length < training.sequence_length:
            size += f" (the plan's {training.sequence_length} is beyond the model's positions)"
    if training.gradient_accumulation_steps > 1:
        size = f"{training.gradient_accumulation_steps} micro-batches of {size}"
    paragraphs = [
        f"Train {origin(subject)}, as planned with memplanner.",
        f"One step takes {size}.",
    ]
    paragraphs += start_words(subject, "train.py")
    paragraphs += [f"Not in this script: {sentence}" for sentence in cannot_say]
    wrapped = [
        "\n".join(wrap(docstring(text), WIDTH - 4, break_long_words=False, break_on_hyphens=False))
        for text in paragraphs
    ]
    return "\n\n".join(wrapped) + "\n"


def docstring(text: str) -> str:
    """``text`` without what would end or escape in a docstring."""
    return "".join(char for char in text if char not in '"\\')
