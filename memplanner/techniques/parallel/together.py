"""Parameters that an optimizer may update in one call: plain ones, and those over many ranks."""

from __future__ import annotations

from typing import Any

from torch import nn

from memplanner.plan.sharding import Sharding


def together(parameters: list[nn.Parameter], section: Sharding) -> list[Any]:
    """The parameters, in groups of an optimizer where some are split over ranks and some are not.

    torch's ``_foreach_`` and fused operations take no mixture of both.
    """
    if section.tensor == 1 and section.expert == 1:
        return list(parameters)
    from torch.distributed.tensor import DTensor  # takes a while to import

    split = [each for each in parameters if isinstance(each, DTensor)]
    plain = [each for each in parameters if not isinstance(each, DTensor)]
    if not split or not plain:
        return list(parameters)
    return [{"params": split}, {"params": plain}]


def first_parameter(parameters: list[Any]) -> Any:
    """The first parameter, also of groups, which ZeRO-1 hands on; None where there is none."""
    first = parameters[0] if parameters else None
    return next(iter(first["params"]), None) if isinstance(first, dict) else first
