"""Sequence parallelism: between split layers each rank holds its part of the positions.

Norms and residuals work on the parts; attentions and MLPs gather the whole sequence and give parts
back, by an all-gather and a reduce-scatter where tensor parallelism alone has an all-reduce
(Korthikanti et al. 2022, arXiv:2205.05198, section 4.2). Before the first block and behind the
last one the sequence is whole, since models make masks and positions from its length.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.techniques.parallel.tensor_rules import COLUMN, ROW, Rules

NORM, ROW_TO_PARTS = "sequence_parallel", "rowwise_to_parts"
"""Transformers' word for a norm, and ours for a layer that gives back parts of the sequence."""
PARTS = Shard(1)
"""Activations are (batch, sequence, width)."""


def sequence_rules(module: nn.Module, rules: Rules) -> Rules:
    """``rules`` with those of the norms in blocks, and of what ends an attention or MLP there.

    Raises ``PlanError`` for blocks that are more than norms and pairs of linear layers.
    """
    found = dict(rules)
    for path, block in _blocks(module):
        for name, part in block.named_children():
            inside = f"{path}.{name}"
            words = {where: word for where, word in rules.items() if where.startswith(inside)}
            if words and set(words.values()) <= {COLUMN, ROW}:
                found |= {where: ROW_TO_PARTS for where, word in words.items() if word == ROW}
            elif words or any(True for _ in part.children()):
                raise _refused(module)
            elif any(True for _ in part.parameters()):
                found[inside] = NORM
    return found


def split_sequence(module: nn.Module, mesh: DeviceMesh) -> None:
    """Splits what goes into the first block and gathers what comes out of the last, in place.

    In between each attention and MLP gathers its own input.
    """
    blocks = _blocks(module)
    to_parts, to_whole = _Layout(mesh, Replicate(), PARTS), _Layout(mesh, PARTS, Replicate())
    blocks[0][1].register_forward_pre_hook(to_parts.of_inputs, with_kwargs=True)
    blocks[-1][1].register_forward_hook(to_whole.of_output)
    gather = _Layout(mesh, PARTS, Replicate(), local=False)
    for _, block in blocks:
        for part in block.children():
            if any(True for _ in part.children()):
                part.register_forward_pre_hook(gather.of_inputs, with_kwargs=True)
                continue
            for weight in part.parameters():
                if weight.requires_grad:
                    weight.register_hook(_summed)


def _summed(gradient: torch.Tensor) -> torch.Tensor:
    """The gradient of a norm, whose positions lie on all ranks: summed once, not at each use."""
    assert isinstance(gradient, DTensor)
    return gradient.redistribute(placements=[Replicate()])


class _Layout:
    """Brings a tensor of all ranks from one placement to another."""

    def __init__(
        self, mesh: DeviceMesh, before: Placement, after: Placement, *, local: bool = True
    ) -> None:
        self._mesh, self._before, self._after, self._local = mesh, before, after, local

    def of_inputs(self, part: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """A hook before a forward, whose first input it is, or ``hidden_states``."""
        if args:
            return (self._of(args[0]), *args[1:]), kwargs
        return args, kwargs | {"hidden_states": self._of(kwargs["hidden_states"])}

    def of_output(self, part: nn.Module, args: Any, output: Any) -> Any:
        """A hook behind a forward."""
        if isinstance(output, tuple):
            return (self._of(output[0]), *output[1:])
        return self._of(output)

    def _of(self, tensor: torch.Tensor) -> torch.Tensor:
        whole = DTensor.from_local(tensor, self._mesh, [self._before], run_check=False)
        placed = whole.redistribute(placements=[self._after])
        return placed.to_local() if self._local else placed


def _blocks(module: nn.Module) -> list[tuple[str, nn.Module]]:
    lists = block_lists(module)
    if len(lists) != 1:
        raise _refused(module)
    path = lists[0].path
    return [
        (f"{path}.{name}", block) for name, block in module.get_submodule(path).named_children()
    ]


def _refused(module: nn.Module) -> PlanError:
    return PlanError(
        f"sharding.sequence_parallel=true knows one list of blocks of norms, attentions and MLPs "
        f"of linear layers, and {type(module).__name__} is more; choose "
        "sharding.sequence_parallel=false."
    )
