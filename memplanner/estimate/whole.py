"""Whether a folded tape tells the truth: its forward beside the whole model's.

Blocks that look alike may be treated differently by the code around them: by index, by a number
in the configuration. A cut model cannot show what happens to the blocks that it lacks; one forward
of the whole model, without backward, can. What backward does follows from it.
"""

from __future__ import annotations

import numpy as np

from memplanner.tape.tape import WORKSPACES, Array, Tape


def same_forward(folded: Tape, whole: Tape) -> bool:
    """Whether the first forwards of two tapes make and free the same storages, in one order.

    Only what is born there counts: what a step before left may die there too.
    """
    events_1, storages_1 = _forward(folded)
    events_2, storages_2 = _forward(whole)
    return (
        np.array_equal(events_1, events_2)
        and np.array_equal(_tensor_sizes(folded, storages_1), _tensor_sizes(whole, storages_2))
        and _modules(folded, storages_1) == _modules(whole, storages_2)
        and _operations(folded, storages_1) == _operations(whole, storages_2)
    )


def _forward(tape: Tape) -> tuple[Array, Array]:
    """The events of the first forward, numbered by birth within it, and the storages born there."""
    span = next((span for span in tape.phases if span.phase in {"forward", "prefill"}), None)
    if span is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    events = tape.events[span.start : span.stop]
    born = events[events > 0] - 1
    number = np.zeros(len(tape.size_bytes), dtype=np.int64)
    number[born] = np.arange(1, len(born) + 1)
    own = np.sign(events) * number[np.abs(events) - 1]
    return own[own != 0], born


def _tensor_sizes(tape: Tape, storages: Array) -> Array:
    """Bytes, nothing for kernels' scratch: a forward alone does not measure it."""
    sizes: Array = np.where(tape.category[storages] == WORKSPACES, 0, tape.size_bytes[storages])
    return sizes


def _modules(tape: Tape, storages: Array) -> list[str]:
    return [tape.module_names[index] for index in tape.module[storages].tolist()]


def _operations(tape: Tape, storages: Array) -> list[str]:
    return [tape.storages[index].operation for index in tape.source[storages].tolist()]
