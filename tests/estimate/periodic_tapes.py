"""Tapes made up by a small program: a step of as many alike periods as one likes.

Each period's storages are born in its forward, backward or update, and die by rules that real
steps follow: at once, in the neighbour's stretch, in their own or a neighbour's backward, or with
all others at the end. Run with few periods it is a recording; with many, what unfolding must give.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from memplanner.messages.estimate import Phase, Span
from memplanner.tape import tape as kinds
from memplanner.tape.tape import StorageInfo, Tape

Death = Literal[
    "now",
    "next_forward",
    "own_backward",
    "backward_of_later",
    "backward_of_earlier",
    "end_of_step",
]
SUBMODULES = ("attention", "mlp", "norm")


@dataclass(frozen=True)
class Storage:
    """One storage of a period's stretch."""

    size_bytes: int
    submodule: int
    death: Death


@dataclass(frozen=True)
class Step:
    """What one period does in each phase, what stands around, and how the optimizer works."""

    period: int
    forward: tuple[Storage, ...]
    backward: tuple[Storage, ...]
    update: tuple[Storage, ...]
    parameters: tuple[int, ...]
    before: int
    """Blocks of the same list before the run, and after it."""
    after: int
    foreach: bool
    micro_batches: int
    between: tuple[Storage, ...] = ()
    """What the parent makes after each period's forward."""

    def tape(self, periods: int, changed: tuple[int, int] | None = None) -> Tape:
        """The tape with this many periods; ``changed`` adds bytes to a period's first storage."""
        return _Writer(self, periods, changed).write()


_forward_deaths: st.SearchStrategy[Death] = st.sampled_from(
    ["now", "next_forward", "own_backward", "backward_of_later", "backward_of_earlier"]
)
_backward_deaths: st.SearchStrategy[Death] = st.sampled_from(
    ["now", "backward_of_earlier", "end_of_step"]
)


def _storages(
    deaths: st.SearchStrategy[Death], least: int
) -> st.SearchStrategy[tuple[Storage, ...]]:
    storage = st.builds(Storage, st.integers(1, 99), st.integers(0, 2), deaths)
    return st.lists(storage, min_size=least, max_size=6).map(tuple)


steps: st.SearchStrategy[Step] = st.builds(
    Step,
    period=st.integers(1, 3),
    forward=_storages(_forward_deaths, 1),
    backward=_storages(_backward_deaths, 1),
    update=_storages(st.just("now"), 0),
    parameters=st.lists(st.integers(1, 99), min_size=1, max_size=3).map(tuple),
    before=st.integers(0, 2),
    after=st.integers(0, 2),
    foreach=st.booleans(),
    micro_batches=st.integers(1, 2),
)


steps_with_work_between: st.SearchStrategy[Step] = st.builds(
    lambda step, between: replace(step, between=between),
    steps,
    _storages(st.sampled_from(["now", "own_backward"]), 1),
)


