"""A message that 1F1B holds: the last one that its first forwards send, to the end of its rounds.

torch keeps what it waits for in a variable that it fills anew only after the last round
(``torch/distributed/pipelining/schedules.py: Schedule1F1B``, ``send_work``). So one micro-batch's
output lives longer than the others'. It is taken out of a recorded step that stands for a longer
one (``fold_micro_batches.py``), and put into that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from memplanner.messages.estimate import Span
from memplanner.tape.tape import Array, Tape
from memplanner.techniques.parallel.pipeline_micro_batches import Order


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """How the one that is held dies."""

    ordinal: int
    """Which it is of what its forward makes and its own backward would free, in order."""
    size_bytes: int
    late: int
    """The place among the last round's events at which it dies instead."""
    module: int
    """The module at work then."""


def let_go(tape: Tape, order: Order) -> tuple[Tape, HeldMessage | None]:
    """The step with its held message dying as the next one does, and how it died."""
    held = held_one(order)
    if held is None or held + 1 > order.rounds:
        return tape, None
    last = _inside(tape, "backward", order.rounds)
    late = np.flatnonzero(np.isin(-tape.events[last], _births(tape, held)))
    if len(late) != 1:
        return tape, None
    place = last.start + int(late[0])
    rank = int(np.searchsorted(_births(tape, held), -tape.events[place]))
    after = _inside(tape, "backward", held + 1)
    usual = np.flatnonzero(tape.events[after] == -_births(tape, held + 1)[rank])
    if len(usual) != 1:
        return tape, None
    module = int(tape.context[after][usual[0]])
    index = int(usual[0]) - int(after.start <= place < after.start + usual[0])
    storage = -int(tape.events[place]) - 1
    moved = _moved(tape, place, _inside(tape, "backward", held), index, module)
    ordinal = int(np.searchsorted(_freed_by_own(moved, held), storage + 1))
    message = HeldMessage(
        ordinal, int(tape.size_bytes[storage]), int(late[0]), int(tape.context[place])
    )
    return moved, message


def held_again(tape: Tape, order: Order, message: HeldMessage) -> Tape | None:
    """The step with that message held; None where it is not found."""
    held = held_one(order)
    if held is None or held > order.rounds:  # its own backward comes after the rounds
        return tape
    freed = _freed_by_own(tape, held)
    if message.ordinal >= len(freed):
        return None
    storage = int(freed[message.ordinal])
    if tape.size_bytes[storage - 1] != message.size_bytes:
        return None
    place = int(np.flatnonzero(tape.events == -storage)[0])
    return _moved(
        tape, place, _inside(tape, "backward", order.rounds), message.late, message.module
    )


def _inside(tape: Tape, phase: str, number: int) -> slice:
    """The events of a micro-batch's forward or backward."""
    found = next(span for span in tape.phases if (span.phase, span.micro_batch) == (phase, number)
                 and span.phase != "load")  # fmt: skip
    return slice(found.start, found.stop)


def _births(tape: Tape, number: int) -> Array:
    """What a micro-batch's forward makes, as events."""
    events = tape.events[_inside(tape, "forward", number)]
    return events[events > 0]


def _freed_by_own(tape: Tape, number: int) -> Array:
    """What a micro-batch's backward frees of its forward's, as events of birth in order."""
    events = tape.events[_inside(tape, "backward", number)]
    return np.intersect1d(_births(tape, number), -events[events < 0])


def _moved(tape: Tape, place: int, segment: slice, index: int, module: int) -> Tape:
    """The tape with the event at ``place`` where the event ``index`` of a segment was."""
    to = segment.start + index
    to -= to > place
    events = np.insert(np.delete(tape.events, place), to, tape.events[place])
    context = np.insert(np.delete(tape.context, place), to, module)

    def border(edge: int) -> int:
        return edge - int(place < edge) + int(segment.stop <= edge)

    phases = tuple(
        Span(span.phase, span.micro_batch, border(span.start), border(span.stop))
        for span in tape.phases
    )
    return replace(tape, events=events, context=context, phases=phases)


def held_one(order: Order) -> int | None:
    """The micro-batch whose output is held; None under other schedules, and in the last stage."""
    return order.in_flight - 2 if order.schedule == "1f1b" and order.in_flight > 1 else None
