"""How long a step takes: from what its kernels do and how fast a device works.

A kernel takes the longer of its arithmetic and its memory traffic (the roofline of Williams,
Waterman and Patterson 2009, doi:10.1145/1498765.1498785), at the part of each rate that training
reaches (``hardware/rates.py``). The host starts kernels ahead of the device, so a phase takes the
longer of its kernels and their starts. What ranks send while they compute shows only where it
takes longer than the computing that it runs beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from memplanner.estimate.deepspeed.on_host import HOST_SPREAD, OnHost, on_host
from memplanner.estimate.recorder import Recorder
from memplanner.estimate.recording import Point
from memplanner.estimate.step_time_measured import Timed
from memplanner.estimate.step_work import StepWork
from memplanner.estimate.traffic import link_of, rate_bytes, sent_bytes
from memplanner.hardware.catalogue import card_of
from memplanner.hardware.rates import (
    COLLECTIVE_SECONDS,
    HOST_MEMORY_BYTES,
    LINK_PART,
    Rates,
    rates_of,
)
from memplanner.messages.device import Device
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.tape import work as kinds
from memplanner.techniques.inference import trains
from memplanner.techniques.parallel.deepspeed import one_card
from memplanner.techniques.target import Target

Seconds = npt.NDArray[np.float64]

NAMES: Final = (
    "products", "attention", "other_kernels", "recomputation", "optimizer", "host_transfers",
    "communication", "launches",
)  # fmt: skip
_PRODUCTS, _ATTENTION, _OTHER, _AGAIN, _OPTIMIZER, _TRANSFERS, _SENT, _LAUNCHES = range(len(NAMES))
_CAUSAL_PART = 0.5
"""Of the scores that a causal kernel computes."""
_MOST_AT_ONCE = 4096
"""Points of one pass."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A step at several points."""

    parts: Seconds
    """Shaped (names, points)."""
    flops: Seconds
    moved_bytes: Seconds
    spread: Seconds | None = None
    """What a step may be shorter and longer by beside its rates' range, shaped (2, points)."""


def seconds_at(
    records: Recorder,
    plan: Plan,
    device: Device,
    points: Sequence[Point],
    timed: Timed | None = None,
    rank: int = 0,
) -> Seconds | None:
    """Seconds of an optimizer step at each (batch size, sequence length); None: rates not known.

    ``timed`` is what steps on this very card took; the first point of a structure makes a
    recording, later ones are arithmetic, and many at once take the least time each.
    """
    rates = known_rates(device, timed)
    made = None if rates is None else evaluated(records, plan, device, points, rates, rank)
    return None if made is None else made.parts.sum(axis=0)


def known_rates(device: Device, timed: Timed | None = None) -> Rates | None:
    """The device's rates, corrected by its timed steps; None where nothing is known of it."""
    stated = rates_of(device)
    return stated if timed is None else timed.rates(stated)


def evaluated(
    records: Recorder,
    plan: Plan,
    device: Device,
    points: Sequence[Point],
    rates: Rates,
    rank: int = 0,
) -> Evaluated | None:
    """The step at each point, part by part; None for what is not known: DeepSpeed's on NVMe.

    DeepSpeed's others are those of torch's ZeRO at the same stage: the same is computed, and as
    much is sent. What it does in host memory is added.
    """
    if plan.sharding.deepspeed:
        section = plan.sharding
        shared = plan.model_copy(update={"sharding": of_torch(section)})
        away = {section.offload_optimizer, section.offload_parameters}
        if away == {"none"}:
            return evaluated(records, shared, device, points, rates, rank)
        if "nvme" in away:
            return None
        made = evaluated(records, shared, device, points, rates, rank)
        tape, _ = records.tape(one_card(plan), Target.of(device))
        trained, whole = int(tape.numel[tape.trainable].sum()), int(tape.numel.sum())
        return (
            None if made is None else _with_host(made, plan, on_host(plan, trained, whole, rates))
        )
    count = len(points)
    result = Evaluated(np.zeros((len(NAMES), count)), np.zeros(count), np.zeros(count))
    target = replace(Target.of(device), rank=rank)
    for work, places in records.work_at(plan, target, points):
        for start in range(0, len(places), _MOST_AT_ONCE):
            chosen = places[start : start + _MOST_AT_ONCE]
            own = evaluate_table(work, plan, device, [points[place] for place in chosen], rates)
            result.parts[:, chosen] = own.parts
            result.flops[chosen] = own.flops
            result.moved_bytes[chosen] = own.moved_bytes
    return result


