"""The stages of a pipeline that one rank holds: models of which the other blocks were taken out.

A stage stays a model of its class, so that its own code makes masks and positions from the shape
of what it is given; modules keep the names that they have in the whole model.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from memplanner.model.blocks import PART_OF_BLOCKS, set_block_numbers
from memplanner.techniques.parallel.pipeline_anatomy import (
    Anatomy,
    Answering,
    blocks_handing_on,
    cannot,
)
from memplanner.techniques.parallel.pipeline_parts import Part
from memplanner.techniques.parallel.wrapped import unwrapped


class Received(nn.Module):
    """Stands for a part that is on another stage: hands on the hidden states it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.dtype: torch.dtype = torch.float32
        self.device: torch.device | None = None

    def forward(self, *given: Any, **named: Any) -> Any:
        """The hidden states."""
        hidden = named.get("inputs_embeds")
        return given[0] if hidden is None else hidden

    def told(self, hidden: torch.Tensor) -> None:
        """What the stage is given next."""
        self.dtype, self.device = hidden.dtype, hidden.device

    @property
    def patch_embeddings(self) -> Received:
        """Picture models look at the type of their first weight, to cast pictures to it."""
        return self

    @property
    def projection(self) -> Received:
        """See ``patch_embeddings``."""
        return self

    @property
    def weight(self) -> Received:
        """See ``patch_embeddings``."""
        return self


class NoPositions(Received):
    """Stands for embeddings of positions, which the first stage has added: nothing more."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, *given: Any, **named: Any) -> torch.Tensor:
        """Zeros that broadcast."""
        return torch.zeros(1, 1, self.width, dtype=self.dtype, device=self.device)


class HandOn:
    """The forward of a stage that is not the last: what its last block returns."""

    def __init__(self, base: nn.Module) -> None:
        self._base = base
        self._accepted = frozenset(inspect.signature(base.forward).parameters)

    def __call__(self, **batch: Any) -> torch.Tensor:
        """The hidden states for the next stage; no view, whose graph could not be let go of."""
        given = {name: value for name, value in batch.items() if name in self._accepted}
        hidden: torch.Tensor = self._base(**given)[0]
        whole = hidden._base
        return whole if whole is not None and whole.shape == hidden.shape else hidden


def cut_out(module: nn.Module, anatomy: Anatomy, part: Part) -> nn.Module:
    """The module as one stage, in place: without other blocks, and what only other stages have.

    Raises ``PlanError`` where a later stage would change what it is given before its blocks.
    """
    container = module.get_submodule(anatomy.blocks)
    blocks = dict(container._modules)
    own = range(part.start, part.stop)
    container._modules = {str(place): blocks[str(number)] for place, number in enumerate(own)}
    set_block_numbers(container, own)
    setattr(container, PART_OF_BLOCKS, True)
    base: Any = module.get_submodule(anatomy.base)
    _slice_config(base, anatomy, part)
    if not part.is_first:
        for path in anatomy.before:
            _put(module, path, _stand_in(module, path, anatomy))
    if not part.is_last:
        for path in anatomy.after:
            _put(module, path, Received())
        module.forward = HandOn(base)
    return module


def copy_out(module: nn.Module, anatomy: Anatomy, part: Part) -> nn.Module:
    """A copy of the module as one stage; what is not in it is not copied."""
    container = module.get_submodule(anatomy.blocks)
    whole = container._modules
    container._modules = {
        name: block if part.start <= int(name) < part.stop else nn.Identity()
        for name, block in whole.items()
    }
    try:
        copied = copy.deepcopy(module)
    finally:
        container._modules = whole
    return cut_out(copied, anatomy, part)


def _stand_in(module: nn.Module, path: str, anatomy: Anatomy) -> Received:
    found: Any = module
    part = module.get_submodule(path)
    if isinstance(part, nn.Embedding) and part is not found.get_input_embeddings():
        return NoPositions(anatomy.hidden[-1])
    return Received()


def _put(module: nn.Module, path: str, part: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, part)


def _slice_config(base: Any, anatomy: Anatomy, part: Part) -> None:
    """Lists of the configuration with an entry for each block keep those of this stage's blocks.

    Every built module has a configuration of its own.
    """
    settings = vars(base.config)
    for name, value in settings.items():
        if isinstance(value, (list, tuple)) and len(value) == anatomy.count:
            settings[name] = value[part.start : part.stop]


class Stages(nn.Module):
    """The stages of one rank; its modules and parameters have the names of the whole model."""

    def __init__(
        self, anatomy: Anatomy, parts: Sequence[Part], stages: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.anatomy, self.parts = anatomy, tuple(parts)
        self.numbered_from = [part.start for part in parts]
        """The number that the first block of each stage has in names."""
        for place, stage in enumerate(stages):
            self.add_module(f"stage_{place}", stage)

    @property
    def stages(self) -> tuple[nn.Module, ...]:
        """The stages, the earliest first."""
        return tuple(child for child in self._modules.values() if child is not None)

    def replace(self, place: int, stage: nn.Module) -> None:
        """Another module in the place of one stage, such as the same in a wrapper."""
        self._modules[f"stage_{place}"] = stage

    def named_modules(
        self, memo: set[nn.Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Module]]:
        """Every module below the stages under its name in the whole model, which this one is."""
        known: set[nn.Module] = set() if memo is None else memo
        yield prefix, self
        for place, stage in enumerate(self.stages):
            for name, module in unwrapped(stage).named_modules(known, "", remove_duplicate):
                if name:
                    whole = self._renumbered(name, self.numbered_from[place])
                    yield f"{prefix}.{whole}" if prefix else whole, module

    def get_submodule(self, target: str) -> nn.Module:
        """The module of that name, on whichever stage. Raises ``AttributeError`` for no module."""
        if not target:
            return self
        for name, module in self.named_modules():
            if name == target:
                return module
        raise AttributeError(f"no stage of this rank has a module {target}")

    def _renumbered(self, name: str, first: int) -> str:
        """A stage's own name with its blocks counted from ``first``."""
        prefix = self.anatomy.blocks + "."
        if not first or not name.startswith(prefix):
            return name
        number, dot, rest = name[len(prefix) :].partition(".")
        return f"{prefix}{int(number) + first}{dot}{rest}"


