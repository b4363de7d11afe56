"""The section ``quantization``: weights kept in few bits, and expanded where they are used."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import field_validator

from memplanner.plan.linear_layers import Layers, names_option
from memplanner.plan.per_layer import parse
from memplanner.plan.section import Section, choices, option

LAYER_VALUES = ("16", "8", "7", "6", "5", "4", "3", "2", "nf4")
"""What ``per_layer`` takes: 16 leaves a layer as it is."""

Method = Annotated[
    Literal["none", "linear", "nf4", "companding", "qat", "dynamic_int8", "fp8"],
    choices(
        ("none", "None: as the precision says", "Every weight keeps its type."),
        ("linear", "Linear", "Evenly spaced levels between two limits. Saves memory now."),
        (
            "nf4",
            "NF4",
            "QLoRA's 4 bits, spaced for normally distributed weights. Saves memory now.",
        ),
        ("companding", "Companding", "Evenly spaced levels behind a curve. Saves memory now."),
        (
            "qat",
            "Quantization-aware training",
            "Trains whole weights and computes with them rounded, so that the model loses less "
            "when it is quantized afterwards. Takes more memory now.",
        ),
        (
            "dynamic_int8",
            "Dynamic int8",
            "Weights in int8, inputs too as they come, products of integers. For use, not for "
            "training. Saves memory now.",
        ),
        (
            "fp8",
            "fp8 products",
            "Trains whole weights with products of 8-bit floating numbers: faster on cards of "
            "compute capability 8.9 and newer. Saves no memory.",
        ),
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
    """The weights of linear layers in few bits: frozen, or rounded while they are trained."""

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
        when="method=linear,companding,qat",
        ge=2,
        le=8,
        suggestions=(2, 3, 4, 8),
    )
    granularity: Granularity = option(
        "group", "Scales", "Which weights share a scale.", when="method=linear,companding,qat"
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
        when="method=linear,qat",
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
        "all_but_head",
        "Layers",
        "Which layers.",
        when="method=linear,nf4,companding,qat,dynamic_int8,fp8",
    )
    target_modules: tuple[str, ...] = names_option()
    per_layer: tuple[str, ...] = option(
        (),
        "Per layer",
        "PATTERN=BITS for some of them, such as mlp.down_proj=8 or model.layers.0.*=16; the last "
        "that matches counts. 16 leaves a layer as it is; 2 to 8 are the method's own bits, linear "
        "ones under NF4; nf4 is NF4.",
        when="method=linear,nf4,companding",
    )
    compute_type: ComputeType = option(
        "auto",
        "Products in",
        "The type that a weight is expanded to.",
        when="method=linear,nf4,companding,qat",
    )
    round_inputs: bool = option(
        False,
        "Round inputs",
        "Inputs to int8 too, with a scale a token, as dynamic int8 would. Numerics only.",
        when="method=qat",
    )

    @field_validator("per_layer")
    @classmethod
    def _know_values(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for pattern, value in parse(texts):
            if value not in LAYER_VALUES:
                raise ValueError(f"“{pattern}={value}” is no choice; choose 16, 2 to 8 bits or nf4")
        return texts

    @property
    def summary(self) -> str:
        """Such as ``linear, 4 bits``."""
        if self.method == "none":
            return "off"
        words = {
            "nf4": "NF4",
            "qat": f"rounded to {self.bits} bits",
            "dynamic_int8": "dynamic int8",
            "fp8": "fp8 products",
        }.get(self.method, f"{self.method}, {self.bits} bits")
        return f"{words}, some otherwise" if self.per_layer else words
