"""Model states as DeepSpeed estimates them, and what a whole peak has beside them.

The two formulas are DeepSpeed's own (``runtime/zero/stage_1_and_2.py:
estimate_zero2_model_states_mem_needs``, ``runtime/zero/stage3.py:
estimate_zero3_model_states_mem_needs``, version 0.19.8), to the byte: parameters and gradients in
two bytes, gradients, weights and two states of Adam in four.
"""

from __future__ import annotations

from memplanner.messages.estimate import Categories, Part
from memplanner.plan.sharding import Sharding

BUFFER_FACTOR = 1.5
"""``additional_buffer_factor``: what DeepSpeed adds to the host's memory."""
_OF_A_CARD = 18
"""Bytes of a parameter that is trained: 2 + 2 in half precision, 4 + 4 + 8 in full."""


def zero_2_states(
    parameters: int, cards_per_node: int, nodes: int, *, offload_optimizer: bool
) -> tuple[int, int]:
    """Bytes of a node's host memory and of a card, for so many ``parameters``."""
    cards = cards_per_node * nodes
    if offload_optimizer:
        return int(parameters * max(4 * cards, 16) * BUFFER_FACTOR), 2 * parameters
    on_card = 2 * parameters + int(_OF_A_CARD * parameters / cards)
    return int(parameters * 4 * cards_per_node * BUFFER_FACTOR), on_card


def zero_3_states(
    parameters: int,
    largest_layer: int,
    cards_per_node: int,
    nodes: int,
    *,
    offload_optimizer: bool,
    offload_parameters: bool,
    built_in_shares: bool = True,
) -> tuple[int, int]:
    """Bytes of a node's host memory and of a card.

    ``largest_layer`` is the most parameters that one module itself has; ``built_in_shares`` says
    that the model is built under ``deepspeed.zero.Init``. Without an offloaded optimizer
    DeepSpeed's figure does not ask where parameters lie.
    """
    cards, of_node = cards_per_node * nodes, 1 / nodes
    layer = 4 * largest_layer
    if not offload_optimizer:
        held = largest_layer if built_in_shares else parameters
        on_card = layer + int(_OF_A_CARD * parameters / cards)
        return int(held * 4 * cards_per_node * BUFFER_FACTOR), on_card
    each = 18 if offload_parameters else 16
    on_card = layer + (0 if offload_parameters else int(2 * parameters / cards))
    on_host = each * of_node if built_in_shares else max(4 * cards_per_node, each * of_node)
    return int(parameters * on_host * BUFFER_FACTOR), on_card


def states_of(section: Sharding, parameters: int, largest_layer: int) -> int | None:
    """Bytes of a card by DeepSpeed's estimate for the section; None for ZeRO-1, which has none."""
    on_host = section.offload_optimizer != "none"
    if section.data == "zero_2":
        found = zero_2_states(
            parameters, section.cards_per_node, section.nodes, offload_optimizer=on_host
        )
    elif section.data == "zero_3":
        found = zero_3_states(
            parameters,
            largest_layer,
            section.cards_per_node,
            section.nodes,
            offload_optimizer=on_host,
            offload_parameters=section.offload_parameters != "none",
        )
    else:
        return None
    return found[1]


def beside_states(estimated_bytes: int, peak: Categories) -> tuple[Part, ...]:
    """DeepSpeed's estimate, and what leads from there to the peak; the rows add up to it.

    The second is negative where the highest moment is one at which not all states are there, or
    where fewer are kept than the estimate has, as with frozen parameters.
    """
    states = peak.parameters + peak.gradients + peak.optimizer_state
    rest = {
        "model states, DeepSpeed's estimate": estimated_bytes,
        "difference of the states at the peak": states - estimated_bytes,
        "gathered parameters and buckets": peak.communication,
        "activations": peak.activations,
        "temporaries and workspaces": peak.temporaries + peak.workspaces,
        "inputs and buffers": peak.inputs + peak.buffers + peak.kv_cache,
    }
    return tuple(Part(name=name, size_bytes=size) for name, size in rest.items())
