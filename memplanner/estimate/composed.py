"""A step made of two recordings: one of forward and backward, one of the optimizer's update.

The first is of a step with an optimizer that has no states and takes no memory; the second of the
plan's own optimizer alone. An optimizer has no part in forward and backward but where it updates
there, or moves gradients to the host: then the first recording has marks where autograd stores
each gradient, and what the optimizer does is put there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from memplanner.messages.estimate import Phase, Span
from memplanner.tape.gradients import Gradients
from memplanner.tape.tape import COMMUNICATION, OPTIMIZER_STATE, TEMPORARIES, Array, Tape
from memplanner.tape.work import OPTIMIZER, PHASES, Work

_UPDATE: Phase = "optimizer_step"
_UPDATES = PHASES.index(_UPDATE)


def composed(
    body: Tape, update: Tape, *, frees: bool, updates: bool, notes: tuple[str, ...]
) -> Tape | None:
    """The tape of a step with the optimizer of ``update``; None where they do not divide so.

    ``updates``: the optimizer updates parameters in backward. ``frees``: it lets go of gradients
    there, and the body's does not. Both tapes are marked.
    """
    gradients = body.gradients
    if gradients is None or not gradients.plain or (frees and not gradients.alone):
        return None
    modules = _places(update.module_names, body.module_names)
    if (modules < 0).any() or not _is_closed(*_phase(body, _UPDATE)):
        return None
    parts = _Update.of(update, modules)
    if parts is None:
        return None
    woven = _Weaving(body, gradients, parts, frees=frees, updates=updates)
    if not woven.whole():
        return None
    work = _work(body, update, modules, gradients if frees and not updates else None)
    return None if work is None else woven.tape(update, modules, notes, work)


def without_marks(body: Tape, notes: tuple[str, ...]) -> Tape:
    """The step of ``body`` itself: its own optimizer's update is the one that is asked for."""
    assert body.gradients is not None
    marks = np.concatenate([body.gradients.marks[:, 0], body.gradients.places[:, 0]])
    kept = np.ones(len(body.size_bytes), dtype=np.bool_)
    kept[marks] = False
    inside = kept[np.abs(body.events) - 1]
    before = np.concatenate([[0], np.cumsum(inside)])
    number = np.cumsum(kept) - 1
    events = body.events[inside]
    return replace(
        body,
        size_bytes=body.size_bytes[kept],
        category=body.category[kept],
        module=body.module[kept],
        events=np.sign(events) * (number[np.abs(events) - 1] + 1),
        context=body.context[inside],
        phases=tuple(
            Span(span.phase, span.micro_batch, int(before[span.start]), int(before[span.stop]))
            for span in body.phases
        ),
        storages=tuple(body.storages[place] for place in np.flatnonzero(kept).tolist()),
        source=np.arange(int(kept.sum())),
        trainable=body.trainable[kept],
        numel=body.numel[kept],
        notes=notes,
        gradients=None,
    )


def _places(names: tuple[str, ...], among: tuple[str, ...]) -> Array:
    """Where each module of one tape is on another, or −1."""
    known = {name: place for place, name in enumerate(among)}
    return np.array([known.get(name, -1) for name in names], dtype=np.int64)


Events = tuple[Array, Array]
"""Events and their modules."""


def _phase(tape: Tape, phase: Phase) -> Events:
    """All events of a phase."""
    spans = [slice(span.start, span.stop) for span in tape.phases if span.phase == phase]
    none = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([none, *(tape.events[span] for span in spans)]),
        np.concatenate([none, *(tape.context[span] for span in spans)]),
    )


def _is_closed(events: Array, _: Array) -> bool:
    """Whether all that is born in them dies in them, and nothing else does."""
    return bool(np.array_equal(np.sort(events[events > 0]), np.sort(-events[events < 0])))


class _Segment(NamedTuple):
    """The update of one parameter in backward."""

    events: Events
    left: int
    """The module at work when the gradient is let go of."""
    behind: int
    """The module that counts as the one at work until the next operation."""


def _events(found: list[tuple[int, int]]) -> Events:
    events, context = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return events, context


