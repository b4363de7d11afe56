"""Repeated blocks on paper: a tape recorded with few blocks, unfolded to as many as there are.

The recorded model keeps ``KEPT`` periods of a run of alike blocks: 0, 1, 2, 3. Wherever the tape
goes from period 1 to period 2 (or back, in backward), copies of that stretch are inserted. A
period's storages may be freed in its own stretch or a neighbour's; the copy frees its own, or its
neighbour's. Whether periods 1 and 2 really are alike is checked event by event, and where they are
not, the model is recorded whole.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

import numpy as np

from memplanner.estimate.periods import KEPT, NONE, Cut, Periods, Stretch
from memplanner.messages.estimate import Span
from memplanner.tape.tape import Array, Tape


def unfold(tape: Tape, cut: Cut) -> Tape | None:
    """The tape of the whole model, or None where periods are not alike."""
    copies = cut.periods - KEPT
    if copies <= 0:
        return tape
    periods = Periods.of(tape, cut)
    if periods is None:
        return None
    unfolding = _Unfolding(tape, cut, copies, periods)
    return None if unfolding.reaches_far() else unfolding.result()


class _Unfolding:
    """The arithmetic of one unfolding: numbers of storages, modules and events."""

    def __init__(self, tape: Tape, cut: Cut, copies: int, periods: Periods) -> None:
        self.tape, self.cut, self.copies = tape, cut, copies
        self.blocks, self.labels, self.births = periods.blocks, periods.labels, periods.births
        self.stretches, self.pairs = periods.stretches, periods.pairs
        self.recorded = len(tape.size_bytes)
        self.width = len(self.births[1])
        self.owner = np.full(self.recorded, NONE, dtype=np.int64)
        self.rank = np.full(self.recorded, NONE, dtype=np.int64)
        for label, storages in enumerate(self.births):
            self.owner[storages] = label
            self.rank[storages] = np.arange(len(storages))
        storages = np.abs(tape.events) - 1
        self.signs = np.sign(tape.events)
        self.owners, self.ranks = self.owner[storages], self.rank[storages]
        """Of each event's storage: the period that it is born in, and which one of its."""
        self.placed = self._placed(storages)

    def reaches_far(self) -> bool:
        """Whether a period frees storages of another that is not its neighbour."""
        inside = (self.labels != NONE) & (self.owners != NONE)
        return bool((np.abs(self.owners - self.labels)[inside] > 1).any())

    def _placed(self, storages: Array) -> Array:
        """All events, with neighbours' storages looked up beside the new places of periods."""
        labels, owners = self.labels, self.owners
        later = np.where(labels >= 2, self.copies, 0)
        place = np.where((owners == NONE) | (labels == NONE), NONE, owners + later)
        copy = (place >= 2) & (place < 2 + self.copies)
        middle = (owners == 1) | (owners == 2)
        one, two = middle & (place == 1), middle & (place == 2 + self.copies)
        result = storages.copy()
        result[copy] = self._copied(place[copy], self.ranks[copy])
        result[one] = self.births[1][self.ranks[one]]
        result[two] = self.births[2][self.ranks[two]]
        placed: Array = self.signs * (result + 1)
        return placed

    def _copied(self, place: Array, rank: Array) -> Array:
        """The numbers of storages of copied periods."""
        copied: Array = self.recorded + (place - 2) * self.width + np.maximum(rank, 0)
        return copied

    def result(self) -> Tape | None:
        """The unfolded tape, or None where stretches 1 and 2 differ."""
        events: list[Array] = []
        context: list[Array] = []
        edges: dict[int, int] = {}
        length = place = 0
        pairs = set(self.pairs)
        while place < len(self.stretches):
            stretch = self.stretches[place]
            edges[stretch.start] = length
            if place in pairs:
                middle = self._middle(stretch, self.stretches[place + 1])
                if middle is None:
                    return None
                parts = middle
                place += 2
            else:
                parts = [self._as_recorded(stretch)]
                place += 1
            for part_events, part_context in parts:
                events.append(part_events)
                context.append(part_context)
                length += len(part_events)
        edges[len(self.labels)] = length
        phases = self._phases(edges)
        return self._tape(np.concatenate(events), np.concatenate(context), phases)

    def _phases(self, edges: dict[int, int]) -> tuple[Span, ...]:
        known = sorted(edges)

        def moved(border: int) -> int:
            return edges[known[bisect_left(known, border)]]

        return tuple(
            Span(span.phase, span.micro_batch, moved(span.start), moved(span.stop))
            for span in self.tape.phases
        )

    def _as_recorded(self, stretch: Stretch) -> tuple[Array, Array]:
        """The stretch itself."""
        inside = slice(stretch.start, stretch.stop)
        return self.placed[inside], self.tape.context[inside]

    def _middle(self, one: Stretch, two: Stretch) -> list[tuple[Array, Array]] | None:
        """A stretch of period 1 and one of period 2 (in either order), with the copies between."""
        template = self._template(one, two)
        if template is None:
            return None
        sign, distance, rank, context = template
        order = np.arange(self.copies)
        if one.label == 2:  # backward: the highest period comes first
            order = order[::-1]
        place = distance[None, :] + (2 + order)[:, None]
        copied = self._copied(place, rank[None, :])
        copied = np.where(place == 1, self.births[1][rank][None, :], copied)
        copied = np.where(place == 2 + self.copies, self.births[2][rank][None, :], copied)
        events = (sign[None, :] * (copied + 1)).reshape(-1)
        contexts = self._copied_context(context[None, :], order[:, None]).reshape(-1)
        return [self._as_recorded(one), (events, contexts), self._as_recorded(two)]

    def _template(self, one: Stretch, two: Stretch) -> tuple[Array, Array, Array, Array] | None:
        """Signs, distances of owners, ranks and modules of a stretch; None where they differ."""
        first, second = (one, two) if one.label == 1 else (two, one)
        if first.stop - first.start != second.stop - second.start:
            return None
        part_1, part_2 = slice(first.start, first.stop), slice(second.start, second.stop)
        owner_1, owner_2 = self.owners[part_1], self.owners[part_2]
        if not np.array_equal(self.signs[part_1], self.signs[part_2]):
            return None
        if (owner_1 == NONE).any() or (owner_2 == NONE).any():
            return None  # a storage of no period would die once for every copy
        distance = owner_1 - 1
        if not np.array_equal(distance, owner_2 - 2):
            return None
        inner_1 = (owner_1 == 1) | (owner_1 == 2)
        inner_2 = (owner_2 == 1) | (owner_2 == 2)
        both = inner_1 & inner_2
        rank_1, rank_2 = self.ranks[part_1], self.ranks[part_2]
        if not np.array_equal(rank_1[both], rank_2[both]):
            return None
        rank = np.where(inner_1, rank_1, rank_2)
        return self.signs[part_1], distance, rank, self.tape.context[part_1]

    # Modules: those of the recording, then one set of period 1's modules for each copy.

    def _copied_context(self, modules: Array, order: Array) -> Array:
        template = self._template_modules()
        position = np.full(len(self.tape.module_names), NONE, dtype=np.int64)
        position[template] = np.arange(len(template))
        base = len(self.tape.module_names)
        place = position[modules]
        return np.where(place == NONE, modules, base + order * len(template) + place)

    def _template_modules(self) -> Array:
        start = self.cut.start + self.cut.period
        return np.flatnonzero((self.blocks >= start) & (self.blocks < start + self.cut.period))

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names and types of all modules: the recording's renumbered, then the copies'."""
        prefix = self.cut.path + "." if self.cut.path else ""
        limit = self.cut.start + 2 * self.cut.period
        moved = self.copies * self.cut.period

        def renumbered(name: str, block: int, shift: int) -> str:
            rest = name[len(prefix) :].partition(".")[2]
            return f"{prefix}{block + shift}" + (f".{rest}" if rest else "")

        blocks = self.blocks.tolist()
        names = [
            renumbered(name, block, moved) if block >= limit else name
            for name, block in zip(self.tape.module_names, blocks, strict=True)
        ]
        types = list(self.tape.module_types)
        template = self._template_modules().tolist()
        for copy in range(self.copies):
            shift = (copy + 1) * self.cut.period
            names += [
                renumbered(self.tape.module_names[index], blocks[index], shift)
                for index in template
            ]
            types += [self.tape.module_types[index] for index in template]
        return tuple(names), tuple(types)

    def _tape(self, events: Array, context: Array, phases: tuple[Span, ...]) -> Tape:
        tape, first = self.tape, self.births[1]

        def with_copies(values: np.ndarray) -> np.ndarray:
            return np.concatenate([values, np.tile(values[first], self.copies)])

        order = np.repeat(np.arange(self.copies), self.width)
        module = np.concatenate(
            [tape.module, self._copied_context(np.tile(tape.module[first], self.copies), order)]
        )
        names, types = self._names()
        shapes = dict(tape.module_shapes)
        template = self._template_modules().tolist()
        base = len(tape.module_names)
        for copy in range(self.copies):
            for place, index in enumerate(template):
                if index in tape.module_shapes:
                    shapes[base + copy * len(template) + place] = tape.module_shapes[index]
        return replace(
            tape,
            size_bytes=with_copies(tape.size_bytes),
            category=with_copies(tape.category),
            module=module,
            events=events,
            context=context,
            phases=phases,
            source=with_copies(tape.source),
            trainable=with_copies(tape.trainable),
            numel=with_copies(tape.numel),
            module_names=names,
            module_types=types,
            module_shapes=shapes,
            work=tape.work.repeated(self._template_modules(), self.copies),
        )
