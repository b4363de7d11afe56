"""From the tape of one steady step to a training run from process start.

The run: the model is moved to the device, a first step without optimizer state until the optimizer
makes it, then equal steps. What one step leaves, the next one frees: the tape's end is its
beginning, so the survivors of a step take the places of what ``load`` holds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from memplanner.tape.tape import (
    ACTIVATIONS,
    BUFFERS,
    GRADIENTS,
    INPUTS,
    OPTIMIZER_STATE,
    PARAMETERS,
    TEMPORARIES,
    Array,
    Tape,
)

_MOVED = (PARAMETERS, BUFFERS, INPUTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLoop:
    """Births and deaths as on a tape; ``…_places`` are the tape's events they stand for."""

    size_bytes: Array
    setup: Array
    """The model on the device and what else is there before the first step."""
    setup_places: Array
    first: Array
    first_places: Array
    steady: Array
    steady_places: Array
    carried: tuple[tuple[int, int], ...]
    """(storage alive at a step's end, storage of its beginning that it is from then on)."""
    events: int
    """Of the tape."""
    stream: Array | None = None
    """The stream that each storage is asked on; None where all are on one."""


def training_loop(
    tape: Tape,
    *,
    states_from_start: bool = False,
    states_in_backward: bool = False,
) -> TrainingLoop:
    """The loop that ``tape`` is a step of.

    ``states_from_start``: the optimizer makes its state when it is made (Adagrad), not in its first
    step (``Adam._init_group``, ``SGD.step``). ``states_in_backward``: that step is made in
    backward, parameter by parameter.
    """
    start = tape.phases[0].stop
    events = tape.events
    loaded = events[:start] - 1
    step = events[start:]
    places = np.arange(start, len(events))
    births, deaths = step[step > 0] - 1, -step[step < 0] - 1
    vanished = loaded[np.isin(loaded, deaths)]
    survivors = births[~np.isin(births, deaths)]
    carried, unlike, unmatched = _matches(tape, survivors, vanished)

    # What has no counterpart is exchanged at the step's end, so that it begins as it ended.
    exchange = np.array([-(s + 1) for s in unlike] + [s + 1 for s in unmatched], dtype=np.int64)
    last = np.full(len(exchange), len(events) - 1)
    steady, steady_places = np.concatenate([step, exchange]), np.concatenate([places, last])

    kind = tape.category[loaded]
    moved = np.isin(kind, _MOVED)
    stays = ~np.isin(loaded, vanished)
    late = (kind == OPTIMIZER_STATE) & stays & (not states_from_start)
    from_start = (kind == OPTIMIZER_STATE) & states_from_start
    early = (moved | stays | from_start) & ~late
    setup = np.concatenate([_as_moved(tape, loaded[early & moved]), loaded[early & ~moved]])
    states = loaded[late]
    absent = np.zeros(len(tape.size_bytes), dtype=np.bool_)
    absent[loaded[~early & ~late]] = True
    there = np.flatnonzero(~((step < 0) & absent[np.abs(step) - 1]))
    made = _updates(tape, states) if states_in_backward else _optimizer_step(tape, states)
    at = np.searchsorted(places[there], made)
    first = np.concatenate([np.insert(step[there], at, states + 1), exchange])
    made = np.minimum(made, len(events) - 1)
    first_places = np.concatenate([np.insert(places[there], at, made), last])
    where = np.zeros(len(tape.size_bytes), dtype=np.int64)
    where[loaded] = np.arange(start)
    return TrainingLoop(
        size_bytes=tape.size_bytes,
        setup=setup + 1,
        setup_places=where[setup],
        first=first,
        first_places=first_places,
        steady=steady,
        steady_places=steady_places,
        carried=carried,
        events=len(events),
        stream=_streams(tape),
    )


def _streams(tape: Tape) -> Array | None:
    recorded = np.array([info.stream for info in tape.storages], dtype=np.int64)
    return recorded[tape.source] if recorded.any() else None


def _optimizer_step(tape: Tape, states: Array) -> Array:
    """The events before which ``states`` are made: where the optimizer's step begins."""
    starts = (span.start for span in tape.phases if span.phase == "optimizer_step")
    return np.full(len(states), next(starts, len(tape.events)), dtype=np.int64)


