"""Parts of a recording made one tape: between them what has died dies and what was made is born."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from memplanner.messages.estimate import Phase, Span
from memplanner.tape.steady import Ownership, tape_of
from memplanner.tape.tape import Tape
from memplanner.tape.watch import StorageWatch


@dataclass(frozen=True, slots=True)
class Part:
    """Events ``start`` to ``stop`` of the watch that are kept, of one phase."""

    phase: Phase
    number: int
    start: int
    stop: int


def joined(
    watch: StorageWatch,
    owned: Ownership,
    parts: list[Part],
    loaded: int,
    ignored: set[int],
    *,
    on_cpu: bool,
    notes: tuple[str, ...],
) -> Tape:
    """One tape of the parts: the first ``loaded`` events before them, ramps between them."""
    events = np.array(watch.events, dtype=np.int64)
    context = np.array(watch.event_module, dtype=np.int64)
    order: list[int] = events[:loaded].tolist()
    modules: list[int] = context[:loaded].tolist()
    spans = [Span("load", 0, 0, loaded)]
    present = dict.fromkeys(int(event) - 1 for event in events[:loaded] if event > 0)
    for part in parts:
        start = len(order)
        wanted = alive_after(events[: part.start].tolist())
        gone = [storage for storage in present if storage not in wanted]
        new = [storage for storage in wanted if storage not in present and storage not in ignored]
        for storage, sign in _turn_by_turn(gone, new, watch.module):
            order.append(sign * (storage + 1))
            modules.append(watch.module[storage])
            if sign > 0:
                present[storage] = None
            else:
                del present[storage]
        if len(order) > start:
            spans.append(Span(part.phase, max(part.number - 1, 0), start, len(order)))
            start = len(order)
        for place in range(part.start, part.stop):
            event = int(events[place])
            storage = abs(event) - 1
            if storage in ignored or (event < 0 and storage not in present):
                continue
            order.append(event)
            modules.append(int(context[place]))
            if event > 0:
                present[storage] = None
            else:
                del present[storage]
        spans.append(Span(part.phase, part.number, start, len(order)))
    return tape_of(
        watch,
        owned,
        np.array(order, dtype=np.int64),
        np.array(modules, dtype=np.int64),
        tuple(spans),
        on_cpu,
        notes,
        watch.work.taken(_numbers(watch, parts)),
    )


def _numbers(watch: StorageWatch, parts: list[Part]) -> dict[int, tuple[Phase, int]]:
    """The watch's phases that the parts are, with the parts' names and numbers."""
    known = {(part.phase, part.start): part.number for part in parts}
    return {
        number: (phase, known[phase, start])
        for number, (phase, _, start) in enumerate(watch.phases)
        if (phase, start) in known
    }


def alive_after(events: Iterable[int]) -> dict[int, None]:
    """The storages alive after some events, in the order of their births."""
    alive: dict[int, None] = {}
    for event in events:
        if event > 0:
            alive[event - 1] = None
        else:
            alive.pop(-event - 1, None)
    return alive


def _turn_by_turn(gone: list[int], new: list[int], module: list[int]) -> Iterator[tuple[int, int]]:
    """(storage, sign): a death, then the birth of what takes its place in the same module.

    What has no successor dies before all, and what has no predecessor is born last, so that a ramp
    of a cache that grows is never above its end.
    """
    waiting: dict[int, list[int]] = {}
    for storage in new:
        waiting.setdefault(module[storage], []).append(storage)
    pairs: list[tuple[int, int]] = []
    for storage in gone:
        successors = waiting.get(module[storage])
        if successors:
            pairs.append((storage, successors.pop(0)))
        else:
            yield storage, -1
    for before, after in pairs:
        yield before, -1
        yield after, 1
    taken = {after for _, after in pairs}
    for storage in new:
        if storage not in taken:
            yield storage, 1
