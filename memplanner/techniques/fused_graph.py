"""A compiled graph run with the buffers that inductor makes, not those of each operation.

Inductor's kernels compute chains of small operations at once. In memory are then the inputs and
outputs of the graph, what products and other library calls read and write, and what a reduction
leaves; the rest exists inside of kernels (``torch/_inductor/graph.py``, ``scheduler.py``). A
kernel writes into a buffer of its size that it reads last (``codegen/common.py``:
``make_inplace``; ``torch/_inductor/codegen/wrapper.py``: ``ReuseLine``). Which operations fuse is
asked of the partitioner, which counts on the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import getitem
from typing import Any, NamedTuple

import torch
from torch import fx
from torch.fx.node import map_arg
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves

Seen = Callable[[Sequence[int]], None]
"""Told of a kernel of inductor's: the bytes of each buffer that it reads, and of what it writes."""
_seen: list[Seen] = []


@contextmanager
def seeing_kernels(seen: Seen) -> Iterator[None]:
    """Inside it ``seen`` is told of each kernel that fused operations are in: no dispatch is."""
    _seen.append(seen)
    try:
        yield
    finally:
        _seen.remove(seen)


class _Inside(NamedTuple):
    """What exists inside of kernels only, and the buffers that it is computed from."""

    buffers: tuple[torch.Tensor, ...]


def run_fused(graph: fx.GraphModule) -> Callable[[list[Any]], Any]:
    """The graph as a function of a list of weightless tensors, which it empties.

    What is used no more goes at once.
    """
    fused = _FusedGraph(graph)

    def run(given: list[Any]) -> Any:
        return fused.run(given)

    return run


class _FusedGraph:
    """Which nodes of a graph have a buffer, and after which each value is used no more."""

    def __init__(self, graph: fx.GraphModule) -> None:
        from torch._functorch.partitioners import get_default_op_list

        self._module = graph
        self._nodes = [node for node in graph.graph.nodes if node.op != "placeholder"]
        self._placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
        operations = get_default_op_list()
        calls = [node for node in self._nodes if node.op == "call_function"]
        self._views = {node for node in calls if operations.is_view(node)}
        self._fusible = {node for node in calls if operations.is_fusible(node)} - self._views
        for node in calls:
            if node.target is getitem:  # a part of what a kernel or a library call made
                whole = node.args[0]
                (self._fusible if whole in self._fusible else self._views).add(node)
        self._written = {node for node in self._fusible if self._is_written(node)}
        last = {source: node for node in self._nodes for source in node.all_input_nodes}
        self._ends: dict[fx.Node, list[fx.Node]] = {}
        for source, node in last.items():
            self._ends.setdefault(node, []).append(source)

    def _is_written(self, node: fx.Node) -> bool:
        """Whether what a fusible operation makes needs a buffer."""
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            return False
        sizes = [_numel(part) for part in node.all_input_nodes]
        if node.target is not getitem and value.numel() < max(sizes, default=0):  # a reduction
            return True
        return any(user not in self._fusible for user in self._users(node))

    def _users(self, node: fx.Node) -> Iterator[fx.Node]:
        for user in node.users:
            if user in self._views:
                yield from self._users(user)
            else:
                yield user

    def run(self, given: list[Any]) -> Any:
        """What the graph returns."""
        known: dict[fx.Node, Any] = dict(zip(self._placeholders, given, strict=True))
        given.clear()
        own: set[int] = set()
        """Buffers that were made here. An address is given again: what lives on is not asked."""
        for node in self._placeholders:
            if not node.users:
                del known[node]
        for node in self._nodes:
            if node.op == "output":
                return map_arg(node.args[0], known.__getitem__)
            ending = self._ends.get(node, ())
            if node.op == "get_attr":
                known[node] = getattr(self._module, str(node.target))
            elif node in self._written:
                if _seen:
                    _tell(node, known)
                known[node] = _write(node, known, ending, own)
                own.add(_key(known[node]))
            elif node in self._fusible or self._is_view_inside(node, known):
                known[node] = _Inside(tuple(_buffers(node, known)))
            else:
                args, kwargs = map_arg((node.args, node.kwargs), known.__getitem__)
                known[node] = node.target(*args, **kwargs)
                del args, kwargs
                if node not in self._views:
                    given_to = {_key(part) for part in _buffers(node, known)}
                    own |= {_key(part) for part in _parts(known[node])} - given_to
            for source in ending:
                known.pop(source, None)
            if not node.users:
                known.pop(node, None)
        raise AssertionError("a graph ends with its output")

    def _is_view_inside(self, node: fx.Node, known: dict[fx.Node, Any]) -> bool:
        return node in self._views and any(
            isinstance(known[source], _Inside) for source in node.all_input_nodes
        )


def _tell(node: fx.Node, known: dict[fx.Node, Any]) -> None:
    read = {_key(part): part.nbytes for part in _buffers(node, known)}
    value = node.meta["val"]
    sizes = [*read.values(), value.numel() * value.element_size()]
    for seen in _seen:
        seen(sizes)


def _write(
    node: fx.Node, known: dict[fx.Node, Any], ending: Sequence[fx.Node], own: set[int]
) -> torch.Tensor:
    """A buffer for what the node makes: one of its size that is read here last, or a new one."""
    value = node.meta["val"]
    size = value.numel() * value.element_size()
    used = {
        _key(part) for other, held in known.items() if other not in ending for part in _parts(held)
    }
    for part in _buffers(node, known):
        storage = part.untyped_storage()
        if storage.nbytes() == size and _key(part) in own - used:
            with _disable_current_modes():
                again = torch.empty(0, dtype=value.dtype, device="meta")
                return again.set_(storage, 0, value.shape, value.stride())
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")


def _buffers(node: fx.Node, known: dict[fx.Node, Any]) -> Iterator[torch.Tensor]:
    for source in node.all_input_nodes:
        yield from _parts(known[source])


def _parts(held: Any) -> Iterator[torch.Tensor]:
    if isinstance(held, _Inside):
        yield from held.buffers
    else:
        yield from (part for part in tree_leaves(held) if isinstance(part, torch.Tensor))


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _numel(node: fx.Node) -> int:
    value = node.meta.get("val")
    return int(value.numel()) if isinstance(value, torch.Tensor) else 0
