"""The section ``activation_offload``: kept tensors wait for backward in host memory."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

Destination = Annotated[
    Literal["none", "host"],
    choices(
        ("none", "None: they stay", "What forward keeps for backward stays on the device."),
        (
            "host",
            "Host memory",
            "Copied there in forward and back in backward. GPU only; saves memory now.",
        ),
    ),
]


class ActivationOffload(Section):
    """Where what forward keeps for backward lies meanwhile."""

    title: ClassVar[str] = "Activation offload"
    explanation: ClassVar[str] = (
        "Moves kept activations to host memory until backward needs them. "
        "Exact, but each crosses the bus twice a step; recomputing is often faster."
    )

    to: Destination = option("none", "Offload to", "Where kept activations lie until backward.")
    pin_memory: bool = option(
        True,
        "Pinned memory",
        "Faster copies; the system cannot swap it out. No effect on the device's memory.",
        when="to=host",
    )
    modules: tuple[str, ...] = option(
        (),
        "Modules",
        "What these keep alone, by names such as model.layers.3 or patterns such as "
        "model.layers.1?; empty for the whole forward.",
        when="to=host",
    )

    @property
    def summary(self) -> str:
        """Such as ``host, pinned``."""
        if self.to == "none":
            return "off"
        words = "host, pinned" if self.pin_memory else "host"
        if self.modules:
            named = len(self.modules)
            words += f", {self.modules[0] if named == 1 else f'{named} modules'}"
        return words
