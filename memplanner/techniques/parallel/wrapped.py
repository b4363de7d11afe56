"""A module that data parallelism was made of: what is inside, and when it reduces gradients.

Kept apart from what makes it, which takes a while to import.
"""

from __future__ import annotations

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from memplanner.plan import Plan


def unwrapped(module: nn.Module) -> nn.Module:
    """The module itself, whose names are the model's."""
    if isinstance(module, DistributedDataParallel):
        inner = module.module
        assert isinstance(inner, nn.Module)
        return inner
    return module


def group_of(module: nn.Module) -> dist.ProcessGroup | None:
    """The cards whose gradients are averaged in buckets; None where they are not."""
    return module.process_group if isinstance(module, DistributedDataParallel) else None


def own_type(module: nn.Module) -> type[nn.Module]:
    """The module's class, without the one that FSDP2 made of it."""
    kind = type(module)
    made = kind.__name__.startswith("FSDP") and len(kind.__bases__) == 2
    return kind.__bases__[1] if made and kind.__bases__[0].__name__ == "FSDPModule" else kind


def reduce_gradients(module: nn.Module, plan: Plan, *, last: bool) -> None:
    """Says whether the next backward brings the cards' gradients together."""
    if plan.sharding.ranks == 1 or plan.sharding.reduction == "each_micro_batch":
        return
    if isinstance(module, DistributedDataParallel):
        module.require_backward_grad_sync = last
    elif plan.sharding.data in {"zero_2", "zero_3"}:
        from torch.distributed.fsdp import FSDPModule

        if isinstance(module, FSDPModule):
            module.set_requires_gradient_sync(last)
