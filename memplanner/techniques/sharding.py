"""Sharding: one rank's part of the model, by torch's own parallel code (``parallel/``)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.base import Alternative, Setting, Situation, Technique
from memplanner.techniques.parallel.deepspeed import conflicts_with_deepspeed
from memplanner.techniques.parallel.model_conflicts import conflicts_with_splitting
from memplanner.techniques.target import Target


class Sharding(Technique):
    """Makes of the whole model what one rank holds; the process group must be there."""

    name = "sharding"
    order = 90
    """Last: what is split is what all other techniques made."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """What cannot be split as it is."""
        section = plan.sharding
        if section.ranks == 1:
            return ()
        if section.deepspeed:
            return tuple(conflicts_with_deepspeed(plan))
        return tuple(conflicts_with_splitting(plan, target))

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """The other ways to share state out, where there are cards to share it."""
        if plan.sharding.gradient_degree == 1:
            return ()
        return tuple(
            (Setting("sharding.data", value, words),)
            for value, words in (("zero_3", "ZeRO-3"), ("zero_2", "ZeRO-2"), ("zero_1", "ZeRO-1"))
        )

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The rank's part of the module, in place or in a DDP."""
        section = situation.plan.sharding
        if section.ranks == 1:
            return module
        from memplanner.techniques.parallel.split import split  # takes a while to import

        on_cpu = situation.target.kind == "cpu"
        return split(module, situation.plan, mesh_device(situation), on_cpu=on_cpu)


def mesh_device(situation: Situation) -> str:
    """The kind of device that collectives work on; weightless ranks are taken for CPU ones."""
    device = situation.device
    return "cpu" if device is None or device.type == "meta" else device.type


def is_ready(ranks: int) -> bool:
    """Whether this process is one of so many ranks."""
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return ready and torch.distributed.get_world_size() == ranks
