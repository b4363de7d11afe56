"""Offload of parameters and of the optimizer to host memory.

``streamed_blocks.py`` moves parameters, ``host_updates.py`` gradients, states and the update.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.optimizer import FEW_BITS
from memplanner.techniques.base import Alternative, Setting, Situation, Technique
from memplanner.techniques.host_memory import put_in_host_memory
from memplanner.techniques.host_updates import on_host
from memplanner.techniques.parallel.shares_on_host import (
    shares_lie_on_host,
    why_not_shares_on_host,
)
from memplanner.techniques.streamed_blocks import stream_blocks
from memplanner.techniques.target import Target

_OWN_MEMORY = frozenset({"cuda", "rocm", "xpu"})
"""Kinds of devices whose memory is not the host's."""


class Offload(Technique):
    """Moves the blocks' parameters; ``techniques/optimizer.py`` makes the host's optimizer."""

    name = "offload"
    order = 70
    """Last: whatever else changes parameters or forwards is done."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Host memory is another place only for a device of its own, and for one optimizer."""
        section = plan.offload
        keys = [key for key in ("optimizer", "parameters") if getattr(section, key) == "host"]
        if not keys:
            return ()
        if target.kind not in _OWN_MEMORY:
            return (
                f"offload.{keys[0]}=host saves nothing on {target.kind}, whose memory is the "
                "host's; choose none, or activation_checkpointing.policy=full.",
            )
        reasons: list[str] = []
        if plan.sharding.ranks > 1:
            reasons += why_not_shares_on_host(plan)
        if plan.distillation.student != "none":
            reasons.append(
                f"offload.{keys[0]}=host is for one model, and distillation trains beside a "
                "teacher; choose none, or distillation.student=none."
            )
        if section.optimizer == "host":
            reasons += _why_not_on_host(plan)
        elif plan.adapters.method == "none" and plan.sharding.ranks == 1:
            reasons.append(
                "offload.parameters=host leaves nothing on the device to update; choose "
                "offload.optimizer=host too, or adapters.method=lora."
            )
        return reasons

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """Updates on the host where every parameter is trained: adapters' states are small."""
        stay: Alternative = (Setting("offload.optimizer", "none", "optimizer on card"),)
        if target.kind == "cpu" or plan.adapters.method != "none":
            return (stay,)
        return ((Setting("offload.optimizer", "host", "optimizer on host"),), stay)

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with its blocks' parameters in host memory, in place."""
        plan = situation.plan
        if plan.offload.parameters == "none" or shares_lie_on_host(plan):
            return module
        trains_there = plan.offload.optimizer == "host"

        def make_room(tensor: torch.Tensor) -> torch.Tensor:
            room = on_host(tensor, pin_memory=plan.offload.pin_memory)
            put_in_host_memory(room)
            return room

        for path in list_paths(module, situation.model):
            stream_blocks(
                module.get_submodule(path).children(),
                make_room,
                situation.device,
                frozen_only=not trains_there,
            )
        return module

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What it takes elsewhere."""
        notes = []
        if shares_lie_on_host(plan):
            return (
                "The optimizer runs on the host's processors. A block's shares cross the bus each "
                "time before they are gathered, its reduced gradients once in every micro-batch.",
            )
        if plan.offload.optimizer == "host":
            notes.append(
                "The optimizer runs on the host's processors: gradients cross the bus in every "
                "micro-batch, parameters once a step."
            )
        if plan.offload.parameters == "host":
            notes.append(
                "A block's parameters cross the bus twice in every micro-batch, and the block "
                "waits for them; what lies outside of the repeated blocks stays on the device."
            )
        return notes


def list_paths(module: nn.Module, model: Model) -> tuple[str, ...]:
    """Where the repeated blocks are in a module, which techniques may have made unlike each other.

    Raises ``PlanError`` where there are none.
    """
    lists = block_lists(module) or block_lists(model.build(torch.device("meta")))
    if not lists:
        raise PlanError(
            "offload.parameters=host needs repeated blocks, and this model has none; choose none."
        )
    return tuple(blocks.path for blocks in lists)


def _why_not_on_host(plan: Plan) -> Iterator[str]:
    if plan.optimizer.update == "in_backward":
        yield (
            "optimizer.update=in_backward updates on the device, and offload.optimizer=host on the "
            "host; choose after_backward, or offload.optimizer=none."
        )
    if plan.precision == "fp16_mixed":
        yield (
            "offload.optimizer=host takes gradients from the device before a loss scaler can look "
            "for those that overflowed fp16; choose precision=bf16_mixed, or "
            "offload.optimizer=none."
        )
    if plan.optimizer.implementation in FEW_BITS:
        yield (
            f"optimizer.implementation={plan.optimizer.implementation} spares the device's memory, "
            "where offload.optimizer=host keeps no state; choose implementation fused, or "
            "offload.optimizer=none."
        )
    if plan.optimizer.projection != "none":
        yield (
            f"optimizer.projection={plan.optimizer.projection} projects gradients on the device, "
            "which offload.optimizer=host takes from there; choose projection none, or "
            "offload.optimizer=none."
        )
