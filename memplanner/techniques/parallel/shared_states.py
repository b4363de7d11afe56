"""ZeRO-1: each rank keeps the optimizer's state of its share of the parameters.

By torch's ``ZeroRedundancyOptimizer`` (``torch/distributed/optim``): whole parameters are dealt
out, the largest first, to the rank that has least (Rajbhandari et al. 2020, arXiv:1910.02054);
after its step a rank sends its share to the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import catch_warnings, simplefilter

import torch
from torch import nn

from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.wrapped import group_of


def shares_states(section: Sharding) -> bool:
    """Whether the optimizer's state is shared out apart from the parameters."""
    return section.data == "zero_1" and section.gradient_degree > 1 and not section.deepspeed


def shared_states(
    module: nn.Module,
    parameters: list[nn.Parameter],
    make: Callable[[list[Any]], torch.optim.Optimizer],
) -> torch.optim.Optimizer:
    """An optimizer over this rank's share of ``parameters``; ``make`` makes the one inside it.

    They are shared out over the cards whose gradients ``module`` brings together.
    """
    with catch_warnings():  # torch's own use of what it will remove
        simplefilter("ignore", DeprecationWarning)
        from torch.distributed.optim import ZeroRedundancyOptimizer  # takes a while to import

    def own(part: list[Any], **options: Any) -> torch.optim.Optimizer:
        return make(part)

    return ZeroRedundancyOptimizer(
        parameters,
        own,  # type: ignore[arg-type]  # a class is meant
        process_group=group_of(module),
    )


def inside(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimizer that holds this rank's states."""
    inner = getattr(optimizer, "optim", optimizer)
    assert isinstance(inner, torch.optim.Optimizer)
    return inner