def cut(module: nn.Module, anatomy: Anatomy, parts: Sequence[Part]) -> Stages:
    """The stages ``parts`` of a whole module, which is used up."""
    if len(parts) == 1:
        return Stages(anatomy, parts, [cut_out(module, anatomy, parts[0])])
    return Stages(anatomy, parts, [copy_out(module, anatomy, part) for part in parts])


def check_handed_on(stage: nn.Module, anatomy: Anatomy, part: Part, batch: dict[str, Any]) -> None:
    """Raises ``PlanError`` where a weightless stage changes hidden states before its first block.

    As a model does that scales its embeddings outside of the embedding. What adds the zeros that
    stand for positions changes nothing.
    """
    if part.is_first:
        return
    hidden = torch.empty(anatomy.hidden_shape(batch), device="meta")
    received = [module for module in stage.modules() if isinstance(module, Received)]
    for module in received:
        module.told(hidden)
    base = stage.get_submodule(anatomy.base)
    given = anatomy.inputs_of(batch, first=False, last=False)
    with torch.no_grad(), Answering(), blocks_handing_on(stage, anatomy.blocks) as seen:
        base(**{anatomy.handed_as: hidden}, **given)
    adds = any(isinstance(module, NoPositions) for module in received)
    same = seen[0].untyped_storage()._cdata == hidden.untyped_storage()._cdata
    if not (same or adds) or seen[0].shape != hidden.shape:
        raise cannot(anatomy.name, "each of its stages would change what it is given once more")
