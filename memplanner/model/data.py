"""What a run trains on: the user's text, or generated data of the planned shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from memplanner.errors import SourceError
from memplanner.model.loaded import Batch, Model
from memplanner.model.reading import reason
from memplanner.units import format_count

TEXT_BYTES = 16 * 2**20
"""What is read of a text file: a run takes a few steps, and this is some four million tokens."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """An endless run of micro-batches, and in words what they are."""

    batches: Iterator[Batch]
    description: str

    def __iter__(self) -> Iterator[Batch]:
        return self.batches

    def __next__(self) -> Batch:
        return next(self.batches)


def batches(
    model: Model,
    data_path: str | Path | None,
    batch_size: int,
    sequence_length: int,
    device: torch.device,
) -> TrainingData:
    """Micro-batches for ``model`` on ``device``, without end.

    Text is cut into sequences one after the other and starts again at its end. Raises
    ``SourceError`` where the file is missing, empty or no text, or the model takes none.
    """
    if data_path is None:
        generated = _generated(model, batch_size, sequence_length, device)
        return TrainingData(generated, _kind(model, batch_size, sequence_length))
    path = Path(data_path).expanduser()
    template = model.batch(batch_size, sequence_length, torch.device("meta"))
    if "input_ids" not in template:
        raise SourceError(
            f"{model.name} takes {', '.join(template) or 'no inputs'} and no input_ids, so it "
            f"cannot train on {path}; leave the text file out."
        )
    text = read_text(path)
    tokens = tokenize(model, text, path)
    stream = text_batches(model, tokens, batch_size, sequence_length, device)
    return TrainingData(stream, f"{path.name}, {format_count(len(tokens))} tokens")


def read_text(path: Path) -> str:
    """The text in ``path``, at most its first ``TEXT_BYTES``. Raises ``SourceError``."""
    try:
        with path.open("rb") as file:
            data = file.read(TEXT_BYTES)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(data) < TEXT_BYTES or error.start < len(data) - 3:
            raise SourceError(
                f"{path} is not UTF-8 text (byte {error.start}); name a text file."
            ) from error
        text = data[: error.start].decode("utf-8")  # the last character was cut in two
    if not text.strip():
        raise SourceError(f"{path} is empty; name a file with some text.")
    return text


def _generated(
    model: Model, batch_size: int, sequence_length: int, device: torch.device
) -> Iterator[Batch]:
    while True:
        yield model.batch(batch_size, sequence_length, device)


def text_batches(
    model: Model,
    tokens: torch.Tensor,
    batch_size: int,
    sequence_length: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Micro-batches of ``tokens``, one after the other, without end."""
    template = model.batch(batch_size, sequence_length, torch.device("meta"))
    count, position = template["input_ids"].numel(), 0
    while True:  # no tensor of a batch is held here while it is used
        yield _of_text(model.batch(batch_size, sequence_length, device), tokens, position)
        position = (position + count) % len(tokens)


def _of_text(batch: Batch, tokens: torch.Tensor, position: int) -> Batch:
    """The batch with tokens from ``position`` on in the place of made-up ones.

    Labels of a language model are the tokens; a class for each sample stays generated.
    """
    made_up = batch["input_ids"]
    indices = torch.arange(position, position + made_up.numel()) % len(tokens)
    ids = tokens[indices].view(made_up.shape).to(made_up.device)
    return {name: ids if value is made_up else value for name, value in batch.items()}


def tokenize(model: Model, text: str, path: Path) -> torch.Tensor:
    """The tokens of ``text``, which ``path`` holds: int64 of one dimension, at least one.

    Without a tokenizer every byte is one. Raises ``SourceError``.
    """
    vocabulary = vocabulary_size(model)
    if model.tokenizer is None:
        data = torch.frombuffer(bytearray(text.encode("utf-8")), dtype=torch.uint8)
        return data.to(torch.int64) % vocabulary
    tokenizer = open_tokenizer(model.tokenizer)
    # not verbose: a text longer than the model takes is cut into sequences here
    try:
        values = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    except Exception as error:  # the tokenizers' library raises nothing narrower
        raise _of_tokenizer(model.tokenizer, "used", error) from error
    if not values:
        raise SourceError(f"{path} gives no token; name a file with some text.")
    return torch.tensor(values, dtype=torch.int64) % vocabulary


@lru_cache(maxsize=1)  # that of a GGUF file takes seconds
def open_tokenizer(path: str) -> Any:
    """The tokenizer in a folder or GGUF file. Raises ``SourceError``."""
    from transformers import AutoTokenizer

    from memplanner.model.hugging_face_limits import without_hub

    place = Path(path)
    # a tokenizer's own code is never run: left open, transformers would ask for it on stdin
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if place.suffix == ".gguf":
        options["gguf_file"] = place.name
        place = place.parent
    try:
        with without_hub():
            tokenizer = AutoTokenizer.from_pretrained(str(place), **options)
    except Exception as error:  # the tokenizers' library raises nothing narrower
        raise _of_tokenizer(path, "opened", error) from error
    return tokenizer


def _of_tokenizer(path: str, done: str, error: Exception) -> SourceError:
    from memplanner.model.hugging_face import one_line

    return SourceError(
        f"The tokenizer of {path} cannot be {done} ({one_line(error)}); leave the text file out "
        "to train on generated tokens."
    )


def vocabulary_size(model: Model) -> int:
    """How many token ids ``model`` knows: as its configuration says, else its first table."""
    for part in (model.config, model.config.get("text_config")):
        size = part.get("vocab_size") if isinstance(part, dict) else None
        if isinstance(size, int) and size > 0:
            return size
    for part in model.build(torch.device("meta")).modules():
        if isinstance(part, nn.Embedding):
            return part.num_embeddings
    raise SourceError(
        f"{model.name} has no table of tokens, so it cannot train on text; leave the text file out."
    )


def _kind(model: Model, batch_size: int, sequence_length: int) -> str:
    if model.kind == "recipe":
        return "the recipe's own batches"
    names = set(model.batch(1, min(sequence_length, 16), torch.device("meta")))
    if "pixel_values" in names:
        return "generated pictures"
    if names & {"input_values", "input_features"}:
        return "generated sound"
    return "generated tokens" if "input_ids" in names else "generated tensors"
