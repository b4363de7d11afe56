"""Layers split over ranks, for what knows plain tensors alone: DDP, and ZeRO-1 over it.

A parameter is this rank's part, which is reduced, updated and dealt out like any other; its layer's
forward sees it as the whole one. torch's DDP does the same by hooks of the root
(``torch/distributed/tensor/parallel/ddp.py: _pre_dp_module_transform``), after whose first forward
a module names these parameters no more; here it always does.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.distributed.tensor import DTensor


def hold_local_parts(module: nn.Module) -> None:
    """Puts its local part in the place of every parameter that is split over ranks, in place.

    One that has several names keeps them.
    """
    known: dict[int, tuple[nn.Parameter, DTensor]] = {}
    for owner in module.modules():
        split = {
            name: each for name, each in owner._parameters.items() if isinstance(each, DTensor)
        }
        for parameter in split.values():
            assert isinstance(parameter, DTensor)
            if id(parameter) not in known:
                known[id(parameter)] = _part_of(parameter)
        if split:
            _Wholes(owner, {name: known[id(each)] for name, each in split.items()})


def _part_of(parameter: DTensor) -> tuple[nn.Parameter, DTensor]:
    """The local part, and the whole that is made of it: a view, through which gradients come."""
    part = nn.Parameter(parameter.to_local().detach(), requires_grad=parameter.requires_grad)
    whole = DTensor.from_local(
        part,
        parameter.device_mesh,
        parameter.placements,
        run_check=False,
        shape=parameter.shape,
        stride=parameter.stride(),
    )
    return part, whole


class _Wholes:
    """Lets one module name its parts, and compute with the wholes, in checkpointing as well."""

    def __init__(self, owner: nn.Module, of: dict[str, tuple[nn.Parameter, DTensor]]) -> None:
        self._of = of
        self._hide(owner)
        owner.register_forward_pre_hook(self._show, prepend=True)
        owner.register_forward_hook(self._hide, always_call=True)

    def _show(self, owner: nn.Module, *_: Any) -> None:
        """A hook before a forward, whose code may look among parameters as well."""
        for name, pair in self._of.items():
            vars(owner).pop(name, None)
            owner._parameters[name] = pair[1]  # type: ignore[assignment]  # no leaf, for a forward

    def _hide(self, owner: nn.Module, *_: Any) -> None:
        """A hook behind a forward. Whoever else asks for an attribute gets the whole."""
        for name, (part, whole) in self._of.items():
            owner._parameters[name] = part
            vars(owner)[name] = whole  # an instance's own attributes come before parameters
