"""Bounds on what a configuration may ask for, of memory and of the network.

A configuration is a few hundred bytes that can name any number: a billion layers would take all
memory before a single tensor is made. Real models stay far below these bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook

from memplanner.errors import SourceError

LARGEST_NUMBER = 2**40
MODULES = 300_000
"""The largest public mixture of experts, one module a projection, has some 50 000."""

# The first pattern found in a key decides.
_BOUNDS = (
    (re.compile(r"expert"), 2**16),
    (re.compile(r"label|class"), 2**20),
    (re.compile(r"layers?$|layers_|n_layer|depth|num_blocks|stages"), 2**13),
    (re.compile(r"position|n_ctx|max_seq|context_length"), 2**25),
    (re.compile(r"vocab"), 2**26),
    (re.compile(r"image_size|num_frames"), 2**16),
)


def check_numbers(values: Mapping[str, Any], origin: str) -> None:
    """Raises ``SourceError``, naming ``origin`` and the key, where a number is out of bounds."""
    waiting: list[tuple[str, Any]] = list(values.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(str(inner), item) for inner, item in value.items()]
        elif isinstance(value, (list, tuple)):
            waiting += [(key, item) for item in value]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            bound = next((b for pattern, b in _BOUNDS if pattern.search(key)), LARGEST_NUMBER)
            if abs(value) > bound and not (isinstance(value, float) and bound == LARGEST_NUMBER):
                raise SourceError(
                    f"{origin}: {key[:80]} is {str(value)[:40]}, more than any model has "
                    f"({bound}); correct it."
                )


@contextmanager
def without_hub() -> Iterator[None]:
    """Inside, whatever would ask the hub raises ``OSError``.

    transformers asks it about a backbone that a configuration names, and the hub's own library,
    once a day, for a list of programs that may have started it. Only names that the user gave are
    looked up there (``model/hub.py``).
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextmanager
def bounded_modules(origin: str) -> Iterator[None]:
    """Inside, building a module of more than ``MODULES`` parts raises ``SourceError``."""
    parts = 0

    def count(owner: nn.Module, name: str, part: nn.Module | None) -> None:
        nonlocal parts
        parts += 1
        if parts > MODULES:
            raise SourceError(
                f"{origin} describes a model of more than {MODULES} modules; correct its numbers."
            )

    handle = register_module_module_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()
