"""What a compressed model is judged on: a text, or batches that the model makes up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Literal

import torch

from memplanner.errors import SourceError
from memplanner.model.data import read_text, text_batches, tokenize
from memplanner.model.loaded import Batch, Model
from memplanner.run.request import RunRequest
from memplanner.techniques.inference import sequence_length
from memplanner.units import format_count

TEXT = "text/alice.txt"
"""Lewis Carroll, Alice's Adventures in Wonderland (1865), chapters 1 and 2: public domain."""
WINDOW = 512
"""Tokens that a model sees at once, at most."""
SHORTEST = 2
"""Tokens that have a next one to predict."""
MOST_TOKENS = 2048
SAMPLES = 4
"""Of a model that takes no text."""
_NEXT_TOKEN = ("ForCausalLM", "LMHeadModel")


@dataclass(frozen=True, slots=True)
class QualityData:
    """Batches in host memory, all of one shape."""

    batches: tuple[Batch, ...]
    name: str
    """Of the text, or what stands in for one."""
    unit: Literal["tokens", "samples"]
    each: int
    """How many of the unit a batch holds."""
    next_token: bool
    """Whether the loss is that of predicting each token from those before it."""
    counted: str = "tokens"
    """The unit in a word; without a tokenizer a byte is a token."""
    remark: str = ""

    @property
    def count(self) -> int:
        """How many of the unit there are."""
        return self.each * len(self.batches)

    @property
    def description(self) -> str:
        """Such as ``alice.txt, 2 048 tokens``."""
        counted = f"{format_count(self.count)} {self.counted}"
        return ", ".join(filter(None, (self.name, counted, self.remark)))

    def shortened(self, batches: int) -> QualityData:
        """Its first ``batches``."""
        return replace(self, batches=self.batches[:batches])


def quality_data(model: Model, data_path: str | None, *, following: bool = False) -> QualityData:
    """The windows of the user's text, else of ``TEXT``; made-up samples where it takes no text.

    Windows do not overlap, and a rest that fills none is left out. ``following`` gives those that
    come after the ones that quality is judged on, where the text has any. Raises ``SourceError``.
    """
    host = torch.device("cpu")
    length = min(WINDOW, model.max_sequence_length or WINDOW)
    template = model.batch(1, length, torch.device("meta"))
    if "input_ids" not in template:
        batch = model.batch(SAMPLES, length, host)
        return QualityData((batch,), "made-up data", "samples", SAMPLES, False, "samples")
    with ExitStack() as stack:
        resource = files("memplanner.resources").joinpath(TEXT)
        path = Path(data_path).expanduser() if data_path else stack.enter_context(as_file(resource))
        tokens = tokenize(model, read_text(path), path)
    rows = template["input_ids"].numel() // length  # several, where a sample is a choice of texts
    length = min(length, max(len(tokens) // rows, SHORTEST))
    each = rows * length
    windows = max(min(len(tokens), MOST_TOKENS) // each, 1)
    others = min(len(tokens) // each - windows, windows) if following else 0
    first, windows = (windows, others) if others > 0 else (0, windows)
    found = tuple(islice(text_batches(model, tokens, 1, length, host), first, first + windows))
    made_up = "labels" in template and template["labels"] is not template["input_ids"]
    return QualityData(
        found,
        path.name,
        "tokens",
        each,
        _predicts_next_token(model),
        "tokens" if model.tokenizer else "bytes",
        "made-up labels" if made_up else "",
    )


def scoring_batches(
    model: Model, batch_size: int, length: int, device: torch.device
) -> Iterator[Batch] | None:
    """Micro-batches of ``TEXT`` behind what is judged, without end; None where it takes no text.

    Generated tokens say nothing about what a trained model's weights are worth.
    """
    if "input_ids" not in model.batch(1, length, torch.device("meta")):
        return None
    resource = files("memplanner.resources").joinpath(TEXT)
    with as_file(resource) as path:
        tokens = tokenize(model, read_text(path), path)
    return text_batches(model, tokens[MOST_TOKENS:], batch_size, length, device)


def scored_on(
    model: Model, request: RunRequest, given: Iterator[Batch], device: torch.device
) -> tuple[Iterator[Batch], str]:
    """What scores of weights are taken from, and a note about it; ``given`` is the run's data.

    Without a text of the user's, scores of real weights are taken from one that comes along.
    """
    plan = request.plan
    if request.data is not None or model.load_weights is None or not plan.pruning.needs_data:
        return given, ""
    length = sequence_length(model, plan)
    try:
        found = scoring_batches(model, plan.training.batch_size, length, device)
    except SourceError as error:  # the tokenizer
        return given, f"Scores of weights are taken on generated tokens: {error}"
    if found is None:
        return given, ""
    return found, (
        "Scores of weights are taken on a text that comes along; name a file of your own text "
        "for scores that know your task."
    )


def _predicts_next_token(model: Model) -> bool:
    """By transformers' names of classes; an encoder's labels are not the next tokens."""
    if model.config.get("is_encoder_decoder"):
        return False
    return model.class_name.endswith((*_NEXT_TOKEN, "ForConditionalGeneration"))
