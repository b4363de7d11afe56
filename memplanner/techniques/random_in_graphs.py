"""Random operations that a compiled block's backward runs again, and the states they start from.

The partitioner wraps them: forward keeps the generator's state for backward
(``torch/_functorch/partitioners.py``: ``functionalize_rng_ops``). A graph that is run to be
recorded has the operations themselves, and the states as memory; their numbers count for nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.utils._pytree import tree_leaves

STATE_BYTES_CPU = torch.get_rng_state().nbytes
"""Of the CPU's generator. A card's state is a number of its generator's, and no tensor
(``apply_graphsafe_rng_functionalization``)."""


def unwrap_random(graph: fx.GraphModule, state_bytes: int) -> None:
    """Puts the operations themselves in place of the wrapped ones, and the bytes of a state."""
    from torch._prims.rng_prims import run_and_save_rng_state, run_with_rng_state

    found = [
        node
        for node in graph.graph.nodes
        if node.target in (run_and_save_rng_state, run_with_rng_state)
    ]
    for node in found:
        kept = node.target is run_and_save_rng_state
        operation, *args = node.args if kept else node.args[1:]
        with graph.graph.inserting_before(node):
            made = graph.graph.call_function(operation, tuple(args), node.kwargs)
        made.meta = dict(node.meta)
        if kept:
            _keep(graph.graph, node, made, state_bytes)
        else:
            with graph.graph.inserting_before(made):
                graph.graph.call_function(start_from, (node.args[0],))
            node.replace_all_uses_with(made)
        graph.graph.erase_node(node)
    if found:
        graph.recompile()


def start_from(state: torch.Tensor) -> None:
    """Where a state is used, and let go of; nothing is made of it."""


def _keep(graph: fx.Graph, node: fx.Node, made: fx.Node, state_bytes: int) -> None:
    """The wrapped operation gives a state and a result, each taken out by its own node."""
    for part in list(node.users):
        if part.args[1] == 1:
            made.meta = dict(part.meta)
            part.replace_all_uses_with(made)
            graph.erase_node(part)
    for part in list(node.users):
        with graph.inserting_before(part):
            state = graph.call_function(
                torch.ops.aten.empty.memory_format,
                ([state_bytes],),
                {"dtype": torch.uint8, "device": _device_of(made.meta.get("val"))},
            )
        part.replace_all_uses_with(state)
        graph.erase_node(part)


def _device_of(value: Any) -> torch.device:
    tensors = (part for part in tree_leaves(value) if isinstance(part, torch.Tensor))
    return next((part.device for part in tensors), torch.device("cpu"))
