"""The section ``optimizer``: which one, and which of torch's implementations of it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from memplanner.plan.section import Section, choices, option

OptimizerName = Annotated[
    Literal["adamw", "adam", "sgd", "adafactor", "rmsprop", "adagrad", "lion"],
    choices(
        ("adamw", "AdamW", "Two states a parameter, decoupled weight decay."),
        ("adam", "Adam", "Two states a parameter."),
        ("sgd", "SGD", "No state without momentum, one with it."),
        ("adafactor", "Adafactor", "States factored into rows and columns: almost none."),
        ("rmsprop", "RMSprop", "One state a parameter, two with momentum."),
        ("adagrad", "Adagrad", "One state a parameter, made before the first step."),
        ("lion", "Lion", "One state a parameter; each step has the size of the learning rate."),
    ),
]
Implementation = Annotated[
    Literal[
        "auto",
        "for_loop",
        "foreach",
        "fused",
        "bitsandbytes_8bit",
        "bitsandbytes_paged_8bit",
        "torchao_8bit",
        "torchao_4bit",
    ],
    choices(
        (
            "auto",
            "torch's default",
            "For-each on CUDA, a loop on the CPU; Adafactor and Lion take the loop everywhere.",
        ),
        ("for_loop", "For loop", "One parameter at a time: small temporaries, slow on CUDA."),
        ("foreach", "For-each", "All parameters at once: temporaries as large as the gradients."),
        ("fused", "Fused", "One kernel, no temporaries."),
        (
            "bitsandbytes_8bit",
            "8 bits, bitsandbytes",
            "States in one byte a number, and a scale for 256. Saves memory now.",
        ),
        (
            "bitsandbytes_paged_8bit",
            "8 bits, paged",
            "As 8 bits, in memory that moves to the host when the card is full. GPU only.",
        ),
        (
            "torchao_8bit",
            "8 bits, torchao",
            "States in one byte a number, in a compiled step. Saves memory now.",
        ),
        (
            "torchao_4bit",
            "4 bits, torchao",
            "States in half a byte a number, in a compiled step. Saves memory now.",
        ),
    ),
]

Update = Annotated[
    Literal["after_backward", "in_backward"],
    choices(
        ("after_backward", "After backward", "All parameters together, once backward ended."),
        (
            "in_backward",
            "In backward",
            "Each parameter as soon as its gradient is there, which is freed at once: gradients "
            "are never there together. Saves memory now.",
        ),
    ),
]

Projection = Annotated[
    Literal["none", "galore"],
    choices(
        ("none", "None", "Gradients as they are."),
        (
            "galore",
            "GaLore",
            "Gradients of linear layers in a low rank, and so are their states. Saves memory now.",
        ),
    ),
]

FUSED = frozenset({"adamw", "adam", "sgd", "adagrad"})
"""Optimizers with a fused implementation in torch 2.13 (``torch/optim``)."""

FEW_BITS = frozenset(
    {"bitsandbytes_8bit", "bitsandbytes_paged_8bit", "torchao_8bit", "torchao_4bit"}
)
"""Implementations that keep the states in few bits."""
IN_FEW_BITS = frozenset({"adamw", "adam"})
"""Optimizers that those implement for both libraries."""
PROJECTED = frozenset({"adamw", "adam"})
"""Optimizers whose gradients may be projected."""


class Optimizer(Section):
    """The optimizer; its state is often the largest part of a full fine-tune."""

    title: ClassVar[str] = "Optimizer"
    explanation: ClassVar[str] = (
        "What updates the parameters, and what it keeps for each of them between steps. "
        "AdamW keeps twice the parameters' size; SGD and Adafactor keep little or nothing."
    )

    name: OptimizerName = option("adamw", "Optimizer", "The update rule.")
    implementation: Implementation = option(
        "auto", "Implementation", "How torch walks over the parameters."
    )
    update: Update = option("after_backward", "Update", "When a parameter is updated.")
    projection: Projection = option(
        "none", "Projection", "In what rank AdamW and Adam update linear layers."
    )
    rank: int = option(
        128, "Rank", "Of the projected gradients.", when="projection=galore", ge=1, le=16384,
        suggestions=(64, 128, 256, 512, 1024),
    )  # fmt: skip
    update_gap: int = option(
        200, "New projection every", "Steps from one singular value decomposition to the next.",
        when="projection=galore", ge=1, suggestions=(50, 200, 500),
    )  # fmt: skip
    scale: float = option(
        0.25, "Scale", "What projected updates are multiplied with; no effect on memory.",
        when="projection=galore", gt=0, le=100,
    )  # fmt: skip
    learning_rate: float = option(
        1e-5, "Learning rate", "Used by apply and by exports; no effect on memory.", gt=0, le=10
    )
    momentum: float = option(
        0.0,
        "Momentum",
        "Above zero, one more state a parameter.",
        when="name=sgd,rmsprop",
        ge=0,
        lt=1,
    )
    weight_decay: float = option(
        0.01, "Weight decay", "Used by apply and by exports; no effect on memory.", ge=0, le=10
    )

    @model_validator(mode="after")
    def _implementation_exists(self) -> Optimizer:
        if self.implementation == "fused" and self.name not in FUSED:
            raise ValueError(
                f"torch has no fused {self.name}; "
                f"choose foreach, or one of {', '.join(sorted(FUSED))}"
            )
        if self.implementation in FEW_BITS and self.name not in IN_FEW_BITS:
            raise ValueError(
                f"{self.implementation} is an implementation of adamw and adam, not of "
                f"{self.name}; choose adamw, or implementation auto"
            )
        return self

    @property
    def summary(self) -> str:
        """Such as ``adamw, foreach``."""
        parts: list[str] = [self.name]
        if self.implementation != "auto":
            parts.append(self.implementation.replace("_", " "))
        if self.projection == "galore":
            parts.append(f"GaLore rank {self.rank}")
        if self.update == "in_backward":
            parts.append("in backward")
        return ", ".join(parts)
