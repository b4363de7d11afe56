"""The section ``training``: how much data a step takes, and the loop around it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

ZeroGrad = Annotated[
    Literal["before_forward", "before_backward", "after_step"],
    choices(
        ("after_step", "After the step", "Gradients are gone before the next forward."),
        ("before_forward", "Before forward", "Gradients stay until the next step begins."),
        ("before_backward", "Before backward", "Gradients are alive during the next forward."),
    ),
]
Outputs = Annotated[
    Literal["until_loss", "until_step_end", "until_next_output"],
    choices(
        ("until_loss", "Dropped after the loss", "As Hugging Face's Trainer does."),
        ("until_step_end", "Kept to the end of the step", "As a step function does."),
        (
            "until_next_output",
            "Kept until replaced",
            "As a plain loop does: the last outputs are alive in the next forward.",
        ),
    ),
]


class Training(Section):
    """Batch, sequence, accumulation and the order of the training loop."""

    title: ClassVar[str] = "Batch"
    explanation: ClassVar[str] = (
        "How many samples and tokens one forward takes, and how many forwards make a step. "
        "Activations grow with both; accumulation trades memory for time at the same batch."
    )

    batch_size: int = option(
        1,
        "Micro-batch",
        "Samples in one forward and backward on one device.",
        ge=1,
        le=2**20,
        suggestions=(1, 2, 4, 8, 16, 32),
    )
    sequence_length: int = option(
        2048,
        "Sequence",
        "Tokens in one sample; ignored by models that take no sequence.",
        ge=1,
        le=2**24,
        suggestions=(512, 1024, 2048, 4096, 8192, 16384),
    )
    gradient_accumulation_steps: int = option(
        1,
        "Accumulate",
        "Micro-batches whose gradients are added up before one optimizer step.",
        ge=1,
        le=2**16,
        suggestions=(1, 2, 4, 8, 16),
    )
    zero_grad: ZeroGrad = option(
        "after_step", "Gradients are cleared", "Where the loop sets the gradients to None."
    )
    outputs: Outputs = option(
        "until_step_end", "Outputs are kept", "How long the loop refers to the model's outputs."
    )

    @property
    def summary(self) -> str:
        """Such as ``1 × 4096, 8 micro-batches``."""
        text = f"{self.batch_size} × {self.sequence_length}"
        if self.gradient_accumulation_steps > 1:
            text += f", {self.gradient_accumulation_steps} micro-batches"
        return text