def _with_host(made: Evaluated, plan: Plan, host: OnHost) -> Evaluated:
    """A step of torch's ZeRO with what DeepSpeed's does in host memory.

    What crosses the bus in backward hides behind computing.
    """
    parts = made.parts.copy()
    if plan.sharding.offload_optimizer != "none":
        parts[_OPTIMIZER] = host.update
    computing = parts[[_PRODUCTS, _ATTENTION, _OTHER, _AGAIN]].sum(axis=0)
    parts[_TRANSFERS] += np.maximum(host.beside - computing, 0.0) + host.after
    faster = np.full_like(computing, host.update * (1 - 1 / HOST_SPREAD))
    slower = host.update * (HOST_SPREAD - 1) + np.minimum(host.beside, computing)
    return replace(made, parts=parts, spread=np.stack([faster, slower]))


def of_torch(section: Sharding) -> Sharding:
    """The same cards and stage of ZeRO with torch's own sharding."""
    return Sharding(
        nodes=section.nodes,
        cards_per_node=section.cards_per_node,
        data=section.data,
        card_link=section.card_link,
        node_link=section.node_link,
    )


def written_tokens(plan: Plan) -> int:
    """Tokens that a round writes for each sample; 0 where nothing is generated."""
    section = plan.inference
    return section.new_tokens if section.use == "generation" else 0


def evaluate_table(
    work: StepWork, plan: Plan, device: Device, points: Sequence[Point], rates: Rates
) -> Evaluated:
    """The step whose kernels are in ``work``, at each point."""
    count = len(points)
    if not len(work):
        return Evaluated(np.zeros((len(NAMES), count)), np.zeros(count), np.zeros(count))
    accumulation = plan.training.gradient_accumulation_steps if trains(plan) else 1
    times = work.times(
        accumulation, pipeline=plan.sharding.pipeline > 1, new_tokens=written_tokens(plan)
    )
    values = work.values(points)
    flops, moved = work.flops @ values, work.moved_bytes @ values
    per_flop, per_byte = _paces(work, rates)
    sends = work.kind == kinds.COMMUNICATION
    seconds = np.maximum(flops * per_flop[:, None], moved * per_byte[:, None])
    shortest = np.where(sends, 0.0, rates.shortest_seconds * np.minimum(work.launches, 1))
    seconds = np.maximum(seconds, shortest[:, None]) * times[:, None]
    own = _part_of(work)[None, :] == np.arange(len(NAMES))[:, None]
    parts = own.astype(np.float64) @ seconds
    starts = rates.launch_seconds * work.launches * times
    for phase in np.unique(work.phase).tolist():
        inside = (work.phase == phase) & ~sends
        busy = seconds[inside].sum(axis=0)
        parts[_LAUNCHES] += np.maximum(starts[inside].sum() - busy, 0.0)
    if plan.sharding.ranks > 1:
        links = Links.of(plan.sharding, device)
        parts[_SENT] = links.shown(work, moved * times[:, None], times, seconds)
        parts[_SENT] += parts.sum(axis=0) * links.idle(accumulation)
    on_device = ~sends & (work.kind != kinds.TRANSFER) & (work.kind != kinds.HOST_KERNEL)
    return Evaluated(parts, times @ flops, (times * on_device) @ moved)


