"""The largest batch and context that fit a device, as ``memplanner largest --json`` prints them."""

from __future__ import annotations

from pydantic import Field

from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.device import Device
from memplanner.plan import Plan


class LargestRow(Message):
    """One context with the largest batch that fits, or one batch with the longest context."""

    batch_size: int
    """0 where not even one sample fits."""
    sequence_length: int
    """Of the prompt, where the plan generates; 0 where not even one token fits."""
    peak_bytes: int | None
    """Allocated at the peak there; None where nothing fits."""
    device_high_bytes: int | None = None
    """The most that the whole device may hold then, which is what has to fit; None: not modelled.

    Beside ``peak_bytes`` it has what the allocator holds back, the context and the margin.
    """
    bounded: bool = False
    """Whether a limit ended the search (the model's positions, the plan's), not the memory."""


class Largest(Message):
    """Both tables of one plan on one device."""

    schema_: int = Field(SCHEMA, alias="schema")
    device: Device
    plan: Plan
    new_tokens: int
    """What generation writes behind each prompt; 0 for other plans."""
    by_context: tuple[LargestRow, ...]
    by_batch: tuple[LargestRow, ...]
    seconds: float