@dataclass(frozen=True, slots=True)
class _Update:
    """What an optimizer does; storages are those of its own tape, modules those of the body."""

    states: dict[str, Events]
    """By the name of the parameter where that is known, else all under no name."""
    step: Events
    segments: dict[str, _Segment]
    """Of each parameter, by its name: what is done in backward when its gradient is there."""

    @classmethod
    def of(cls, tape: Tape, modules: Array) -> _Update | None:
        """None where it frees what it has not made."""
        context = modules[tape.context]
        tape = replace(tape, context=context)
        gradients = tape.gradients
        assert gradients is not None
        places = {
            place: tape.storages[owner].operation for place, owner in gradients.places.tolist()
        }
        own: dict[str, list[tuple[int, int]]] = {}
        name = ""
        for event, module in zip(*(part.tolist() for part in _phase(tape, "load")), strict=True):
            name = places.get(event - 1, name)
            if tape.category[event - 1] == OPTIMIZER_STATE:
                own.setdefault(name, []).append((event, module))
        states = {name: _events(found) for name, found in own.items()}
        step = _phase(tape, _UPDATE)
        segments: dict[str, _Segment] = {}
        for mark, parameter, gradient in gradients.marks.tolist():
            start = int(np.flatnonzero(tape.events == mark + 1)[0]) + 1
            stop = int(np.flatnonzero(tape.events == -mark - 1)[0])
            inside, at_work = tape.events[start:stop], context[start:stop]
            last = inside == -gradient - 1
            segments[tape.storages[parameter].operation] = _Segment(
                (inside[~last], at_work[~last]),
                int(at_work[last].sum()),  # of one event at most
                int(context[stop]),
            )
        if not all(
            _is_closed(*part) for part in (step, *(one.events for one in segments.values()))
        ):
            return None
        return cls(states, step, segments)


class _Weaving:
    """The events of both tapes in one order; storages of the update come after the body's."""

    def __init__(
        self, body: Tape, gradients: Gradients, parts: _Update, *, frees: bool, updates: bool
    ) -> None:
        self.body, self._parts, self._frees, self._updates = body, parts, frees, updates
        self._offset = len(body.size_bytes)
        self.events: list[int] = []
        self.context: list[int] = []
        self.phases: tuple[Span, ...] = ()
        names = body.storages
        self._marks = {
            mark: (names[owner].operation, left) for mark, owner, left in gradients.marks.tolist()
        }
        self._places = {place: names[owner].operation for place, owner in gradients.places.tolist()}
        self.moved: dict[int, int] = {}
        """Of storages of the update: the mark or place of the body whose stream they are on."""
        self._last = {left: mark for mark, (_, left) in self._marks.items()} if frees else {}
        """Of each gradient that is let go of: the mark behind which that is done."""
        self._names = gradients.names

    def whole(self) -> bool:
        """Weaves; False where what is done in backward is not known of every gradient."""
        marked = [name for name, _ in self._marks.values()]
        if self._frees and sorted(marked) != sorted(self._names):
            return False
        if self._updates and not set(marked) <= set(self._parts.segments):
            return False
        spans = []
        for span in self.body.phases:
            start = len(self.events)
            if span.phase == _UPDATE:
                self._add(self._parts.step)
            else:
                self._body(span)
            if span.phase == "load":
                for name, states in self._parts.states.items():
                    if name not in self._places.values():
                        self._add(states)
            spans.append(Span(span.phase, span.micro_batch, start, len(self.events)))
        self.phases = tuple(spans)
        return True

    def _add(self, events: Events, at: int | None = None) -> None:
        if at is not None:
            self.moved.update((event - 1, at) for event in events[0].tolist() if event > 0)
        self.events += (events[0] + np.sign(events[0]) * self._offset).tolist()
        self.context += events[1].tolist()

    def _body(self, span: Span) -> None:
        """The events of a phase, with what is done where marks are, and without them."""
        body, marks, last = self.body, self._marks, self._last
        shadow: int | None = None
        inside = slice(span.start, span.stop)
        for event, module in zip(
            body.events[inside].tolist(), body.context[inside].tolist(), strict=True
        ):
            storage = abs(event) - 1
            if storage in self._places:
                if event > 0:
                    none = np.zeros(0, dtype=np.int64)
                    states = self._parts.states.get(self._places[storage], (none, none))
                    self._add(states, storage)
                continue
            if storage not in marks:
                if event > 0 or storage not in last:
                    self.events.append(event)
                    self.context.append(module if shadow is None else shadow)
                continue
            shadow = None
            if event < 0:
                continue
            name, gradient = marks[storage]
            left = module
            if self._updates:
                segment = self._parts.segments[name]
                self._add(segment.events, storage)
                left, shadow = segment.left, segment.behind
            if last.get(gradient) == storage:
                self.events.append(-gradient - 1)
                self.context.append(left)

    def tape(self, update: Tape, modules: Array, notes: tuple[str, ...], work: Work) -> Tape:
        """The tape, its storages numbered in the order of their births."""
        body = self.body
        events = np.array(self.events, dtype=np.int64)
        order = events[events > 0] - 1
        number = np.full(self._offset + len(update.size_bytes), -1, dtype=np.int64)
        number[order] = np.arange(len(order))
        storages = [*body.storages, *update.storages]
        category = np.concatenate([body.category, update.category])
        for storage, at in self.moved.items():
            place = self._offset + storage
            storages[place] = replace(storages[place], stream=body.storages[at].stream)
            if category[place] == TEMPORARIES and body.category[at] == COMMUNICATION:
                category[place] = COMMUNICATION

        def both(mine: np.ndarray, its: np.ndarray) -> np.ndarray:
            return np.concatenate([mine, its])[order]

        return replace(
            body,
            size_bytes=both(body.size_bytes, update.size_bytes),
            category=category[order],
            module=both(body.module, modules[update.module]),
            events=np.sign(events) * (number[np.abs(events) - 1] + 1),
            context=np.array(self.context, dtype=np.int64),
            phases=self.phases,
            storages=tuple(storages[place] for place in order.tolist()),
            source=np.arange(len(order)),
            trainable=both(body.trainable, update.trainable),
            numel=both(body.numel, update.numel),
            notes=notes,
            work=work,
            gradients=None,
        )


