"""Which parameters ZeRO-3 has gathered at which moment of a step.

DeepSpeed keeps the order of all modules of a forward and its backward, gathers a module's
parameters right before it runs, those of the next ones ahead, and frees them after it unless they
are needed again soon (``runtime/zero/partitioned_param_coordinator.py: fetch_sub_module,
release_sub_module, __params_to_release``). That is carried out here over the modules of a tape.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from memplanner.plan.sharding import Sharding
from memplanner.tape.tape import PARAMETERS, Array, Tape


@dataclass(frozen=True, slots=True)
class Use:
    """A module with parameters at work: from before the event ``start`` until ``stop``."""

    start: int
    stop: int
    module: int
    parameters: tuple[int, ...]
    """Their storages."""


@dataclass(slots=True, eq=False)
class Gathering:
    """Parameters that are gathered by one call."""

    parameters: tuple[int, ...]
    place: int
    """Before which event the call is made."""
    ahead: bool = False
    """Whether nothing needs them yet."""
    copied: int = -1
    """Before which event they are copied out of the buffer; one alone is not."""
    buffer_freed: int = -1
    """Before which event the buffer of several dies."""
    _left: set[int] = field(default_factory=set)

    @property
    def one(self) -> bool:
        """Whether the buffer is the parameter itself."""
        return len(self.parameters) == 1


@dataclass(frozen=True, slots=True)
class Released:
    """A parameter's whole values die before the event ``place``."""

    parameter: int
    place: int


def parameters_by_module(tape: Tape) -> dict[int, tuple[int, ...]]:
    """The storages of each module's own parameters, those of tied linear layers as well.

    A linear layer without any has those of its shape, an embedding's.
    """
    own: dict[int, list[int]] = {}
    for storage in np.flatnonzero((tape.category == PARAMETERS) & (tape.numel > 0)).tolist():
        own.setdefault(int(tape.module[storage]), []).append(storage)
    shapes = {tape.storages[int(tape.source[one])].shape: one for some in own.values()
              for one in some}  # fmt: skip
    for module, kind in enumerate(tape.module_types):
        given, made = tape.module_shapes.get(module, ((), ()))
        if kind == "Linear" and module not in own and given and made:
            tied = shapes.get((made[0][-1], given[0][-1]))
            if tied is not None:
                own[module] = [tied]
    return {module: tuple(found) for module, found in own.items()}


def uses(context: Array, start: int, stop: int, own: dict[int, tuple[int, ...]]) -> list[Use]:
    """The modules with parameters between two events, in order, each run of events once."""
    inside = context[start:stop]
    if not len(inside):
        return []
    edges = np.flatnonzero(np.diff(inside)) + 1
    starts = [0, *edges.tolist()]
    stops = [*edges.tolist(), len(inside)]
    return [
        Use(start + first, start + last, module, own[module])
        for first, last in zip(starts, stops, strict=True)
        if (module := int(inside[first])) in own
    ]


def gathered(
    trace: Sequence[Use], numel: Array, persistent: frozenset[int], section: Sharding, end: int
) -> Iterator[Gathering | Released]:
    """What is gathered and released in one forward and backward, in no certain order.

    ``numel`` is elements by storage, ``persistent`` is whole all the time, and ``end`` is the event
    before which all that is left is released.
    """
    run = _Coordinator(trace, numel, persistent, section)
    for number, use in enumerate(trace):
        yield from run.fetch(number, use)
        run.prefetch(use.start)
        yield from run.release(number, use)
    yield from run.rest(end)


class _Coordinator:
    def __init__(
        self, trace: Sequence[Use], numel: Array, persistent: frozenset[int], section: Sharding
    ) -> None:
        self._numel, self._persistent, self._section = numel, persistent, section
        # A module's size counts its persistent parameters too.
        sizes = [sum(int(numel[one]) for one in use.parameters) for use in trace]
        self._before = np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))])
        self._queue = [(one, number) for number, use in enumerate(trace) for one in use.parameters]
        self._queue_after = np.cumsum([len(use.parameters) for use in trace]).tolist()
        self._next = 0
        self._later: dict[int, list[int]] = {}
        for number in range(len(trace) - 1, -1, -1):
            for one in trace[number].parameters:
                self._later.setdefault(one, []).append(number)
        self._held_for: dict[int, int] = {}
        self._there: set[int] = set()
        self._coming: dict[int, Gathering] = {}
        self._available = 0

    def fetch(self, number: int, use: Use) -> Iterator[Gathering]:
        """All of a module's parameters are there when it runs."""
        missing = tuple(
            one for one in use.parameters if not self._is_there(one) and one not in self._coming
        )
        if missing:
            self._start(missing, use.start)
        for one in use.parameters:
            call = self._coming.pop(one, None)
            if call is None:
                continue
            if call.copied < 0:
                call.copied = use.start
                self._there.update(call.parameters)
            call._left.discard(one)
            if not call._left:
                call.buffer_freed = use.start
                yield call
        self._next = max(self._next, self._queue_after[number])

    def prefetch(self, place: int) -> None:
        """The next parameters are gathered ahead, as far as the bucket and the limit go."""
        room = min(
            self._section.max_live_parameters - self._available,
            self._section.prefetch_bucket_size,
        )
        chosen: dict[int, None] = {}
        elements = 0
        while self._next < len(self._queue) and elements < room:
            one, wanted = self._queue[self._next]
            self._next += 1
            self._held_for[one] = max(self._held_for.get(one, -1), wanted)
            if not self._is_there(one) and one not in self._coming and one not in chosen:
                chosen[one] = None
                elements += int(self._numel[one])
        if chosen:
            self._start(tuple(chosen), place, ahead=True)

    def release(self, number: int, use: Use) -> Iterator[Released]:
        """What is not needed again soon is freed once the module ran."""
        for one in use.parameters:
            if one not in self._there or self._held_for.get(one, -1) > number + 1:
                continue
            later = self._later[one]
            while later and later[-1] <= number:
                later.pop()
            if later:
                between = self._before[later[-1]] - self._before[number + 1]
                if between < self._section.max_reuse_distance:
                    continue
            self._there.discard(one)
            self._available -= int(self._numel[one])
            yield Released(one, use.stop)

    def rest(self, end: int) -> Iterator[Gathering | Released]:
        """At the end of a backward nothing stays gathered."""
        for call in dict.fromkeys(self._coming.values()):
            if call.copied < 0:
                call.copied = end
                self._there.update(call.parameters)
            call.buffer_freed = end
            yield call
        for one in sorted(self._there):
            yield Released(one, end)

    def _start(self, parameters: tuple[int, ...], place: int, *, ahead: bool = False) -> None:
        call = Gathering(parameters, place, ahead, _left=set(parameters))
        for one in parameters:
            self._coming[one] = call
            self._available += int(self._numel[one])

    def _is_there(self, one: int) -> bool:
        return one in self._there or one in self._persistent
