"""ZeRO-3's gathered parameters, put into the tape."""

from __future__ import annotations

from itertools import pairwise
from math import ceil

from memplanner.estimate.deepspeed.editing import TapeEdit
from memplanner.estimate.deepspeed.gathering import (
    Gathering,
    Released,
    gathered,
    parameters_by_module,
    uses,
)
from memplanner.estimate.deepspeed.share import Share
from memplanner.plan import Plan
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import COMMUNICATION

_RELEASED, _ASKED, _COPIED, _BUFFER_FREED, _ASKED_AHEAD = range(5)
"""The order of what happens between the same two events (``partitioned_param_coordinator.py:
_fetch_sub_module_impl``: what is needed, the wait for it, what is gathered ahead)."""


def gather_weights(edit: TapeEdit, share: Share, plan: Plan) -> None:
    """Every gathering of the step's forwards and backwards, and every release."""
    tape = share.tape
    own = parameters_by_module(tape)
    for number, (forward, backward) in enumerate(pairwise(tape.phases)):
        if (forward.phase, backward.phase) != ("forward", "backward"):
            continue
        trace = uses(tape.context, forward.start, backward.stop, own)
        found = list(gathered(trace, tape.numel, share.persistent, plan.sharding, backward.stop))
        for place, _, storage, born in sorted(
            _events(edit, share, plan, found), key=lambda each: each[:2]
        ):
            span = number + 1 if place >= backward.stop else None
            (edit.make if born else edit.free)(storage, place, span=span)


def _events(
    edit: TapeEdit, share: Share, plan: Plan, found: list[Gathering | Released]
) -> list[tuple[int, int, int, bool]]:
    """Place, order there, storage, and whether it is born."""
    events: list[tuple[int, int, int, bool]] = []
    whole: dict[int, list[int]] = {}
    for call in sorted(
        (each for each in found if isinstance(each, Gathering)), key=lambda each: each.copied
    ):
        buffer, payload = _buffer(edit, share, call)
        asked = _ASKED_AHEAD if call.ahead else _ASKED
        events.append((call.place, asked, buffer, True))
        if plan.sharding.offload_parameters != "none":
            copy = edit.add("share from the host", payload // share.ranks, COMMUNICATION)
            events += [(call.place, asked, copy, born) for born in (True, False)]
        if call.one:
            whole.setdefault(call.parameters[0], []).append(buffer)
            continue
        for one in call.parameters:
            size, module = int(edit.tape.size_bytes[one]), int(edit.tape.module[one])
            copy = edit.add("gathered parameter", size, COMMUNICATION, module)
            events.append((call.copied, _COPIED, copy, True))
            whole.setdefault(one, []).append(copy)
        events.append((call.buffer_freed, _BUFFER_FREED, buffer, False))
    end = max((each.place for each in found if isinstance(each, Released)), default=0)
    for each in sorted(
        (each for each in found if isinstance(each, Released)), key=lambda each: each.place
    ):
        order = _BUFFER_FREED if each.place == end else _RELEASED
        events.append((each.place, order, whole[each.parameter].pop(0), False))
    return events


def _buffer(edit: TapeEdit, share: Share, call: Gathering) -> tuple[int, int]:
    """The buffer that all ranks fill, and its bytes.

    Several parameters are gathered in one buffer and copied when the first of them is needed; one
    alone stays where it was gathered. An offloaded share is copied to the card before that
    (``partition_parameters.py: _all_gather_dtype, AllGatherCoalescedHandle.wait,
    _all_gather_sequential``).
    """
    tape, ranks = share.tape, share.ranks
    payload = sum(
        ceil(int(tape.numel[one]) / ranks) * ranks * share.itemsize(one) for one in call.parameters
    )
    buffer = edit.add(
        "gathered parameters", payload, COMMUNICATION, int(tape.module[call.parameters[0]]),
        collective=Collective("all_gather", payload, ranks, 0, ranks - 1),
    )  # fmt: skip
    return buffer, payload
