"""Parameters that lie in host memory and are on the device while their block runs.

A parameter keeps its tensor, whose storage has no byte while it is not needed (as in torch's
FSDP): so what autograd keeps of it is valid again once its content is back. A block's content
comes before its forward and goes after it; it comes again when backward reaches the block's
outputs, and goes when the gradients of the block's inputs are there. Copies are made on the
stream of the computation, one block at a time: exact, and each costs its time on the bus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten


def stream_blocks(
    blocks: Iterable[nn.Module],
    make_room: Callable[[torch.Tensor], torch.Tensor],
    device: torch.device | None = None,
    *,
    frozen_only: bool = False,
) -> None:
    """Moves the parameters of blocks to host memory, from where each block's forward takes them.

    ``make_room`` gives room in host memory for a tensor like the one it is given. The parameter's
    attribute ``in_host_memory`` is its content there. With ``frozen_only`` those that are trained
    stay. With ``device``, that is where parameters
    come to, wherever they lie now.
    """
    for block in blocks:
        for parameter in block.parameters():
            if hasattr(parameter, "in_host_memory") or (frozen_only and parameter.requires_grad):
                continue
            with torch.no_grad():
                room = make_room(parameter.detach())
                room.copy_(parameter.detach())
                if device is not None and parameter.device != device:
                    parameter.data = torch.empty_like(parameter, device=device)
            parameter.in_host_memory = room  # type: ignore[attr-defined]  # found by its name
            parameter.untyped_storage().resize_(0)
        _Streamed(block)


def settle(module: nn.Module) -> None:
    """Makes parameters in host memory ordinary ones there, as for saving them; training is over."""
    for parameter in module.parameters():
        content = getattr(parameter, "in_host_memory", None)
        if content is not None:
            parameter.data = content


class _Streamed:
    """A block whose parameters come and go."""

    def __init__(self, block: nn.Module) -> None:
        self._block = block
        self._forward: Callable[..., Any] = block.forward

        @wraps(self._forward)
        def forward(*args: Any, **kwargs: Any) -> Any:
            return self.run(*args, **kwargs)

        block.forward = forward

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The block's forward."""
        self.fetch()
        if torch.is_grad_enabled():
            args, kwargs = self._marked((args, kwargs))
        output = self._forward(*args, **kwargs)
        for leaf in tree_leaves(output):
            if isinstance(leaf, torch.Tensor) and leaf.requires_grad:
                leaf.register_hook(self._reached)
        self.free()
        return output

    def fetch(self) -> None:
        """The block's parameters are on the device."""
        for parameter in self._block.parameters():
            _fetch(parameter)

    def free(self) -> None:
        """They are not."""
        for parameter in self._block.parameters():
            if hasattr(parameter, "in_host_memory"):
                parameter.untyped_storage().resize_(0)

    def _reached(self, gradient: torch.Tensor) -> None:
        """Backward has come to the block."""
        self.fetch()
        # where no input of the block wants a gradient, backward's end is the block's
        torch.autograd.Variable._execution_engine.queue_callback(self.free)

    def _marked(self, inputs: Any) -> Any:
        """The inputs, whose gradients free the block's parameters."""
        leaves, structure = tree_flatten(inputs)
        places = [
            place
            for place, leaf in enumerate(leaves)
            if isinstance(leaf, torch.Tensor) and leaf.requires_grad
        ]
        if places:
            marked = _END(self.free, *(leaves[place] for place in places))
            for place, leaf in zip(places, marked, strict=True):
                leaves[place] = leaf
        return tree_unflatten(leaves, structure)


class _End(torch.autograd.Function):
    """Its backward comes when the gradients of all inputs of a block are there."""

    @staticmethod
    def forward(ctx: Any, free: Callable[[], None], *inputs: torch.Tensor) -> Any:
        """The inputs."""
        ctx.free = free
        ctx.set_materialize_grads(False)
        return tuple(part.view_as(part) for part in inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> Any:
        """The gradients."""
        ctx.free()
        return None, *gradients


_END: Callable[..., tuple[torch.Tensor, ...]] = _End.apply


def _fetch(parameter: torch.Tensor) -> None:
    content = getattr(parameter, "in_host_memory", None)
    storage = parameter.untyped_storage()
    if content is None or storage.nbytes():
        return
    storage.resize_(content.untyped_storage().nbytes())
    # of .data: what autograd keeps of the parameter has not changed
    parameter.data.copy_(content, non_blocking=content.is_pinned())
