"""Where backward leaves gradients, noted while a step is recorded.

The optimizer comes after that, so that another optimizer's step follows from the same recording.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch

from memplanner.tape.work import Array


@dataclass(frozen=True, slots=True)
class Gradients:
    """The gradients of a recorded step."""

    names: tuple[str, ...]
    """Of the parameters that have one when backward has ended, in the module's order."""
    modules: tuple[str, ...]
    """What each of them counts to, or of each mark: cards that share gradients out keep a whole
    block's in one."""
    plain: bool
    """Whether each of them has its parameter's shape and type."""
    alone: bool
    """Whether none of them shares its memory with another tensor."""
    marks: Array
    """Rows of three storages: a mark, the parameter and the gradient that is accumulated then.

    A mark takes no memory. It is born when autograd has stored a gradient, and dies with the next
    operation.
    """
    places: Array
    """Rows of two storages: where the states of a parameter come that is updated in backward.

    A place takes no memory, either. It is there from before the first update of the parameter.
    """


@dataclass(slots=True)
class _Mark:
    """One gradient that was stored; numbers are a watch's storages."""

    mark: int
    parameter: int
    gradient: int
    module: int
    """What the gradient counts to by then."""
    plain: bool
    alone: bool


@dataclass(slots=True)
class Noted:
    """What a watch has seen of gradients."""

    marks: list[_Mark] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    """Of parameters: where their states come."""
    names: list[str] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    """The gradients that backward has left, in the order of the names."""
    plain: bool = True

    def begin(self) -> None:
        """Backward has ended: what it has left is told now."""
        self.names, self.left, self.plain = [], [], True

    def add(self, parameter: torch.Tensor, name: str, stored: int) -> None:
        """The parameter of this name has a gradient; ``stored`` is its storage."""
        self.names.append(name)
        self.left.append(stored)
        self.plain &= _is_plain(parameter)

    def mark(
        self, mark: int, owner: int, stored: int, module: int, parameter: torch.Tensor
    ) -> None:
        """Autograd has stored a gradient of ``parameter``; the numbers are of storages."""
        alone = _uses(parameter) <= own_uses()
        self.marks.append(_Mark(mark, owner, stored, module, _is_plain(parameter), alone))

    def refuse(self) -> None:
        """At the last mark more has happened than that a gradient was let go of."""
        self.marks[-1].plain = False

    def renumbered(self, number: Array, module: list[int], names: list[str]) -> Gradients:
        """The gradients on a tape; ``number`` is the place on it of each storage, or −1.

        ``module`` is the watch's of each storage, ``names`` are those of modules.
        """
        whole = [(place, owner) for owner, place in self.places.items() if number[place] >= 0]
        kept = [one for one in self.marks if number[one.mark] >= 0]
        places = [(one.mark, one.parameter, one.gradient) for one in kept]
        return Gradients(
            tuple(self.names),
            tuple(names[module[stored]] for stored in self.left)
            or tuple(names[one.module] for one in kept),
            self.plain and all(one.plain for one in kept),
            all(one.alone for one in kept),
            number[np.array(places, dtype=np.int64).reshape(-1, 3)],
            number[np.array(whole, dtype=np.int64).reshape(-1, 2)],
        )


def _is_plain(parameter: torch.Tensor) -> bool:
    gradient = parameter.grad
    return (
        gradient is not None
        and gradient.layout is torch.strided
        and gradient.shape == parameter.shape
        and gradient.dtype is parameter.dtype
    )


def _uses(parameter: torch.Tensor) -> int:
    """How many tensors and storages share the memory of a gradient."""
    gradient = parameter.grad
    assert gradient is not None
    inner: torch.Tensor = getattr(gradient, "_local_tensor", gradient)
    return int(torch._C._storage_Use_Count(inner.untyped_storage()._cdata))


@cache
def own_uses() -> int:
    """The same of a gradient that nothing else shares, where autograd has just stored it.

    To be called outside of modes first.
    """
    seen: list[int] = []

    weight = torch.nn.Parameter(torch.empty(2, 3, device="meta"))
    weight.register_post_accumulate_grad_hook(lambda parameter: seen.append(_uses(parameter)))
    with torch.enable_grad():
        (torch.empty(1, 2, device="meta") @ weight).sum().backward()
    return seen[0]
