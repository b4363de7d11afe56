"""A block under ``torch.compile``, and the same graphs where torch compiles nothing.

While a dispatch mode watches, as it does when a step is recorded, ``torch.compile`` runs what is
written. The two graphs of a block are then made by AOTAutograd alone, with the decompositions and
the partitioner that the backends use (``torch/_dynamo/backends/debugging.py``,
``torch/_inductor/compile_fx.py``), and run operation by operation: on weightless tensors too.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import torch
from torch import nn
from torch.utils._python_dispatch import _disable_current_modes, is_in_torch_dispatch_mode
from torch.utils._pytree import tree_flatten, tree_unflatten

from memplanner.techniques.fused_graph import run_fused
from memplanner.techniques.random_in_graphs import unwrap_random
from memplanner.techniques.recomputed_in_graphs import (
    is_recomputed,
    making_graphs,
    recomputed_parts,
)

Context = Callable[[nn.Module], AbstractContextManager[object]]
"""What a block's forward is traced in."""
_PLAIN = (bool, int, float, str, type(None), torch.dtype, torch.device)


class Settings(NamedTuple):
    """How blocks are compiled."""

    backend: str
    memory_budget: float
    state_bytes: int = 0
    """Of a state of the device's generator, where it is a tensor."""


class Graphs:
    """The graphs of alike blocks by the shapes of what they are given."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.made: dict[Hashable, Callable[..., Any]] = {}
        self.breaks: dict[str, str] = {}
        """Types of blocks that cannot be put into graphs, with the reason."""


class CompiledBlock:
    """Stands in for a block's forward."""

    def __init__(self, block: nn.Module, kind: Hashable, graphs: Graphs, context: Context) -> None:
        self._block, self._kind, self.graphs, self._context = block, kind, graphs, context
        self.written = block.forward

    @property
    def written(self) -> Callable[..., Any]:
        """The block's forward as it is written; another one is compiled in its place."""
        return self._forward

    @written.setter
    def written(self, forward: Callable[..., Any]) -> None:
        """Compiles ``forward`` in place of the block's own, when it is first called."""
        self._forward = forward
        with catch_warnings():  # torch's own use of what it will remove
            simplefilter("ignore", DeprecationWarning)
            self._compiled: Callable[..., Any] = torch.compile(
                forward, backend=self.graphs.settings.backend, dynamic=False
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The block's forward, compiled where torch compiles."""
        from torch._functorch import config  # only a plan that compiles waits for it

        with config.patch(activation_memory_budget=self.graphs.settings.memory_budget):
            if is_in_torch_dispatch_mode():
                return self._traced(args, kwargs)
            return self._compiled(*args, **kwargs)

    def _traced(self, args: Any, kwargs: Any) -> Any:
        leaves, structure = tree_flatten((args, kwargs))
        places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
        plain = [
            (place, leaf) for place, leaf in enumerate(leaves) if not isinstance(leaf, torch.Tensor)
        ]
        strange = next((leaf for _, leaf in plain if not isinstance(leaf, _PLAIN)), None)
        if strange is not None:
            return self._as_written(args, kwargs, f"it is given a {type(strange).__name__}")
        standing = [*self._block.named_parameters(), *self._block.named_buffers()]
        given = [*(tensor for _, tensor in standing), *(leaves[place] for place in places)]
        key = (
            self._kind, is_recomputed(self._forward), recomputed_parts(self._block),
            structure, tuple(plain), torch.is_grad_enabled(),
            *((part.shape, part.stride(), part.dtype, part.requires_grad) for part in given),
        )  # fmt: skip
        made = self.graphs.made.get(key)
        if made is None:
            names = [name for name, _ in standing]

            def block(*tensors: torch.Tensor) -> Any:
                named = dict(zip(names, tensors[: len(names)], strict=True))
                for place, tensor in zip(places, tensors[len(names) :], strict=True):
                    leaves[place] = tensor
                own, keywords = tree_unflatten(leaves, structure)
                with _swapped(self._block, named), self._context(self._block):
                    return self._forward(*own, **keywords)

            made = self.graphs.made[key] = _graphs_of(
                block, given, len(names), self.graphs.settings
            )
        return made(*given)

    def _as_written(self, args: Any, kwargs: Any, reason: str) -> Any:
        self.graphs.breaks[type(self._block).__name__] = reason
        return self._forward(*args, **kwargs)


def _swapped(block: nn.Module, named: dict[str, torch.Tensor]) -> AbstractContextManager[object]:
    """The block with other tensors in place of its own."""
    from torch.nn.utils.stateless import _reparametrize_module

    swapped: AbstractContextManager[object] = _reparametrize_module(block, named)
    return swapped


def _graphs_of(
    block: Callable[..., Any], given: list[torch.Tensor], standing: int, settings: Settings
) -> Callable[..., Any]:
    """The block as two graphs, traced on copies of what it is given."""
    from torch._functorch.aot_autograd import aot_function
    from torch._inductor.decomposition import select_decomp_table

    compiler: Any = _in_kernels if settings.backend == "inductor" else _in_order
    made = aot_function(
        block,
        fw_compiler=compiler,
        bw_compiler=compiler,
        partition_fn=partial(_cut, standing=standing, state_bytes=settings.state_bytes),
        decompositions=select_decomp_table(),
        num_params_buffers=standing,
    )
    with _disable_current_modes(), making_graphs():
        made(*(part.detach().clone().requires_grad_(part.requires_grad) for part in given))
    return made


def _cut(
    joint: torch.fx.GraphModule, inputs: Any, *, standing: int, state_bytes: int, **options: Any
) -> tuple[torch.fx.GraphModule, torch.fx.GraphModule]:
    """The forward and the backward graph of a joint one.

    Its first inputs, parameters and buffers, are there anyway: what is computed of them alone is
    rather computed again than kept. Dynamo says so of them.
    """
    from torch._functorch.partitioners import min_cut_rematerialization_partition

    options["static_lifetime_input_indices"] = list(range(standing))
    cut = min_cut_rematerialization_partition(joint, inputs, compiler="inductor", **options)
    for graph in cut:
        unwrap_random(graph, state_bytes)
    return cut


def _in_order(graph: torch.fx.GraphModule, inputs: Any) -> Callable[[list[Any]], Any]:
    """The graph run operation by operation; what is used no more goes at once."""
    from torch._dynamo.backends.debugging import boxed_nop

    run: Callable[[list[Any]], Any] = boxed_nop(graph, inputs)
    return run


def _in_kernels(graph: torch.fx.GraphModule, inputs: Any) -> Callable[[list[Any]], Any]:
    """The graph run with inductor's buffers; with values, of which those have none, in order."""
    fused, in_order = run_fused(graph), _in_order(graph, inputs)

    def run(given: list[Any]) -> Any:
        weightless = all(part.is_meta for part in given if isinstance(part, torch.Tensor))
        return (fused if weightless else in_order)(given)

    run._boxed_call = True  # type: ignore[attr-defined]  # torch's mark: the list may be emptied
    return run
