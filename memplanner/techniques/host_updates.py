"""Updates in host memory: gradients move there, parameters come back.

As ZeRO-Offload (Ren et al. 2021, arXiv:2101.06840) and torchao's ``CPUOffloadOptimizer`` do: a
parameter's gradient is copied to the host as soon as it is there and freed on the device; the
optimizer's states lie in host memory, and its step is made there on a copy of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakMethod

import torch
from torch import nn

InHost = Callable[[], AbstractContextManager[object]]
"""The context in which host memory is allocated: for whoever tells it from the device's."""


class HostUpdates(torch.optim.Optimizer):
    """An optimizer whose states, gradients and step are the host's.

    Many micro-batches' gradients are added up there. ``moving`` is told of each gradient before
    it leaves.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        make: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
        *,
        pin_memory: bool,
        in_host: InHost = nullcontext,
    ) -> None:
        super().__init__(parameters, {})
        self.moving: Callable[[torch.Tensor], None] = _nothing
        self._in_host = in_host
        self._copies: dict[torch.Tensor, nn.Parameter] = {}
        self._gradients: dict[torch.Tensor, torch.Tensor] = {}
        for parameter in parameters:
            content: torch.Tensor | None = getattr(parameter, "in_host_memory", None)
            if content is None:
                content = on_host(parameter.detach(), pin_memory=pin_memory)
                content.copy_(parameter.detach())
            self._copies[parameter] = nn.Parameter(content)
            self._gradients[parameter] = on_host(content, pin_memory=pin_memory)
            parameter.register_post_accumulate_grad_hook(_Hook(self.move))
        self.inner = make(list(self._copies.values()))
        for of, own in self._copies.items():
            self.state[of] = self.inner.state[own]

    @property
    def host_tensors(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """What lies in host memory from the start, with the parameter that it is for.

        Copies of the parameters, and room for their gradients.
        """
        yield from self._copies.items()
        yield from self._gradients.items()

    @torch.no_grad()
    def move(self, parameter: torch.Tensor) -> None:
        """Moves the gradient of a parameter to the host, or adds it to the one there."""
        gradient, copy, room = parameter.grad, self._copies[parameter], self._gradients[parameter]
        assert gradient is not None
        self.moving(parameter)
        with self._in_host():
            if copy.grad is None:
                room.copy_(gradient, non_blocking=room.is_pinned())
                copy.grad = room
            else:
                added = torch.empty_like(room)
                added.copy_(gradient)
                room.add_(added)
        parameter.grad = None

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch returns a loss
        """The step on the host; the parameters that it changed come back."""
        _wait(next(iter(self._copies)))
        with self._in_host():
            self.inner.step()
        for parameter, copy in self._copies.items():
            lies_there = getattr(parameter, "in_host_memory", None) is not None
            if copy.grad is not None and not lies_there:
                parameter.data.copy_(copy, non_blocking=copy.is_pinned())

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients; their room in host memory stays."""
        super().zero_grad(set_to_none=True)
        for copy in self._copies.values():
            copy.grad = None


def on_host(tensor: torch.Tensor, *, pin_memory: bool) -> torch.Tensor:
    """Room in host memory for a tensor like this one; for a weightless one, weightless."""
    if tensor.is_meta:
        return torch.empty_like(tensor)
    return torch.empty_like(tensor, device="cpu", pin_memory=pin_memory)


class _Hook:
    """Moves gradients as long as the optimizer lives; parameters do not keep it alive."""

    def __init__(self, move: Callable[[torch.Tensor], None]) -> None:
        self._move = WeakMethod(move)

    def __call__(self, parameter: torch.Tensor) -> None:
        move = self._move()
        if move is not None:
            move(parameter)


def _wait(tensor: torch.Tensor) -> None:
    """Until copies to the host are there."""
    if tensor.device.type not in ("cpu", "meta"):
        torch.accelerator.synchronize(tensor.device)


def _nothing(parameter: torch.Tensor) -> None:
    """Nobody is told."""
