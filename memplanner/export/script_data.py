"""The part of a script that makes micro-batches: of the planned shapes, from text or random."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from memplanner.export.python_source import literal, string
from memplanner.model.data import vocabulary_size
from memplanner.model.importable import Input, parse_input
from memplanner.model.loaded import Batch, Model

META = torch.device("meta")
_SAMPLE = (4, 16)
"""Batch and sequence of the real batch that shows which values occur."""
_POSITIONS = ("start_positions", "end_positions")


@dataclass(slots=True)
class Data:
    """The body of ``make_batch``, and what training on text needs."""

    lines: list[str]
    ids_shape: str = ""
    """Of the token ids, as source; empty for a model that takes no tokens."""
    ids_count: str = ""
    """How many ids a micro-batch takes, as source."""
    vocabulary: int = 0
    """Ids that bytes are folded into, where the source has no tokenizer."""
    nested: bool = False
    """The batch holds more than tensors by name."""


def data(
    model: Model, batch_size: int, sequence_length: int, dtype: str, has_tokenizer: bool
) -> Data:
    """How a script makes micro-batches of the planned shapes.

    ``dtype`` is what floats are cast to, as source; empty where they stay as they are.
    """
    shapes = _Shapes(model, batch_size, sequence_length)
    if model.kind == "recipe":
        lines = _from_recipe(model, shapes, dtype, sequence_length)
    elif model.kind == "importable":
        lines = _described([parse_input(text) for text in model.inputs], dtype)
    else:
        lines = _generated(model, shapes, dtype)
    found = Data(lines, nested=shapes.nested)
    if shapes.takes_tokens:
        sides = shapes.sides("input_ids")
        found.ids_shape = _tuple(sides)
        found.ids_count = " * ".join(sides)
        found.vocabulary = 0 if has_tokenizer else vocabulary_size(model)
    return found


class _Shapes:
    """The batch of the plan, and which of its sides follow the plan's two sizes."""

    def __init__(self, model: Model, batch_size: int, sequence_length: int) -> None:
        self.sizes = batch_size, sequence_length
        self.batch = model.batch(batch_size, sequence_length, META)
        self._wider = model.batch(batch_size + 1, sequence_length, META)
        self._longer = model.batch(batch_size, sequence_length + 1, META)
        tensors = [isinstance(value, torch.Tensor) for value in self.batch.values()]
        self.nested = not all(tensors)
        self.takes_tokens = isinstance(self.batch.get("input_ids"), torch.Tensor)
        self.has_floats = any(
            value.is_floating_point()
            for value in self.batch.values()
            if isinstance(value, torch.Tensor)
        )

    def sides(self, *path: Any) -> list[str]:
        """Each side of the tensor at ``path`` (keys and indices), as source."""
        here, wider, longer = (_at(b, path) for b in (self.batch, self._wider, self._longer))
        return [
            self._side(*sides) for sides in zip(here.shape, wider.shape, longer.shape, strict=True)
        ]

    def _side(self, here: int, wider: int, longer: int) -> str:
        for name, size, grown in (
            ("BATCH_SIZE", self.sizes[0], wider),
            ("SEQUENCE_LENGTH", self.sizes[1], longer),
        ):
            times = here // size
            if grown != here and (here, grown) == (times * size, times * (size + 1)):
                return name if times == 1 else f"{times} * {name}"
        return str(here)


