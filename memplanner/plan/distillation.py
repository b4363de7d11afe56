"""The section ``distillation``: a small student that learns from the opened model."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

Student = Annotated[
    Literal["none", "smaller", "budget", "source"],
    choices(
        ("none", "None", "The opened model itself is trained."),
        (
            "smaller",
            "Made smaller",
            "The opened model with fewer blocks, narrower or with fewer heads; it keeps the "
            "weights that fit.",
        ),
        (
            "budget",
            "Searched for",
            "The most balanced depth × width × heads whose weights fit a number of bytes.",
        ),
        ("source", "Another model", "Chosen separately; its vocabulary must be the teacher's."),
    ),
]
TeacherPrecision = Annotated[
    Literal["as_plan", "fp32", "bf16", "fp16"],
    choices(
        ("as_plan", "As the precision says", "The type that the student's parameters have."),
        ("fp32", "fp32", "Four bytes a weight."),
        ("bf16", "bf16", "Two bytes a weight. Saves memory beside a student in fp32."),
        ("fp16", "fp16", "Two bytes a weight."),
    ),
]
TeacherQuantization = Annotated[
    Literal["none", "linear_8", "linear_4", "nf4"],
    choices(
        ("none", "None", "Every weight keeps its type."),
        ("linear_8", "8 bits", "Linear layers in groups of 64. Saves memory now."),
        ("linear_4", "4 bits", "Linear layers in groups of 64. Saves memory now."),
        ("nf4", "NF4", "QLoRA's 4 bits with double quantization. Saves memory now."),
    ),
]
TeacherOffload = Annotated[
    Literal["none", "host"],
    choices(
        ("none", "None", "The teacher's weights stay on the device."),
        (
            "host",
            "Host memory",
            "Each block's weights come to the device for its forward alone. Costs their time on "
            "the bus every step.",
        ),
    ),
]
TeacherLogits = Annotated[
    Literal["live", "ahead"],
    choices(
        ("live", "Each step", "The teacher runs before the student, in every step."),
        (
            "ahead",
            "Ahead of time",
            "They come with the batch, and the teacher is not on the device. Saves memory now.",
        ),
    ),
]
_ON = "student=smaller,budget,source"


class Distillation(Section):
    """The opened model is the frozen teacher; every other section speaks of the student."""

    title: ClassVar[str] = "Distillation"
    explanation: ClassVar[str] = (
        "Trains a smaller student on what the opened model, its frozen teacher, makes of the same "
        "data. Every other section is about the student."
    )

    student: Student = option("none", "Student", "Where the student comes from.")
    student_source: str = option(
        "",
        "The other model",
        "preset:NAME, a folder, a file or a hub id, as for opening a model.",
        when="student=source",
        max_length=4096,
    )
    block_ratio: float = option(
        0.5,
        "Fewer blocks",
        "The share of blocks that go; those that stay are spread evenly, first and last included.",
        when="student=smaller",
        ge=0,
        lt=1,
    )
    mlp_ratio: float = option(
        0.0,
        "Narrower MLPs",
        "The share of every MLP's inner width that goes; the largest weights stay.",
        when="student=smaller",
        ge=0,
        lt=1,
    )
    head_ratio: float = option(
        0.0,
        "Fewer heads",
        "The share of attention heads that go, each key and value head with its queries.",
        when="student=smaller",
        ge=0,
        lt=1,
    )
    hidden_ratio: float = option(
        0.0,
        "Narrower hidden states",
        "The share of the width between blocks that goes; where a class knows no size of heads, "
        "heads go with it.",
        when="student=smaller",
        ge=0,
        lt=1,
    )
    budget_mib: int = option(
        256,
        "Budget, MiB",
        "What the student's weights may take in the plan's precision.",
        when="student=budget",
        ge=1,
        le=2**20,
        suggestions=(64, 128, 256, 512, 1024, 2048, 4096),
    )
    width_multiple: int = option(
        8,
        "Width is a multiple of",
        "Widths are rounded to it; products in half precision want 8, tensor cores like 64.",
        when="student=smaller,budget",
        ge=1,
        le=1024,
        suggestions=(1, 8, 64, 128),
    )
    teacher_logits: TeacherLogits = option(
        "live", "Teacher's logits", "When they are computed.", when=_ON
    )
    top_k: int = option(
        0,
        "Logits of a position",
        "How many of the teacher's are kept, the largest; the rest is one more class. 0: all.",
        when=_ON,
        ge=0,
        le=2**20,
        suggestions=(0, 16, 64, 256),
    )
    teacher_precision: TeacherPrecision = option(
        "as_plan", "Teacher's precision", "The type of the teacher's weights.", when=_ON
    )
    teacher_quantization: TeacherQuantization = option(
        "none", "Teacher's weights in", "Its linear layers but the head in few bits.", when=_ON
    )
    teacher_offload: TeacherOffload = option(
        "none", "Teacher's weights lie in", "Where they are kept.", when="teacher_logits=live"
    )
    label_weight: float = option(
        0.5, "Weight of the labels", "Of the student's own loss.", when=_ON, ge=0, le=1e6
    )
    logits_weight: float = option(
        0.5,
        "Weight of the logits",
        "Of the divergence from the teacher's distribution, times temperature².",
        when=_ON,
        ge=0,
        le=1e6,
    )
    temperature: float = option(
        2.0,
        "Temperature",
        "Softens both distributions: above 1, unlikely classes count more. Numerics only.",
        when=_ON,
        gt=0,
        le=1000,
    )
    hidden_weight: float = option(
        0.0,
        "Weight of hidden states",
        "Of the squared error between the student's and the teacher's, layer by layer.",
        when=_ON,
        ge=0,
        le=1e6,
    )
    attention_weight: float = option(
        0.0,
        "Weight of attention",
        "Of the squared error between attention maps; needs attention.kernel=eager.",
        when=_ON,
        ge=0,
        le=1e6,
    )

    @property
    def summary(self) -> str:
        """Such as ``blocks −50 %`` or ``student in 256 MiB``."""
        if self.student == "none":
            return "off"
        if self.student == "source":
            return self.student_source or "another model"
        if self.student == "budget":
            return f"student in {self.budget_mib} MiB"
        shares = (
            ("blocks", self.block_ratio), ("MLP", self.mlp_ratio), ("heads", self.head_ratio),
            ("hidden", self.hidden_ratio),
        )  # fmt: skip
        return ", ".join(f"{name} −{share:.0%}" for name, share in shares if share) or "a copy"

    @property
    def compares_layers(self) -> bool:
        """Whether something inside the models is compared, and not only their logits."""
        return self.student != "none" and (self.hidden_weight > 0 or self.attention_weight > 0)