class _Writer:
    def __init__(self, step: Step, periods: int, changed: tuple[int, int] | None) -> None:
        self.step, self.periods, self.changed = step, periods, changed
        blocks = step.before + periods * step.period + step.after
        self.names = ["", "blocks", "head"]
        for block in range(blocks):
            self.names += [f"blocks.{block}", *(f"blocks.{block}.{part}" for part in SUBMODULES)]
        self.events: list[int] = []
        self.context: list[int] = []
        self.size_bytes: list[int] = []
        self.category: list[int] = []
        self.module: list[int] = []
        self.phases: list[Span] = []
        self.waiting: dict[tuple[str, int], list[int]] = defaultdict(list)

    def write(self) -> Tape:
        step, periods = self.step, self.periods
        self._phase("load", 0)
        for period in range(periods):
            for size in step.parameters:
                self._birth(size, kinds.PARAMETERS, self._module(period, 0))
        self._birth(5, kinds.PARAMETERS, self.names.index("head"))
        for micro_batch in range(step.micro_batches):
            self._phase("forward", micro_batch)
            kept = self._birth(7, kinds.ACTIVATIONS, 0)
            for period in range(periods):
                self._stretch("forward", step.forward, period)
                self._work_between(period)
            head = self.names.index("head")
            self._free(("next_forward", periods), head)
            loss = self._birth(3, kinds.ACTIVATIONS, head)
            self._phase("backward", micro_batch)
            self._free(("backward", periods), head)
            for period in reversed(range(periods)):
                self._stretch("backward", step.backward, period)
            self._free(("backward", -1), 0)
            self._death(loss, 0)
            self._death(kept, 0)
        self._phase("optimizer_step", 0)
        self._update()
        self._phase("between_steps", 0)
        for period in range(periods):
            self._free(("end", period), 0)
        return self._tape()

    def _phase(self, phase: Phase, micro_batch: int) -> None:
        place = len(self.events)
        if self.phases:
            self.phases[-1] = self.phases[-1]._replace(stop=place)
        self.phases.append(Span(phase, micro_batch, place, place))

    def _module(self, period: int, submodule: int) -> int:
        block = self.step.before + period * self.step.period + submodule % self.step.period
        return self.names.index(f"blocks.{block}.{SUBMODULES[submodule]}")

    def _birth(self, size: int, category: int, module: int) -> int:
        index = len(self.size_bytes)
        self.size_bytes.append(size)
        self.category.append(category)
        self.module.append(module)
        self.events.append(index + 1)
        self.context.append(module)
        return index

    def _death(self, storage: int, module: int) -> None:
        self.events.append(-storage - 1)
        self.context.append(module)

    def _free(self, key: tuple[str, int], module: int) -> None:
        for storage in self.waiting.pop(key, []):
            self._death(storage, module)

    def _stretch(self, phase: str, storages: tuple[Storage, ...], period: int) -> None:
        first = self._module(period, storages[0].submodule)
        for number, storage in enumerate(storages):
            module = self._module(period, storage.submodule)
            size = storage.size_bytes
            if self.changed is not None and number == 0 and phase == "forward":
                size += self.changed[1] if period == self.changed[0] else 0
            category = kinds.ACTIVATIONS if phase == "forward" else kinds.TEMPORARIES
            if storage.death == "end_of_step":
                category = kinds.GRADIENTS
            index = self._birth(size, category, module)
            if number == 0:  # what the neighbour left goes when this one has begun
                self._free((phase if phase == "backward" else "next_forward", period), first)
            if storage.death == "now":
                self._death(index, module)
            elif storage.death == "next_forward":
                self.waiting["next_forward", period + 1].append(index)
            elif storage.death == "end_of_step":
                self.waiting["end", period].append(index)
            else:
                shift = {"own_backward": 0, "backward_of_later": 1, "backward_of_earlier": -1}
                self.waiting["backward", period + shift[storage.death]].append(index)

    def _work_between(self, period: int) -> None:
        for storage in self.step.between:
            index = self._birth(storage.size_bytes, kinds.ACTIVATIONS, 0)
            if storage.death == "now":
                self._death(index, 0)
            else:
                self.waiting["backward", period].append(index)

    def _update(self) -> None:
        made: list[tuple[int, int]] = []
        for storage in self.step.update:
            for period in range(self.periods):
                if not self.step.foreach:
                    continue
                module = self._module(period, 0)
                made.append((self._birth(storage.size_bytes, kinds.TEMPORARIES, module), module))
        for index, _ in made:
            self._death(index, 0)
        if not self.step.foreach:
            for period in range(self.periods):
                module = self._module(period, 0)
                for storage in self.step.update:
                    index = self._birth(storage.size_bytes, kinds.TEMPORARIES, module)
                    self._death(index, module)

    def _tape(self) -> Tape:
        self.phases[-1] = self.phases[-1]._replace(stop=len(self.events))
        count = len(self.size_bytes)
        category = np.array(self.category, dtype=np.int64)
        sizes = np.array(self.size_bytes, dtype=np.int64)
        parameters = category == kinds.PARAMETERS
        return Tape(
            size_bytes=sizes,
            category=category,
            module=np.array(self.module, dtype=np.int64),
            events=np.array(self.events, dtype=np.int64),
            context=np.array(self.context, dtype=np.int64),
            phases=tuple(self.phases),
            storages=tuple(
                StorageInfo(operation="made up", shape=(size,), dtype="uint8")
                for size in self.size_bytes
            ),
            source=np.arange(count),
            module_names=tuple(self.names),
            module_types=tuple("Module" for _ in self.names),
            module_shapes={},
            trainable=parameters,
            numel=np.where(parameters, sizes, 0),
        )