def _updates(tape: Tape, states: Array) -> Array:
    """The same where backward updates: each parameter's in the order of their gradients' deaths."""
    updates: dict[int, list[int]] = defaultdict(list)
    for place in np.flatnonzero(tape.events < 0).tolist():
        gradient = -int(tape.events[place]) - 1
        if tape.category[gradient] == GRADIENTS:
            updates[int(tape.module[gradient])].append(_update_start(tape, place))
    own: dict[int, list[int]] = defaultdict(list)
    for number, state in enumerate(states.tolist()):
        own[int(tape.module[state])].append(number)
    made = np.full(len(states), len(tape.events), dtype=np.int64)
    for module, numbers in own.items():
        starts = updates[module]
        counters = [not tape.storages[int(tape.source[states[n]])].shape for n in numbers]
        for place, number in enumerate(numbers):
            if sum(counters) == len(starts):  # each parameter's states begin with its step counter
                which = sum(counters[: place + 1]) - 1
            else:
                which = place * len(starts) // len(numbers)
            if 0 <= which < len(starts):
                made[number] = starts[which]
    return made


def _update_start(tape: Tape, death: int) -> int:
    """Where the update begins after which a gradient dies: before the temporaries just made."""
    start, waiting = death, set[int]()
    for place in range(death - 1, -1, -1):
        event = int(tape.events[place])
        storage = abs(event) - 1
        if tape.category[storage] != TEMPORARIES:
            break
        if event < 0:
            waiting.add(storage)
        elif storage not in waiting:
            break
        else:
            waiting.remove(storage)
        if not waiting:
            start = place
    return start


def _as_moved(tape: Tape, storages: Array) -> Array:
    """In the order of ``Module.to``: submodules first, then a module's own (``Module._apply``).

    The batch comes after the model.
    """
    names = tape.module_names
    rank = _move_ranks(names)
    key = np.where(tape.category[storages] == INPUTS, len(names), rank[tape.module[storages]])
    ordered: Array = storages[np.argsort(key, kind="stable")]
    return ordered


@lru_cache(maxsize=16)
def _move_ranks(names: tuple[str, ...]) -> Array:
    """Of each module: after how many others it is moved."""
    known = {name: index for index, name in enumerate(names)}
    children: dict[int, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        if name:
            children[known.get(name.rpartition(".")[0], known.get("", 0))].append(index)
    for below in children.values():  # the blocks of an unfolded tape stand in no certain order
        numbers = [names[index].rpartition(".")[2] for index in below]
        if all(number.isdecimal() for number in numbers):
            below.sort(key=lambda index: int(names[index].rpartition(".")[2]))
    rank = np.zeros(len(names), dtype=np.int64)
    waiting, count = [known.get("", 0)], 0
    while waiting:  # the root last, each module after those below it: backwards, it comes first
        index = waiting.pop()
        count += 1
        rank[index] = len(names) - count
        waiting += children[index]
    return rank


def _matches(
    tape: Tape, survivors: Array, vanished: Array
) -> tuple[tuple[tuple[int, int], ...], list[int], list[int]]:
    """Pairs of what a step leaves and what it finds; then what of either has no counterpart.

    A gradient is matched by its module, all by size, and those alike in the order of their births,
    which is the same in every step.
    """
    pairs: list[tuple[int, int]] = []
    left, missing = survivors.tolist(), vanished.tolist()
    for with_module in (True, False):
        waiting: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for storage in left:
            waiting[_likeness(tape, storage, with_module)].append(storage)
        rest: list[int] = []
        for storage in missing:
            found = waiting[_likeness(tape, storage, with_module)]
            if found:
                pairs.append((found.pop(0), storage))
            else:
                rest.append(storage)
        taken = {pair[0] for pair in pairs}
        left, missing = [storage for storage in left if storage not in taken], rest
    return tuple(pairs), left, missing


def _likeness(tape: Tape, storage: int, with_module: bool) -> tuple[int, ...]:
    size = int(tape.size_bytes[storage])
    if not with_module:
        return (size,)
    kind = int(tape.category[storage])
    owned = kind in (GRADIENTS, ACTIVATIONS)
    return size, kind, int(tape.module[storage]) if owned else -1


def taking_memory(events: Array, places: Array, size_bytes: Array) -> tuple[Array, Array]:
    """Events and places without storages that take nothing."""
    taking = size_bytes[np.abs(events) - 1] > 0
    return events[taking], places[taking]
