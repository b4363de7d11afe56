"""The section ``activation_checkpointing``: what is recomputed in backward instead of kept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

Policy = Annotated[
    Literal["none", "full", "every_n", "selective"],
    choices(
        ("none", "Keep everything", "No recomputation."),
        ("selective", "Keep products", "Each block keeps its matrix products and attention."),
        ("every_n", "Every n-th block", "Recompute one block in n."),
        ("full", "Every block", "Each block keeps its input only: one more forward of time."),
    ),
]


class ActivationCheckpointing(Section):
    """Which blocks are recomputed in backward."""

    title: ClassVar[str] = "Activation checkpointing"
    explanation: ClassVar[str] = (
        "A recomputed block keeps its input and runs forward once more in backward. "
        "All blocks together cost about a third more time, and save most activations."
    )

    policy: Policy = option("none", "Policy", "What is recomputed.")
    every: int = option(
        2, "Every", "One block in this many is recomputed.", when="policy=every_n", ge=1, le=1024
    )

    @property
    def summary(self) -> str:
        """Such as ``every 2nd block``."""
        if self.policy == "every_n":
            return f"one block in {self.every}"
        return {"none": "off", "full": "every block", "selective": "keep products"}[self.policy]
