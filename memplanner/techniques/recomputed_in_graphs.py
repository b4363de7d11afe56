"""Recomputed parts of a compiled block: marks in its graph, which the partitioner cuts by.

Inside of what ``torch.compile`` compiles, ``checkpoint`` runs nothing again by itself. The nodes of
the part are marked as kept or recomputed, and the partitioner copies the second ones into the
backward graph (``torch/_higher_order_ops/wrap.py``: ``TagActivationCheckpoint``;
``torch/_functorch/partitioners.py``: ``must_recompute``). The same marks are made here where the
graphs are made without Dynamo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Any

from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

Contexts = Callable[[], tuple[TorchDispatchMode, TorchDispatchMode]]
"""What ``checkpoint`` calls ``context_fn``: the modes of a forward and of its recomputation."""
_tracing: ContextVar[bool] = ContextVar("a block's graphs are being made", default=False)
_numbers = count(1)
_MARK = "is_recomputed"


@contextmanager
def making_graphs() -> Iterator[None]:
    """Inside it the graphs of a block are made, and recomputed parts are marked in them."""
    before = _tracing.set(True)
    try:
        yield
    finally:
        _tracing.reset(before)


def graphs_are_made() -> bool:
    """Whether a block's graphs are being made without Dynamo."""
    return _tracing.get()


@contextmanager
def marked_nodes(contexts: Contexts | None) -> Iterator[None]:
    """The nodes of what is run inside are marked by ``contexts``; None: all are recomputed.

    A later part has a higher number: what it is given is kept, though the earlier one would
    compute it again (``partitioners.py``: ``cleanup_recompute_tags``).
    """
    from torch.fx.traceback import preserve_node_meta

    first: Any = (contexts or _keep_nothing)()[0]
    first.ac_graph_id = next(_numbers)
    with preserve_node_meta(), first:
        yield


def _keep_nothing() -> tuple[TorchDispatchMode, TorchDispatchMode]:
    modes: tuple[TorchDispatchMode, TorchDispatchMode] = create_selective_checkpoint_contexts(
        lambda *args, **kwargs: CheckpointPolicy.PREFER_RECOMPUTE
    )
    return modes


def mark_recomputed(forward: Callable[..., Any]) -> None:
    """Says of a module's forward that it runs again in backward."""
    setattr(forward, _MARK, True)


def is_recomputed(forward: object) -> bool:
    """Whether a module's forward is marked so."""
    return hasattr(forward, _MARK)


def recomputed_parts(block: nn.Module) -> tuple[str, ...]:
    """The paths in ``block`` of the modules whose forwards are marked so."""
    return tuple(
        path for path, part in block.named_modules() if is_recomputed(part.__dict__.get("forward"))
    )
