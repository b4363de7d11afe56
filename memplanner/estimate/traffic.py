"""What a rank sends in one optimizer step, and how long its links take for that.

A recorded rank's collectives are counted as torch's own code calls them. What a call sends is that
of rings, as NCCL's are (nccl-tests, ``doc/PERFORMANCE.md``): of a whole of N bytes among n ranks a
reduction sends 2 (n − 1)/n N, a gather, a scatter or an exchange (n − 1)/n N, a broadcast N.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from memplanner.hardware.catalogue import Card
from memplanner.messages.estimate import CollectiveKind, Link, Traffic
from memplanner.plan.sharding import Sharding
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import Tape

KINDS: tuple[CollectiveKind, ...] = (
    "all_gather", "reduce_scatter", "all_reduce", "all_to_all", "broadcast", "send",
)  # fmt: skip
_GB = 1e9


def sent_bytes(kind: CollectiveKind, payload_bytes: int, ranks: int) -> int:
    """What each of ``ranks`` sends, on average, when ``payload_bytes`` is the whole."""
    if kind in ("broadcast", "send"):
        return payload_bytes
    times = 2 if kind == "all_reduce" else 1
    return times * payload_bytes * (ranks - 1) // ranks


def link_of(call: Collective, section: Sharding) -> Link:
    """The slowest link that the call needs; ranks are placed on nodes in order."""
    cards = section.cards_per_node
    return "card" if call.first // cards == call.last // cards else "node"


def rate_bytes(section: Sharding, link: Link, card: Card | None) -> float | None:
    """What a card can send over a link in a second; None where nobody knows.

    The maker of a card states both directions together, so one is half of that.
    """
    if link == "node":
        return None if section.node_link is None else section.node_link * _GB
    if section.card_link is not None:
        return section.card_link * _GB
    stated = None if card is None else card.interconnect_gb_s
    return None if stated is None else stated / 2 * _GB


def traffic(
    tape: Tape, section: Sharding, accumulation: int, card: Card | None
) -> tuple[Traffic, ...]:
    """What the recorded rank sends in a step of ``accumulation`` micro-batches, by kind and link.

    The last recorded micro-batch is the step's last. Those that were not recorded are like the
    first, in a pipeline like the second: what the first gathers there, later ones find.
    """
    calls: Counter[tuple[CollectiveKind, Link]] = Counter()
    sent: Counter[tuple[CollectiveKind, Link]] = Counter()
    for call, times in _calls(tape, section, accumulation):
        key = call.kind, link_of(call, section)
        calls[key] += times
        sent[key] += times * sent_bytes(call.kind, call.payload_bytes, call.ranks)
    return tuple(
        Traffic(
            kind=kind,
            link=link,
            calls=calls[kind, link],
            sent_bytes=sent[kind, link],
            seconds=_seconds(sent[kind, link], rate_bytes(section, link, card)),
        )
        for link in ("card", "node")
        for kind in KINDS
        if calls[kind, link]
    )


def _calls(tape: Tape, section: Sharding, accumulation: int) -> Iterator[tuple[Collective, int]]:
    """Every recorded call of the step, and how often the step makes it."""
    known = np.array([info.collective is not None for info in tape.storages], dtype=np.bool_)
    if not known.any():
        return
    last = max(span.micro_batch for span in tape.phases)
    repeated = 1 if section.pipeline > 1 and last > 1 else 0
    for span in tape.phases:
        if span.phase == "load":
            continue
        events = tape.events[span.start : span.stop]
        sources = tape.source[events[events > 0] - 1]
        of_many = span.phase in ("forward", "backward") and span.micro_batch == repeated
        times = max(accumulation - last, 1) if of_many else 1
        for source in sources[known[sources]].tolist():
            call = tape.storages[source].collective
            assert call is not None
            yield call, times


def _seconds(size_bytes: int, rate: float | None) -> float | None:
    return None if rate is None else size_bytes / rate
