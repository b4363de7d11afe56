"""Sizes in a generation: they follow the prompt's length and the tokens written by then."""

from __future__ import annotations

from memplanner.estimate.forms import FORMS, Form, forms_of_pieces
from memplanner.plan import Plan
from memplanner.tape.generation import decodes_to_record


def forms_of(plan: Plan) -> tuple[Form, ...]:
    """The forms of a step of the plan.

    In a generation those of prompt + n for each recorded n, over a ring those of its pieces.
    """
    section = plan.inference
    if section.use != "generation":
        return (*FORMS, *forms_of_pieces(plan.sharding.context))
    written = {1, 2, section.new_tokens}
    for number in (1, *decodes_to_record(section)):
        written |= {number - 1, number, number + 1}
    offsets = sorted(written - {0, 1, -1})
    more = [
        Form(batch_power, sequence_power, offset)
        for offset in offsets
        for sequence_power in (1, 2)
        for batch_power in (1, 0)
    ]
    return (*FORMS, *more)


def borders(plan: Plan, length: int) -> tuple[int, ...]:
    """The lengths at which a use of the plan works: more than one where tokens are written."""
    section = plan.inference
    if section.use != "generation":
        return (length,)
    moments = {0, 1, section.new_tokens}
    for number in (1, *decodes_to_record(section)):
        moments |= {number - 1, number}
    return tuple(length + moment for moment in sorted(moments))
