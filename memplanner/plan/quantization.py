"""The section ``quantization``: weights kept in few bits, and expanded where they are used."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.linear_layers import Layers, names_option
from memplanner.plan.section import Section, choices, option

Method = Annotated[
    Literal["none", "linear", "nf4", "companding"],
    choices(
        ("none", "None: as the precision says", "Every weight keeps its type."),
        ("linear", "Linear", "Evenly spaced levels between two limits. Saves memory now."),
        (
            "nf4",
            "NF4",
            "QLoRA's 4 bits, spaced for normally distributed weights. Saves memory now.",
        ),
        ("companding", "Companding", "Evenly spaced levels behind a curve. Saves memory now."),
    ),
]
Granularity = Annotated[
    Literal["group", "channel", "tensor"],
    choices(
        ("group", "Group", "One scale for this many weights in a row."),
        ("channel", "Channel", "One scale an output channel."),
        ("tensor", "Tensor", "One scale a weight matrix: one outlier widens every step."),
    ),
]
Clipping = Annotated[
    Literal["none", "minimum_mse"],
    choices(
        ("none", "None", "The limits are the smallest and the largest weight."),
        ("minimum_mse", "Least squared error", "The limits are searched. Numerics only."),
    ),
]
Curve = Annotated[
    Literal["mu_law", "sigmoid"],
    choices(
        ("mu_law", "µ-law", "Logarithmic: fine steps near zero. Numerics only."),
        ("sigmoid", "Sigmoid", "Nearly even near zero, coarse at the ends. Numerics only."),
    ),
]
ComputeType = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"],
    choices(
        ("auto", "As the precision says", "The type of the layer's input, or autocast's."),
        ("bf16", "bf16", "Products in bf16, whatever the layers around."),
        ("fp16", "fp16", "Products in fp16, whatever the layers around."),
        ("fp32", "fp32", "Products in fp32; the expanded weight takes four bytes a number."),
    ),
]


class Quantization(Section):
    """The weights of linear layers in few bits; they are frozen, and adapters train beside them."""

    title: ClassVar[str] = "Quantization"
    explanation: ClassVar[str] = (
        "Keeps the frozen weights of linear layers in few bits and expands one layer at a time "
        "for its product. Weights shrink to bits ÷ 16 of half precision, plus their scales."
    )

    method: Method = option("none", "Method", "How a weight becomes a few bits.")
    bits: int = option(
        4,
        "Bits",
        "Of a weight, packed without gaps.",
        when="method=linear,companding",
        ge=2,
        le=8,
        suggestions=(2, 3, 4, 8),
    )
    granularity: Granularity = option(
        "group", "Scales", "Which weights share a scale.", when="method=linear,companding"
    )
    group_size: int = option(
        64,
        "Group",
        "Weights in a group, counted over the flattened matrix.",
        when="granularity=group",
        ge=8,
        le=65536,
        suggestions=(32, 64, 128, 256),
    )
    symmetric: bool = option(
        False,
        "Symmetric",
        "Levels around zero, and one number a scale instead of two.",
        when="method=linear",
    )
    clipping: Clipping = option(
        "none", "Clipping", "Where the outermost levels lie.", when="method=linear,companding"
    )
    curve: Curve = option("mu_law", "Curve", "The companding curve.", when="method=companding")
    curvature: float = option(
        2.0,
        "Curvature",
        "The µ of the law, or the steepness of the sigmoid: 2 suits normally distributed weights. "
        "Numerics only.",
        when="method=companding",
        gt=0,
        le=255,
    )
    double_quantization: bool = option(
        True,
        "Double quantization",
        "Keeps the scales in 8 bits: 0.37 bits a weight less.",
        when="method=nf4",
    )
    layers: Layers = option(
        "all_but_head", "Layers", "Which layers.", when="method=linear,nf4,companding"
    )
    target_modules: tuple[str, ...] = names_option()
    compute_type: ComputeType = option(
        "auto",
        "Products in",
        "The type that a weight is expanded to.",
        when="method=linear,nf4,companding",
    )

    @property
    def summary(self) -> str:
        """Such as ``linear, 4 bits``."""
        if self.method == "none":
            return "off"
        return "NF4" if self.method == "nf4" else f"{self.method}, {self.bits} bits"
