"""How much each layer's bits matter: measured on real weights, and bits assigned by it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from memplanner.messages.base import SCHEMA, Message


class BitsChoice(Message):
    """One layer in one number of bits."""

    value: str
    """As ``quantization.per_layer`` says it: ``16``, ``8``, … or ``nf4``."""
    size_bytes: int
    """What the weight takes, scales included."""
    output_error: float
    """‖y′ − y‖ / ‖y‖ of the layer's outputs for the inputs it has in the model as it is."""
    loss_rise: float | None
    """By how much the loss is expected to rise, in its own unit; None where there is no loss."""


class LayerSensitivity(Message):
    """What one layer loses at each choice; the first choice leaves it as it is."""

    name: str
    weights: int
    choices: tuple[BitsChoice, ...]


class Sensitivity(Message):
    """What a model's layers lose at each number of bits."""

    schema_: int = Field(SCHEMA, alias="schema")
    data: str
    """What it was measured on, in words."""
    unit: Literal["tokens", "samples"]
    count: int
    """How many of the unit were run through the model."""
    loss: float | None
    """The mean loss of the model as it is."""
    other_bytes: int
    """What parameters and buffers take beside these weights, and the tables that formats need."""
    layers: tuple[LayerSensitivity, ...]
    """In the model's order."""
    notes: tuple[str, ...] = ()
    seconds: float


class BitAssignment(Message):
    """A choice for each layer, within a budget."""

    values: dict[str, str]
    """For each layer what it is kept in."""
    per_layer: tuple[str, ...]
    """The same as the plan says it."""
    size_bytes: int
    """Parameters and buffers of the model."""
    error: float
    """The sum of what the layers lose: of ``loss_rise``, else of squared output errors."""


class SensitivityProgress(Message):
    """What the worker does now, and how far it is."""

    kind: Literal["progress"] = "progress"
    text: str
    fraction: float | None = None


class SensitivityEnd(Message):
    """The worker's last word: the figures, or one sentence why there are none."""

    kind: Literal["end"] = "end"
    result: Sensitivity | None = None
    error: str = ""
    """The error's class."""
    sentence: str = ""
