"""The table of layers: each module's own bytes at a moment."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from pydantic import TypeAdapter

from memplanner.estimate.moments import (
    Lives,
    by_module,
    end_of_forward,
    highest_in,
    kept_for_backward,
    own_maximum,
)
from memplanner.messages.estimate import Layer, Moment
from memplanner.tape.tape import PARAMETERS, Array, Tape

_BLOCK = re.compile(r"^(.*?)\.(\d+)(?:\.(.*))?$")
_FIGURES = (
    "parameters_bytes",
    "gradients_bytes",
    "optimizer_state_bytes",
    "activations_bytes",
    "temporaries_bytes",
    "workspaces_bytes",
    "buffers_bytes",
    "inputs_bytes",
    "kv_cache_bytes",
    "communication_bytes",
    "kept_bytes",
    "parameters",
    "trainable_parameters",
)
_ALL_ROWS = TypeAdapter(tuple[Layer, ...])
_REMEMBERED = 16
"""Structures of models: an edit of sizes leaves them as they are."""


def layers_at(tape: Tape, lives: Lives, moment: Moment, peak_event: int) -> tuple[Layer, ...]:
    """Every module in the order of the model, with its own bytes at the moment."""
    return rows(tape, lives, table_at(tape, lives, moment, peak_event))


def table_at(tape: Tape, lives: Lives, moment: Moment, peak_event: int) -> Array:
    """Bytes of modules × categories at a moment."""
    if moment == "own_maximum":
        return own_maximum(tape)
    event = {
        "peak": peak_event,
        "end_of_forward": end_of_forward(tape),
        "optimizer_step": highest_in(tape, "optimizer_step"),
    }[moment]
    return by_module(tape, lives.alive(event))


def rows(tape: Tape, lives: Lives, table: Array) -> tuple[Layer, ...]:
    """The rows of a table."""
    count = len(tape.module_names)
    kept = kept_for_backward(tape, lives)
    kept_bytes = np.bincount(
        tape.module[kept], weights=tape.size_bytes[kept], minlength=count
    ).astype(np.int64)
    owned = np.flatnonzero(tape.numel)
    parameters = np.bincount(tape.module[owned], weights=tape.numel[owned], minlength=count).astype(
        np.int64
    )
    trained = owned[tape.trainable[owned]]
    trainable = np.bincount(
        tape.module[trained], weights=tape.numel[trained], minlength=count
    ).astype(np.int64)
    figures = np.column_stack([table, kept_bytes, parameters, trainable])
    dtypes = _dtypes(tape)
    alike = _alike(tape, figures)
    values = figures.tolist()
    return _ALL_ROWS.validate_python(  # at once: one by one takes twice as long
        [
            dict(
                zip(_FIGURES, values[index], strict=True),
                name=tape.module_names[index],
                type=tape.module_types[index],
                alike=alike.get(index, 1),
                dtypes=dtypes.get(index, ()),
            )
            for index in in_model_order(tape.module_names)
        ]
    )


def _dtypes(tape: Tape) -> dict[int, tuple[str, ...]]:
    """By module, the types of its own parameters, sorted by name."""
    held = np.flatnonzero(tape.category == PARAMETERS)
    recorded, which = np.unique(tape.source[held], return_inverse=True)
    types = [tape.storages[source].dtype for source in recorded.tolist()]
    names = sorted(set(types))
    codes = np.array([names.index(name) for name in types], np.int64)[which]
    found: dict[int, tuple[str, ...]] = {}
    for pair in np.unique(tape.module[held] * len(names) + codes).tolist():
        module, code = divmod(pair, len(names))
        found[module] = (*found.get(module, ()), names[code])
    return found


@lru_cache(maxsize=_REMEMBERED)
def in_model_order(names: tuple[str, ...]) -> tuple[int, ...]:
    """Modules with parents before children and siblings as the model has them.

    Copies of blocks stand at the end of a tape's modules; they are put between their neighbours.
    """
    first_seen: dict[str, int] = {}
    for place, name in enumerate(names):
        first_seen.setdefault(name, place)
    unseen = len(first_seen)

    def key(index: int) -> tuple[tuple[int, int], ...]:
        parts = names[index].split(".") if names[index] else []
        path: list[tuple[int, int]] = []
        prefix = ""
        for part in parts:
            prefix = f"{prefix}.{part}" if prefix else part
            if part.isdigit():
                path.append((0, int(part)))
            else:
                path.append((1, first_seen.get(prefix, unseen)))
        return tuple(path)

    return tuple(sorted(range(len(names)), key=key))


def _alike(tape: Tape, figures: Array) -> dict[int, int]:
    """For each module inside a numbered block: blocks of the same figures from its block on."""
    alike: dict[int, int] = {}
    for blocks in _block_lists(tape.module_names, tape.module_types):
        count = 0
        for place in reversed(range(len(blocks))):
            here = blocks[place]
            same = here.like_next and bool(
                (figures[here.modules] == figures[blocks[place + 1].modules]).all()
            )
            count = count + 1 if same else 1
            for module in here.modules.tolist():
                alike[module] = count
    return alike


class _Block(NamedTuple):
    """A numbered module with all that is below it."""

    modules: Array
    """In the order of their names below it, of equal ones by their types."""
    like_next: bool
    """The block of the next number has modules of the same names and types."""


@lru_cache(maxsize=_REMEMBERED)
def _block_lists(names: tuple[str, ...], types: tuple[str, ...]) -> tuple[tuple[_Block, ...], ...]:
    """The numbered blocks of each list of modules, by number."""
    lists: dict[str, dict[int, list[tuple[str, str, int]]]] = {}
    for index, name in enumerate(names):
        match = _BLOCK.match(name)
        if match:
            members = lists.setdefault(match[1], {}).setdefault(int(match[2]), [])
            members.append((match[3] or "", types[index], index))
    found = []
    for members_of in lists.values():
        for members in members_of.values():
            members.sort()
        content = {
            number: [member[:2] for member in members] for number, members in members_of.items()
        }
        found.append(
            tuple(
                _Block(
                    np.array([index for *_, index in members_of[number]], np.int64),
                    content[number] == content.get(number + 1),
                )
                for number in sorted(members_of)
            )
        )
    return tuple(found)
