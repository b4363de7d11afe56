"""The section ``loss``: how a language model's logits become its loss."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

Method = Annotated[
    Literal["whole", "chunked", "recomputed"],
    choices(
        ("whole", "Whole", "The logits of all positions together."),
        (
            "chunked",
            "In chunks",
            "Logits, loss and gradient of some positions at a time. Saves memory now.",
        ),
        (
            "recomputed",
            "In chunks, computed twice",
            "As in chunks, the logits once more in backward: the head's gradient is not there "
            "before, and a loss scaler can scale it. Saves memory now.",
        ),
    ),
]


class Loss(Section):
    """The head's product and the cross-entropy: with large vocabularies, much of the peak."""

    title: ClassVar[str] = "Loss"
    explanation: ClassVar[str] = (
        "The logits of a language model take positions × vocabulary numbers, several times over. "
        "In chunks they never exist whole, at next to no cost in time."
    )

    method: Method = option("whole", "Method", "How head and cross-entropy are computed.")
    chunks: int = option(
        8,
        "Chunks",
        "Parts of the positions; each part's logits are dropped before the next one's.",
        when="method=chunked,recomputed",
        ge=2,
        le=1024,
        suggestions=(4, 8, 16, 32),
    )

    @property
    def summary(self) -> str:
        """Such as ``8 chunks``."""
        if self.method == "whole":
            return "off"
        return f"{self.chunks} chunks" + (", twice" if self.method == "recomputed" else "")
