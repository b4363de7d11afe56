"""Workspaces that stand for the whole run: what libraries keep of the device's memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from memplanner.messages.estimate import Span
from memplanner.tape.tape import WORKSPACES, Array, StorageInfo, Tape

ROOT = 0


def with_workspaces(tape: Tape, sizes_bytes: Sequence[int]) -> Tape:
    """The tape with workspaces of these sizes, there from the end of ``load`` on."""
    count = len(sizes_bytes)
    if not count:
        return tape
    start, known = tape.phases[0].stop, len(tape.size_bytes)
    info = StorageInfo(operation="library workspace", shape=(), dtype="uint8")
    load, *later = tape.phases
    return replace(
        tape,
        size_bytes=_and(tape.size_bytes, list(sizes_bytes)),
        category=_and(tape.category, [WORKSPACES] * count),
        module=_and(tape.module, [ROOT] * count),
        source=_and(tape.source, [len(tape.storages)] * count),
        storages=(*tape.storages, info),
        trainable=np.concatenate([tape.trainable, np.zeros(count, dtype=np.bool_)]),
        numel=_and(tape.numel, [0] * count),
        events=np.insert(tape.events, start, np.arange(known + 1, known + count + 1)),
        context=np.insert(tape.context, start, [ROOT] * count),
        phases=(
            load._replace(stop=start + count),
            *(_later(span, count) for span in later),
        ),
    )


def _and(values: Array, more: list[int]) -> Array:
    return np.concatenate([values, np.array(more, dtype=np.int64)])


def _later(span: Span, events: int) -> Span:
    return span._replace(start=span.start + events, stop=span.stop + events)