def _at(batch: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        batch = batch[part]
    return batch


def _tuple(sides: list[str]) -> str:
    return f"({', '.join(sides)}{',' if len(sides) == 1 else ''})"


# A recipe's own batches


def _from_recipe(model: Model, shapes: _Shapes, dtype: str, sequence_length: int) -> list[str]:
    length = "SEQUENCE_LENGTH" if model.takes_sequence else str(sequence_length)
    lines = [f"batch = recipe.batch(BATCH_SIZE, {length})"]
    if shapes.takes_tokens:
        lines += [
            "if ids is not None:",
            '    random = batch["input_ids"]',
            "    for name, value in batch.items():",
            "        batch[name] = ids if value is random else value",
        ]
    move = (
        "on_device(batch, device)"
        if shapes.nested
        else "{name: value.to(device) for name, value in batch.items()}"
    )
    if not (dtype and shapes.has_floats):
        return [*lines, f"return {move}"]
    is_float = "value.is_floating_point()"
    if shapes.nested:
        is_float = f"isinstance(value, torch.Tensor) and {is_float}"
    return [
        *lines,
        f"batch = {move}",
        "for name, value in batch.items():",
        f"    if {is_float}:",
        f"        batch[name] = value.to({dtype})",
        "return batch",
    ]


# A transformers class


def _generated(model: Model, shapes: _Shapes, dtype: str) -> list[str]:
    sample = model.batch(*_SAMPLE, torch.device("cpu"))
    values = _Values(model, shapes, sample, dtype)
    lines = []
    if shapes.takes_tokens:
        lines += ["if ids is None:", f"    ids = {values.integers('input_ids')}"]
        if _ends_with_end_token(model, sample):
            lines.append(f"    ids[..., -1] = {model.config['eos_token_id']}")
        lines.append("ids = ids.to(device)")
    ids = sample.get("input_ids")
    entries = [
        f"{string(name)}: {'ids' if value is ids else values.source(name)}"
        for name, value in sample.items()
    ]
    return lines + _returned(entries)


def _returned(entries: list[str]) -> list[str]:
    line = "return {" + ", ".join(entries) + "}"
    if len(line) <= 80:
        return [line]
    return ["return {", *(f"    {entry}," for entry in entries), "}"]


def _ends_with_end_token(model: Model, sample: Batch) -> bool:
    """The classifiers of BART and T5 read the state at the end token, one in every sample."""
    end = model.config.get("eos_token_id")
    ids = sample["input_ids"]
    classifies = model.class_name.endswith("ForSequenceClassification")
    return bool(classifies and isinstance(end, int) and (ids[..., -1] == end).all())


class _Values:
    """Source of random values like those in a sample."""

    def __init__(self, model: Model, shapes: _Shapes, sample: Batch, dtype: str) -> None:
        self._model, self._shapes, self._sample = model, shapes, sample
        self._dtype = f", dtype={dtype}" if dtype else ""
        """Of floats; those inside lists and mappings stay in fp32."""

    def source(self, *path: Any) -> str:
        """The value at ``path`` of the sample, as an expression."""
        value = _at(self._sample, path)
        if isinstance(value, torch.Tensor):
            return self._tensor(path, value)
        if isinstance(value, Mapping):
            inner = (f"{string(key)}: {self.source(*path, key)}" for key in value)
            return "{" + ", ".join(inner) + "}"
        if isinstance(value, list):  # one of its own for each sample
            return f"[{self.source(*path, 0)} for _ in range(BATCH_SIZE)]"
        return literal(value)

    def _tensor(self, path: tuple[Any, ...], value: torch.Tensor) -> str:
        if value.dtype == torch.bool:
            return f"torch.rand({', '.join(self._shapes.sides(*path))}, device=device) < 0.5"
        if not value.is_floating_point():
            return self.integers(*path)
        sides = ", ".join(self._shapes.sides(*path))
        make = "rand" if bool(((value >= 0) & (value <= 1)).all()) else "randn"
        dtype = self._dtype if len(path) == 1 else ""
        return f"torch.{make}({sides}{dtype}, device=device)"

    def integers(self, *path: Any) -> str:
        """Random integers as large as the model takes them, as an expression."""
        shape = _tuple(self._shapes.sides(*path))
        low, high = self._bounds(path)
        return f"torch.randint({low}, {high}, {shape}, device=device)"

    def _bounds(self, path: tuple[Any, ...]) -> tuple[str, str]:
        if path[-1] in _POSITIONS:
            return "0", "SEQUENCE_LENGTH"
        highest = int(_at(self._sample, path).max())
        labels = len(self._model.config.get("id2label") or ())
        for bound in (2, labels):
            if highest < bound:
                return "0", str(bound)
        vocabulary = vocabulary_size(self._model)
        low, high = max(_gaps(_special_tokens(self._model.config), vocabulary), key=_width)
        return str(low), str(high)


def _special_tokens(config: Mapping[str, Any]) -> set[int]:
    """Ids that mean something to the model, such as the place of a picture in the text."""
    found: set[int] = set()
    for part in (config, config.get("text_config") or {}):
        for name, value in part.items():
            if name.endswith(("_token_id", "_token_index")):
                items = value if isinstance(value, list | tuple) else [value]
                found |= {item for item in items if isinstance(item, int)}
    return found


def _gaps(taken: set[int], stop: int) -> Iterator[tuple[int, int]]:
    """The ranges below ``stop`` without any of ``taken``."""
    start = 0
    for value in sorted(value for value in taken if 0 <= value < stop):
        if value > start:
            yield start, value
        start = value + 1
    if start < stop or start == 0:
        yield start, stop


def _width(bounds: tuple[int, int]) -> int:
    return bounds[1] - bounds[0]


# An importable, whose inputs were described


def _described(inputs: list[Input], dtype: str) -> list[str]:
    lines = []
    entries = []
    for item in inputs:
        if item.name == "input_ids":
            lines = ["if ids is None:", f"    ids = {_input(item, dtype)}", "ids = ids.to(device)"]
        value = "ids" if item.name == "input_ids" else _input(item, dtype)
        entries.append(f"{string(item.name)}: {value}")
    return lines + _returned(entries)


def _input(item: Input, dtype: str) -> str:
    names = {"B": "BATCH_SIZE", "S": "SEQUENCE_LENGTH"}
    shape = _tuple([names.get(str(side), str(side)) for side in item.shape])
    if item.dtype.is_floating_point:
        kind = dtype or str(item.dtype)
        kind = "" if kind == "torch.float32" else f", dtype={kind}"
        return f"torch.randn({shape}{kind}, device=device)"
    kind = "" if item.dtype == torch.int64 else f", dtype={item.dtype}"
    return f"torch.randint(0, 2, {shape}{kind}, device=device)"
