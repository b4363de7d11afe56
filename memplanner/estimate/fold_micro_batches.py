"""A pipeline's micro-batches on paper: a step recorded with few, told with as many as there are.

A stage under 1F1B first runs forwards until as many micro-batches are in flight as there are stages
from it on, then rounds of a backward and a forward, then the backwards that are left. Recorded are
few of each (``pipeline_micro_batches.py``); what a forward or a backward makes and frees is the
same for all in the same place, and mostly wherever it comes. That it is so is checked event by
event on those that stand for others; where they differ, the step is recorded with more
micro-batches, in the end with all.

A storage that dies is named by where it was born as seen from there, such as the same
micro-batch's forward, and by which one it is of those that die so: forwards after a backward may
gather parameters where others find them gathered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from memplanner.estimate.held_messages import held_again, let_go
from memplanner.messages.estimate import Span
from memplanner.tape.tape import Array, Tape
from memplanner.techniques.parallel.pipeline_micro_batches import Order

LOAD = -1
"""Stands for what was there before the step."""
_NEVER = -2


class Relation(NamedTuple):
    """How a segment is found from another."""

    kind: str
    phase: str = ""
    number: int = 0


OWN = Relation("own")


def with_all_micro_batches(tape: Tape, recorded: Order, wanted: Order) -> Tape | None:
    """The step of ``wanted`` made of the one of ``recorded``; None where that cannot be told."""
    usual, message = let_go(tape, recorded)
    step = Step.of(usual, recorded)
    if step is None or not step.is_regular:
        return None
    made = _Unrolling(step, wanted).result()
    return made if made is None or message is None else held_again(made, wanted, message)


@dataclass(frozen=True)
class Step:
    """A recorded step in segments: one for each forward and backward, then what follows them."""

    tape: Tape
    order: Order
    spans: tuple[Span, ...]

    @classmethod
    def of(cls, tape: Tape, order: Order) -> Step | None:
        """The step of a tape; None where it was not recorded in ``order``."""
        spans = tape.phases[1:]
        found = tuple((span.phase, span.micro_batch) for span in spans[: len(order.work)])
        borders = [span.stop for span in tape.phases]
        joined = [span.start for span in spans] == borders[:-1] and borders[-1] == len(tape.events)
        return cls(tape, order, spans) if found == order.work and joined else None

    @cached_property
    def born(self) -> Array:
        """For each storage the segment that it is born in, or ``LOAD``."""
        return self._segments_of(self.tape.events > 0, LOAD)

    @cached_property
    def dead(self) -> Array:
        """For each storage the segment that it dies in."""
        return self._segments_of(self.tape.events < 0, _NEVER)

    def _segments_of(self, chosen: np.ndarray, otherwise: int) -> Array:
        segment = np.full(len(self.tape.size_bytes), otherwise, dtype=np.int64)
        for place, span in enumerate(self.spans):
            inside = slice(span.start, span.stop)
            segment[np.abs(self.tape.events[inside][chosen[inside]]) - 1] = place
        return segment

    @cached_property
    def dying(self) -> dict[tuple[int, Relation], Array]:
        """The storages born in a segment that die as it is so related, in order."""
        found: dict[tuple[int, Relation], list[Array]] = {}
        for born in range(LOAD, len(self.spans)):
            births = self.births(born)
            for dead in np.unique(self.dead[births]).tolist():
                relation = None if dead == _NEVER else self.relation(dead, born)
                if relation is not None:
                    part = births[self.dead[births] == dead]
                    found.setdefault((born, relation), []).append(part)
        return {key: np.sort(np.concatenate(parts)) for key, parts in found.items()}

    def births(self, place: int) -> Array:
        """The storages born in a segment, in order: they are numbered as they are born."""
        return np.flatnonzero(self.born == place)

    def storages(self, place: int) -> Array:
        """Of each event of a segment: the storage."""
        span = self.spans[place]
        return np.abs(self.tape.events[span.start : span.stop]) - 1

    @property
    def is_regular(self) -> bool:
        """Whether segments that stand for others are like another one of their kind."""
        place = self.order.place
        return all(self._alike(place(*one), place(*two)) for one, two in self.order.pairs)

    def _alike(self, one: int, two: int) -> bool:
        first, second = self._told(one), self._told(two)
        return first is not None and first == second

    def _told(self, place: int) -> list[tuple[object, ...]] | None:
        """The events of a segment without what is its own; None where one reaches far.

        When storages without size die depends on what came before, and no byte does on that.
        """
        span, tape = self.spans[place], self.tape
        storages = self.storages(place)
        sized = tape.size_bytes[storages] > 0
        storages = storages[sized]
        signs = np.sign(tape.events[span.start : span.stop])[sized]
        relations = np.empty(len(storages), dtype=object)
        ordinals = np.zeros(len(storages), dtype=np.int64)
        for born in np.unique(self.born[storages]).tolist():
            relation = self.relation(place, born)
            if relation is None:
                return None
            inside = self.born[storages] == born
            relations[inside] = str(relation)
            known = self.births(born) if relation == OWN else self.dying[born, relation]
            ordinals[inside] = np.searchsorted(known, storages[inside])
        context = tape.context[span.start : span.stop][sized]
        values = (tape.size_bytes[storages], tape.category[storages], tape.module[storages])
        return list(zip(*(part.tolist() for part in (signs, context, relations, ordinals, *values)),
                        strict=True))  # fmt: skip

    def relation(self, place: int, born: int) -> Relation | None:
        """How the segment ``born`` is told from ``place``; None where it is no close one."""
        if born == LOAD:
            return Relation("load")
        if born == place:
            return OWN
        work = self.order.work
        if born >= len(work):
            return Relation("after", number=born - len(work))
        phase, number = work[born]
        ends = {self.order.rounds: "last round", 0: "first", self.order.count - 1: "last"}
        if place >= len(work):  # after all micro-batches
            return Relation(ends[number], phase) if number in ends else None
        own_phase, own_number = work[place]
        if number == own_number:
            return Relation("same", phase)
        before = number == own_number - 1 and phase == own_phase
        if born == place - 1 and not (before and self.order.all_alike):
            return Relation("just before")
        if before:
            return Relation("before", phase)
        return Relation(ends[number], phase) if number in ends else None


class _Unrolling:
    """The arithmetic of one unrolling: numbers of storages and events."""

    def __init__(self, step: Step, wanted: Order) -> None:
        self.step, self.wanted = step, wanted
        recorded = step.order
        self.templates = [recorded.place(*wanted.stands_for(work, recorded))
                          for work in wanted.work]  # fmt: skip
        self.templates += range(len(recorded.work), len(step.spans))
        births = [step.births(place) for place in (LOAD, *self.templates)]
        self.sources = np.concatenate(births)
        """Of each storage: the recorded one that it is a copy of."""
        ends = np.cumsum([len(part) for part in births])
        self.first = np.concatenate([ends[:-1], [0]])
        """The number of the first storage born in each segment; the last is for ``LOAD``."""
        self.first_recorded = [int(part[0]) if len(part) else 0 for part in births[1:]] + [0]

    def result(self) -> Tape | None:
        """The unrolled tape, or None where something dies that has no place."""
        tape, step, count = self.step.tape, self.step, len(self.wanted.work)
        start = tape.phases[0].stop
        events, context = [tape.events[:start]], [tape.context[:start]]
        spans = [tape.phases[0]]
        for place, template in enumerate(self.templates):
            made = self._segment(place, template)
            if made is None:
                return None
            events.append(made[0])
            context.append(made[1])
            span = step.spans[template]
            number = self.wanted.work[place][1] if place < count else span.micro_batch
            begun = spans[-1].stop
            spans.append(Span(span.phase, number, begun, begun + len(made[0])))
        sources = self.sources
        return replace(
            tape,
            size_bytes=tape.size_bytes[sources],
            category=tape.category[sources],
            module=tape.module[sources],
            trainable=tape.trainable[sources],
            numel=tape.numel[sources],
            storages=tuple(map(tape.storages.__getitem__, sources.tolist())),
            source=np.arange(len(sources)),
            events=np.concatenate(events),
            context=np.concatenate(context),
            phases=tuple(spans),
        )

    def _segment(self, place: int, template: int) -> tuple[Array, Array] | None:
        """Events and modules of the segment ``place``, as those of the recorded ``template``."""
        span = self.step.spans[template]
        events = self.step.tape.events[span.start : span.stop]
        context = self.step.tape.context[span.start : span.stop]
        storages = self.step.storages(template)
        numbers = np.zeros(len(events), dtype=np.int64)
        rows = list(self._rows(template, storages))
        in_rows = np.zeros(len(events), dtype=np.bool_)
        for row in rows:
            in_rows[row] = True
        born = self.step.born[storages]
        for segment in np.unique(born[~in_rows]).tolist():
            inside = (born == segment) & ~in_rows
            found = self._found(place, template, segment, storages[inside])
            if found is None:
                return None
            numbers[inside] = found
        changed = np.sign(events) * (numbers + 1)
        for row in reversed(rows):
            dying = self._row_of_all(storages[row])
            if dying is None:
                return None
            module = np.full(len(dying), context[row.start])
            changed = np.concatenate([changed[: row.start], -1 - dying, changed[row.stop :]])
            context = np.concatenate([context[: row.start], module, context[row.stop :]])
        return changed, context

    def _found(self, place: int, template: int, born: int, storages: Array) -> Array | None:
        """The numbers of what stands to ``place`` as ``storages``, born in ``born``, do."""
        step = self.step
        relation = step.relation(template, born)
        if relation is None:
            return None
        if relation == OWN:
            return self._numbered(storages, place)
        known = step.dying[born, relation]
        segment = self._related(place, relation)
        own = step.dying.get((self.templates[segment] if segment != LOAD else LOAD, relation))
        if own is None or len(own) != len(known):
            return None
        found = own[np.searchsorted(known, storages)]
        tape = step.tape
        for values in (tape.size_bytes, tape.category, tape.module):
            if not np.array_equal(values[found], values[storages]):
                return None
        return self._numbered(found, segment)

    def _numbered(self, storages: Array, segment: int) -> Array:
        """The numbers that recorded storages of a segment's template have in the segment."""
        by = int(self.first[segment]) - self.first_recorded[segment]
        numbers: Array = storages + by
        return numbers

    def _related(self, place: int, relation: Relation) -> int:
        """The segment that stands so to ``place``."""
        wanted = self.wanted
        if relation.kind == "load":
            return LOAD
        if relation.kind == "just before":
            return place - 1
        if relation.kind == "after":
            return len(wanted.work) + relation.number
        numbers = {"first": 0, "last": wanted.count - 1, "last round": wanted.rounds}
        if place < len(wanted.work):
            own = wanted.work[place][1]
            numbers |= {"same": own, "before": own - 1}
        return wanted.place(relation.phase, numbers[relation.kind])

    # What every micro-batch leaves to the end, such as losses, dies one after another there.

    def _rows(self, template: int, storages: Array) -> Iterator[slice]:
        """Where a late segment frees storages of one micro-batch after another."""
        step, work = self.step, self.step.order.work
        if template < len(work) - 1:
            return
        found = [work[place] if 0 <= place < len(work) else ("", LOAD)
                 for place in step.born[storages].tolist()]  # fmt: skip
        start = 0
        for stop in range(1, len(found) + 1):
            length = stop - start
            if stop < len(found) and found[start][0] == found[stop][0] != "":
                way = found[start + 1][1] - found[start][1]
                if abs(way) == 1 and found[stop][1] == found[start][1] + way * length:
                    continue
            if length > 2:
                yield slice(start, stop)
            start = stop

    def _row_of_all(self, storages: Array) -> Array | None:
        """The storages of all micro-batches that stand for those of the recorded ones."""
        step, wanted, recorded = self.step, self.wanted, self.step.order
        places = [recorded.work[place] for place in step.born[storages].tolist()]
        row = dict(zip(places, storages.tolist(), strict=True))
        phase = places[0][0]
        later = wanted.count - recorded.count
        ends = [number + (later if number > 1 else 0) for number in (places[0][1], places[-1][1])]
        way = 1 if ends[0] < ends[1] else -1
        numbers: list[Array] = []
        for number in range(ends[0], ends[1] + way, way):
            copied = row.get(wanted.stands_for((phase, number), recorded))
            if copied is None:
                return None
            numbers.append(self._numbered(np.array([copied]), wanted.place(phase, number)))
        return np.concatenate(numbers)
