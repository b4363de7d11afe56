"""What stands on a device all the time, known from a prepared module without running it."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn

from memplanner.estimate.folded import as_recorded
from memplanner.estimate.periods import KEPT, Cut
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import ActivationCheckpointing
from memplanner.plan.activation_offload import ActivationOffload
from memplanner.plan.loss import Loss
from memplanner.plan.optimizer import Optimizer
from memplanner.plan.training import Training
from memplanner.techniques.host_memory import lies_there
from memplanner.techniques.prepare import prepare
from memplanner.techniques.target import Target


def standing_part(plan: Plan) -> Plan:
    """The plan with all made one that changes neither parameters nor buffers."""
    return plan.model_copy(
        update={
            "training": Training(),
            "optimizer": Optimizer(),
            "activation_checkpointing": ActivationCheckpointing(),
            "activation_offload": ActivationOffload(),
            "loss": Loss(),
        }
    )


def standing_bytes(
    model: Model, plan: Plan, target: Target, module: nn.Module, cuts: tuple[Cut, ...]
) -> int:
    """Bytes of parameters and buffers under ``plan`` on one device, blocks that were cut included.

    ``module`` is weightless, without the blocks of ``cuts``, and changed in place. Blocks of a cut
    are as large as those of its second period. Raises ``PlanError`` where the plan cannot be
    carried out.
    """
    prepared = prepare(model, plan, target, torch.device("meta"), module=module).module
    names = dict(prepared.named_modules())
    total = _bytes([prepared])
    for cut in as_recorded(cuts):
        first = cut.start + cut.period
        prefix = f"{cut.path}." if cut.path else ""
        blocks = [_block(names, f"{prefix}{first + place}") for place in range(cut.period)]
        total += _bytes([block for block in blocks if block]) * (cut.periods - KEPT)
    return total


def _block(names: dict[str, nn.Module], path: str) -> nn.Module | None:
    """The block of this path, also inside of what adapters wrapped the model in."""
    found = [name for name in names if name == path] or [
        name for name in names if name.endswith(f".{path}")
    ]
    return names[found[0]] if len(found) == 1 else None


def _bytes(modules: list[nn.Module]) -> int:
    """Of the storages that lie on the device; one that several share counts once."""
    sizes: dict[int, int] = {}
    for module in modules:
        for tensor in chain(module.parameters(), module.buffers()):
            for part in _parts(tensor):
                if not lies_there(part):
                    storage = part.untyped_storage()
                    sizes[storage._cdata] = storage.nbytes()
    return sum(sizes.values())


def _parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The strided tensors that a tensor, or a subclass of one, keeps its values in."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is not None:
        inside = [getattr(tensor, name) for name in flatten()[0]]
        return [part for part in inside if isinstance(part, torch.Tensor)]
    return [tensor] if tensor.layout is torch.strided else []
