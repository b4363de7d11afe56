"""What DeepSpeed's ranks do in host memory in a step, and send there and back: seconds.

Read in DeepSpeed 0.19.8: ``runtime/zero/stage_1_and_2.py: copy_grads_in_partition,
async_accumulate_grad_in_cpu_via_gpu, step``; ``runtime/zero/stage3.py: partition_grads,
_reassign_or_swap_out_partitioned_parameters``. A gradient that is added to is fetched from the
host, added to on the card, and sent back.
"""

from __future__ import annotations

from typing import NamedTuple

from memplanner.hardware.rates import HOST_MEMORY_BYTES, Rates
from memplanner.plan import Plan

HOST_SPREAD = 2.0
"""How far a host may be from the one that is reckoned with. Assumed: memory of a desktop moves half
of that in a second, of a server with two processors twice as much."""
HOW = (
    "The update in host memory is reckoned at 60 GB/s of the machine's memory, and may take half "
    "or twice as long; what crosses the bus in backward hides behind computing, or at the high end "
    "does not."
)
_FULL = 4
"""Bytes of a number of full-precision weights, states and gradients."""
_STATES = {"adam": 2, "adamw": 2, "lion": 1, "adagrad": 1, "rmsprop": 1}


class OnHost(NamedTuple):
    """Seconds of one rank's optimizer step."""

    update: float
    """On the host's processors, which the cards of a node share."""
    beside: float
    """Over the bus while the card computes."""
    after: float
    """Over the bus with nothing to hide behind."""


def on_host(plan: Plan, trained: int, whole: int, rates: Rates) -> OnHost:
    """The seconds of a plan of which all ranks train ``trained`` of ``whole`` parameters.

    None of NVMe, of which no rate is known.
    """
    section, steps = plan.sharding, plan.training.gradient_accumulation_steps
    size = _FULL if plan.precision == "fp32" else 2
    share = -(-trained // section.ranks)
    beside_bytes = after_bytes = 0
    update = 0.0
    if section.offload_optimizer != "none":
        reduced = 1 if section.data == "zero_1" else steps
        there, back = reduced * size, (reduced - 1) * size
        if section.data == "zero_3":  # each is looked at on the card again
            back = reduced * size
        elif reduced == 1:  # nothing to add to: straight into the full-precision gradient
            there = 0
        beside_bytes += (there + back + _FULL) * share
        if section.offload_parameters == "none":
            after_bytes += size * share
        update = section.cards_per_node * share * _update_bytes(plan, size) / HOST_MEMORY_BYTES
    if section.offload_parameters != "none":  # gathered in forward, and again in backward
        beside_bytes += 2 * steps * size * -(-whole // section.ranks)
    bus = rates.bus_bytes
    return OnHost(update, beside_bytes / bus, after_bytes / bus)


def _update_bytes(plan: Plan, size: int) -> int:
    """What the update of one parameter reads and writes."""
    optimizer = plan.optimizer
    states = _STATES.get(optimizer.name, 1 if optimizer.momentum else 0)
    read_and_written = 2 * _FULL * (1 + states)
    cast = 0 if size == _FULL else _FULL + size
    return read_and_written + _FULL + cast
