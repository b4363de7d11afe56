"""The table of layers: each module's own bytes at a moment."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

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
    figures = np.column_stack([table, kept_bytes, parameters, trainable]).tolist()
    dtypes = _dtypes(tape)
    order = sorted(range(count), key=lambda index: _order(tape.module_names[index]))
    alike = _alike(tape, order, figures)
    fields = (
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
    return tuple(
        Layer.model_construct(
            name=tape.module_names[index],
            type=tape.module_types[index],
            alike=alike.get(index, 1),
            dtypes=dtypes.get(index, ()),
            **dict(zip(fields, figures[index], strict=True)),
        )
        for index in in_model_order(tape, order)
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


def in_model_order(tape: Tape, order: list[int]) -> list[int]:
    """Modules with parents before children and siblings as the model has them.

    Copies of blocks stand at the end of a tape's modules; they are put between their neighbours.
    """
    first_seen: dict[str, int] = {}
    for place, name in enumerate(tape.module_names):
        first_seen.setdefault(name, place)

    def key(index: int) -> tuple[tuple[int, int], ...]:
        parts = tape.module_names[index].split(".") if tape.module_names[index] else []
        path: list[tuple[int, int]] = []
        prefix = ""
        for part in parts:
            prefix = f"{prefix}.{part}" if prefix else part
            if part.isdigit():
                path.append((0, int(part)))
            else:
                path.append((1, _template_place(prefix, first_seen)))
        return tuple(path)

    return sorted(order, key=key)


def _template_place(path: str, first_seen: dict[str, int]) -> int:
    place = first_seen.get(path)
    return len(first_seen) if place is None else place


def _order(name: str) -> int:
    return name.count(".")


def _alike(tape: Tape, order: list[int], figures: list[list[int]]) -> dict[int, int]:
    """For each module inside a numbered block: blocks of the same figures from its block on."""
    blocks: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
    for index in order:
        match = _BLOCK.match(tape.module_names[index])
        if match:
            blocks[match[1], int(match[2])].append((match[3] or "", index))
    alike: dict[int, int] = {}
    content = {
        key: sorted((rest, tape.module_types[index], *figures[index]) for rest, index in members)
        for key, members in blocks.items()
    }
    run: dict[tuple[str, int], int] = {}
    for path, number in sorted(blocks, key=lambda key: (key[0], -key[1])):
        following = run.get((path, number + 1), 0)
        same = following and content[path, number] == content[path, number + 1]
        run[path, number] = following + 1 if same else 1
        for _, index in blocks[path, number]:
            alike[index] = run[path, number]
    return alike
