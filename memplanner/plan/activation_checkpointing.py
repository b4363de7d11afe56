"""The section ``activation_checkpointing``: what is recomputed in backward instead of kept."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, ClassVar, Literal

from pydantic import field_validator

from memplanner.plan.section import Section, choices, option

Policy = Annotated[
    Literal["none", "full", "every_n", "named", "selective", "budget"],
    choices(
        ("none", "Keep everything", "No recomputation."),
        (
            "budget",
            "Within a budget",
            "Blocks keep what spares the most time for a number of bytes.",
        ),
        ("selective", "Keep some operations", "Each block keeps the results of those named."),
        ("every_n", "Every n-th block", "Recompute one block in n."),
        ("named", "By name", "Recompute the blocks or modules that names or patterns choose."),
        ("full", "Every block", "Each block keeps its input only: one more forward of time."),
    ),
]

OPERATIONS = (
    "mm",
    "bmm",
    "addmm",
    "baddbmm",
    "convolution",
    "attention",
    "layer_norm",
    "rms_norm",
    "group_norm",
    "batch_norm",
    "softmax",
    "gelu",
    "silu",
    "relu",
    "sigmoid",
    "tanh",
    "dropout",
    "mul",
    "add",
    "every_second_mm",
)
"""Operations whose results can be kept, the dearest first; torch's names, with ``attention`` for
every fused kernel of scaled dot-product attention, and ``every_second_mm`` for the first, third, …
product of a block, as torchtitan keeps them."""
PRODUCTS = OPERATIONS[:6]
"""What costs the most time to compute again for its size."""


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
    modules: tuple[str, ...] = option(
        (),
        "Modules",
        "Names such as model.layers.3 or mlp, or patterns such as model.layers.*.mlp.",
        when="policy=named",
    )
    operations: tuple[str, ...] = option(
        PRODUCTS,
        "Operations",
        "Those whose results are kept: " + ", ".join(OPERATIONS) + ".",
        when="policy=selective",
    )
    budget_mib: int = option(
        1024,
        "Budget",
        "MiB that blocks may keep together, beside each one's input.",
        when="policy=budget",
        ge=0,
        le=2**24,
        suggestions=(512, 1024, 2048, 4096, 8192, 16384),
    )

    @field_validator("operations")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in OPERATIONS:
                near = get_close_matches(name, OPERATIONS, n=1, cutoff=0.0)[0]
                raise ValueError(
                    f"no operation is called “{name}”; choose {near}, or others of "
                    f"{', '.join(OPERATIONS)}"
                )
        if not value:
            raise ValueError("no operation is named; choose policy=full to keep none")
        return tuple(name for name in OPERATIONS if name in value)

    @property
    def summary(self) -> str:
        """Such as ``every 2nd block``."""
        if self.policy == "every_n":
            return f"one block in {self.every}"
        if self.policy == "named":
            if len(self.modules) > 3:
                return f"{len(self.modules)} modules"
            return ", ".join(self.modules) or "nothing named"
        if self.policy == "budget":
            return f"keep {self.budget_mib} MiB"
        if self.policy == "selective" and self.operations != PRODUCTS:
            return "keep " + ", ".join(self.operations)
        return {"none": "off", "full": "every block", "selective": "keep products"}[self.policy]
