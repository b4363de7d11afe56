"""The section ``adapters``: small trainable matrices beside frozen ones."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

Method = Annotated[
    Literal["none", "lora"],
    choices(
        ("none", "None: train every parameter", "A full fine-tune."),
        ("lora", "LoRA", "Two low-rank matrices a target; the rest is frozen."),
    ),
]


class Adapters(Section):
    """Adapters through peft: what is trained when not everything is."""

    title: ClassVar[str] = "Adapters"
    explanation: ClassVar[str] = (
        "Freezes the model and trains low-rank matrices beside chosen layers. "
        "Gradients and optimizer state shrink to the adapters'; activations stay about the same."
    )

    method: Method = option("none", "Method", "Which adapters, if any.")
    rank: int = option(
        16, "Rank", "Width of the low-rank matrices.", when="method=lora", ge=1, le=4096,
        suggestions=(4, 8, 16, 32, 64),
    )  # fmt: skip
    alpha: float = option(
        16.0,
        "Alpha",
        "Scale of the update; no effect on memory.",
        when="method=lora",
        gt=0,
        le=65536,
    )
    dropout: float = option(
        0.0, "Dropout", "Above zero, each adapter keeps a mask.", when="method=lora", ge=0, lt=1
    )
    target_modules: tuple[str, ...] = option(
        (),
        "Targets",
        "Names of the layers to adapt, such as q_proj and v_proj; empty takes every linear "
        "layer but the head.",
        when="method=lora",
    )

    @property
    def summary(self) -> str:
        """Such as ``LoRA, rank 16``."""
        return "off" if self.method == "none" else f"LoRA, rank {self.rank}"
