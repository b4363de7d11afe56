"""The section ``offload``: what lies in host memory and comes to the device when it is needed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

OptimizerPlace = Annotated[
    Literal["none", "host"],
    choices(
        ("none", "None: on the device", "States lie and updates are made on the device."),
        (
            "host",
            "Host memory",
            "Gradients move there in backward; states lie and updates are made there. "
            "GPU only; saves memory now.",
        ),
    ),
]
ParametersPlace = Annotated[
    Literal["none", "host"],
    choices(
        ("none", "None: on the device", "All parameters stay on the device."),
        (
            "host",
            "Host memory",
            "A block's parameters are on the device while it runs. GPU only; saves memory now.",
        ),
    ),
]


class Offload(Section):
    """Where optimizer states and parameters lie."""

    title: ClassVar[str] = "Offload to host"
    explanation: ClassVar[str] = (
        "Keeps optimizer states, gradients or parameters in host memory. "
        "Exact, but they cross the bus in every step, and the host must have the room."
    )

    optimizer: OptimizerPlace = option(
        "none", "Optimizer", "Where gradients and states lie, and the update is made."
    )
    parameters: ParametersPlace = option(
        "none", "Parameters", "Where the repeated blocks' parameters lie while none is needed."
    )
    pin_memory: bool = option(
        True,
        "Pinned memory",
        "Faster copies; the system cannot swap it out. No effect on the device's memory.",
    )

    @property
    def summary(self) -> str:
        """Such as ``optimizer, parameters``."""
        names = [name for name in ("optimizer", "parameters") if getattr(self, name) == "host"]
        return ", ".join(names) or "off"