def _work(body: Tape, update: Tape, modules: Array, moved: Gradients | None) -> Work | None:
    """What the kernels of both do, without the update of the body's own optimizer.

    Of gradients that are ``moved`` to the host each works for the module whose backward made it.
    """
    mine, its = body.work, update.work
    places = modules[its.module]
    in_backward = its.phase != _UPDATES
    if moved is not None:
        each, rest = divmod(int(in_backward.sum()), len(moved.marks))
        if rest:
            return None
        births = {int(event) - 1: place for place, event in enumerate(body.events) if event > 0}
        at_work = {
            body.storages[owner].operation: int(body.context[births[mark]])
            for mark, owner, _ in moved.marks.tolist()
        }
        assert update.gradients is not None
        modules = np.array(
            [
                at_work[update.storages[owner].operation]
                for _, owner, _ in update.gradients.marks.tolist()
            ],
            dtype=np.int64,
        )
        places[in_backward] = np.repeat(modules, each)
    kept = np.flatnonzero((mine.phase != _UPDATES) & (mine.part != OPTIMIZER))
    row = np.full(len(mine), -1, dtype=np.int64)
    row[kept] = np.arange(len(kept))
    amounts = row[mine.amount_row]
    names = {name: place for place, name in enumerate(dict.fromkeys((*mine.names, *its.names)))}
    calls = dict.fromkeys((*mine.collectives, *its.collectives))
    peers = {call: place for place, call in enumerate(calls)}
    called = np.array([names[name] for name in its.names] or [0], dtype=np.int64)
    sent = np.array([peers[call] for call in its.collectives] or [0], dtype=np.int64)

    def both(one: Array, two: Array) -> Array:
        return np.concatenate([one[kept], two])

    return Work(
        operation=both(mine.operation, called[its.operation]),
        names=tuple(names),
        module=both(mine.module, places),
        phase=both(mine.phase, its.phase),
        micro_batch=both(mine.micro_batch, its.micro_batch),
        part=both(mine.part, its.part),
        kind=both(mine.kind, its.kind),
        precision=both(mine.precision, its.precision),
        flops=both(mine.flops, its.flops),
        launches=both(mine.launches, its.launches),
        peers=both(mine.peers, np.where(its.peers < 0, -1, sent[its.peers])),
        collectives=tuple(peers),
        amount_row=np.concatenate([amounts[amounts >= 0], its.amount_row + len(kept)]),
        amount_bytes=np.concatenate([mine.amount_bytes[amounts >= 0], its.amount_bytes]),
        count=both(mine.count, its.count),
    )