def _paces(work: StepWork, rates: Rates) -> tuple[Seconds, Seconds]:
    """Of each row the seconds of an operation and of a byte."""
    products = np.array([1 / rates.products[name] for name in kinds.PRECISIONS])
    attention = np.array([1 / rates.attention[name] for name in kinds.PRECISIONS])
    per_flop = np.zeros(len(work))
    for kind, pace in (
        (kinds.PRODUCT, products),
        (kinds.ATTENTION, attention),
        (kinds.CAUSAL_ATTENTION, attention * _CAUSAL_PART),
    ):
        chosen = work.kind == kind
        per_flop[chosen] = pace[work.precision[chosen]]
    per_byte = np.full(len(work), 1 / rates.memory_bytes)
    per_byte[work.kind == kinds.TRANSFER] = 1 / rates.bus_bytes
    per_byte[work.kind == kinds.HOST_KERNEL] = 1 / HOST_MEMORY_BYTES
    per_byte[work.kind == kinds.COMMUNICATION] = 0.0
    return per_flop, per_byte


def _part_of(work: StepWork) -> npt.NDArray[np.int64]:
    """Of each row the part of the step; −1 for what is sent, which may be hidden."""
    part = np.full(len(work), _OTHER)
    part[work.kind == kinds.PRODUCT] = _PRODUCTS
    part[np.isin(work.kind, (kinds.ATTENTION, kinds.CAUSAL_ATTENTION))] = _ATTENTION
    part[work.part == kinds.RECOMPUTATION] = _AGAIN
    part[work.part == kinds.OPTIMIZER] = _OPTIMIZER
    part[work.kind == kinds.TRANSFER] = _TRANSFERS
    part[work.kind == kinds.COMMUNICATION] = -1
    return part


def unknown_links(section: Sharding, device: Device) -> tuple[str, ...]:
    """What is sent over links of which no rate is known, and is not in the time: sentences."""
    if section.ranks == 1:
        return ()
    known = Links.of(section, device).per_byte
    told = []
    if section.cards_per_node > 1 and "card" not in known:
        told.append("What cards of a node send is not in it: set sharding.card_link.")
    if section.nodes > 1 and "node" not in known:
        told.append("What goes between nodes is not in it: set sharding.node_link.")
    return tuple(told)


@dataclass(frozen=True, slots=True)
class Links:
    """What ranks talk over, and how long they wait for it."""

    section: Sharding
    per_byte: dict[str, float]
    """Seconds for a byte over a link, of those whose rate is known."""

    @classmethod
    def of(cls, section: Sharding, device: Device) -> Links:
        """Those between the plan's cards."""
        card = card_of(device)
        rates = {
            "card": rate_bytes(section, "card", card), "node": rate_bytes(section, "node", card),
        }  # fmt: skip
        return cls(section, {name: 1 / (rate * LINK_PART) for name, rate in rates.items() if rate})

    def shown(
        self,
        work: StepWork,
        payload: Seconds,
        times: npt.NDArray[np.float64],
        seconds: Seconds,
    ) -> Seconds:
        """What is not hidden by computing, at each point.

        Shards are gathered ahead and gradients reduced behind the computing; what tensor and
        expert parallelism send is waited for.
        """
        sends = np.flatnonzero(work.kind == kinds.COMMUNICATION)
        hidden = np.zeros(payload.shape[1])
        waited = np.zeros(payload.shape[1])
        for row in sends.tolist():
            call = work.collectives[work.peers[row]]
            pace = self.per_byte.get(link_of(call, self.section), 0.0)
            share = sent_bytes(call.kind, 10**6, call.ranks) / 10**6
            taken = payload[row] * share * pace + times[row] * COLLECTIVE_SECONDS
            inner = call.last - call.first < self.section.tensor
            if inner or call.kind in ("all_to_all", "send"):
                waited += taken
            else:
                hidden += taken
        computing = seconds[work.part != kinds.OPTIMIZER].sum(axis=0)
        exposed: Seconds = waited + np.maximum(hidden - computing, 0.0)
        return exposed

    def idle(self, micro_batches: int) -> float:
        """What a pipeline's ranks wait for each other, over what they work.

        (p − 1) / m of a plain schedule, and 1/v of that with v stages a card (Narayanan et al.
        2021, arXiv:2104.04473); none with ``zero_bubble`` (Qi et al. 2023, arXiv:2401.10241).
        """
        section = self.section
        if section.pipeline == 1 or section.schedule == "zero_bubble":
            return 0.0
        stages = section.stages_per_card if section.schedule == "interleaved_1f1b" else 1
        return (section.pipeline - 1) / (micro_batches * stages)
