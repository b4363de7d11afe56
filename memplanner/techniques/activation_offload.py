"""Activation offload: what forward keeps lies in host memory (``kept_on_host.py`` moves it)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.base import Alternative, Setting, Situation, Technique
from memplanner.techniques.checkpointed_modules import OFFLOADED, named_modules
from memplanner.techniques.host_memory import in_host_memory
from memplanner.techniques.kept_on_host import keep_on_host
from memplanner.techniques.target import Target

_OWN_MEMORY = frozenset({"cuda", "rocm", "xpu"})
"""Kinds of devices whose memory is not the host's."""


class ActivationOffload(Technique):
    """Wraps the whole forward, the loss in it included, or modules by name."""

    name = "activation_offload"
    order = 60
    """Outside of whatever else changes the forward."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Host memory is another place only for a device with memory of its own."""
        if plan.activation_offload.to == "host" and target.kind not in _OWN_MEMORY:
            return (
                f"activation_offload.to=host saves nothing on {target.kind}, whose memory is the "
                "host's; choose none, or activation_checkpointing.policy=full.",
            )
        return ()

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """Kept activations in host memory, of blocks that keep all or their inputs alone."""
        stay: Alternative = (Setting("activation_offload.to", "none", "activations on card"),)
        mixed = plan.activation_checkpointing.policy not in {"none", "full"}
        if target.kind == "cpu" or mixed:
            return (stay,)
        return ((Setting("activation_offload.to", "host", "activations on host"),), stay)

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with its kept activations in host memory, in place."""
        section = situation.plan.activation_offload
        if section.to == "none":
            return module
        chosen = named_modules(module, section.modules, OFFLOADED) if section.modules else [""]
        for name in chosen:
            part = module.get_submodule(name)
            keep_on_host(part, pin_memory=section.pin_memory, in_host=in_host_memory)
        return module

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What it takes elsewhere."""
        if plan.activation_offload.to == "none":
            return ()
        return (
            "Offloaded activations take as much host memory as they would take on the device, "
            "once for each operation that keeps them, and cross the bus twice a step.",
        )
