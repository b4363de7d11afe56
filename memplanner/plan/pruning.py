"""The section ``pruning``: weights, MLP widths, heads or whole blocks that are taken away."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.linear_layers import Layers, names_option
from memplanner.plan.section import Section, choices, option

Structure = Annotated[
    Literal["none", "unstructured", "n_m", "structured"],
    choices(
        ("none", "None", "Every weight stays."),
        ("unstructured", "Single weights", "Zeros wherever the scores are lowest."),
        ("n_m", "N of M", "In each M weights of a row only N stay, such as 2 of 4."),
        (
            "structured",
            "Widths, heads, blocks",
            "Smaller matrices and fewer blocks. Saves memory now.",
        ),
    ),
]
Method = Annotated[
    Literal["magnitude", "taylor", "wanda", "sparsegpt"],
    choices(
        ("magnitude", "Magnitude", "The size of a weight; needs no data."),
        ("taylor", "Taylor", "Gradient × weight: what the loss would change by."),
        ("wanda", "Wanda", "The size of a weight × the norm of its input."),
        ("sparsegpt", "SparseGPT", "As the layer's Hessian says; the weights that stay make up."),
    ),
]
Scope = Annotated[
    Literal["per_layer", "global"],
    choices(
        ("per_layer", "Each layer", "The same share of every layer."),
        ("global", "All layers together", "More where scores are low. Numerics only."),
    ),
]
KeptAs = Annotated[
    Literal["masks", "zeros", "packed"],
    choices(
        (
            "masks",
            "Masks",
            "Zeros stay zero while training; a mask and a product as large as the weight beside "
            "it. Takes more memory.",
        ),
        (
            "zeros",
            "Zeros",
            "Written into the dense weight, and trained on like any number. Numerics only.",
        ),
        (
            "packed",
            "Packed",
            "Only what is not zero, and a bit a weight to say where; frozen. Saves memory now.",
        ),
    ),
]
BlockChoice = Annotated[
    Literal["deepest", "influence"],
    choices(
        ("deepest", "The deepest but the last", "A run of blocks before the last; needs no data."),
        ("influence", "Those that change least", "By the angle between their input and output."),
    ),
]


class Pruning(Section):
    """What is taken away before training; the rest is trained on."""

    title: ClassVar[str] = "Pruning"
    explanation: ClassVar[str] = (
        "Takes weights away before training. Narrower MLPs, fewer heads or blocks are smaller now; "
        "zeros in dense weights save nothing, and masks take more."
    )

    structure: Structure = option("none", "What", "What is taken away together.")
    method: Method = option(
        "magnitude",
        "Scores",
        "Which weights matter least. Numerics only.",
        when="structure=unstructured,n_m,structured",
    )
    ratio: float = option(
        0.5, "Ratio", "The share of weights that become zero.", when="structure=unstructured",
        gt=0, lt=1,
    )  # fmt: skip
    scope: Scope = option(
        "per_layer", "Compared", "Where scores are compared.", when="structure=unstructured"
    )
    n: int = option(
        2, "N", "Weights that stay of each M.", when="structure=n_m", ge=1, le=63,
        suggestions=(1, 2, 4),
    )  # fmt: skip
    m: int = option(
        4, "M", "Weights of a row that are compared.", when="structure=n_m", ge=2, le=64,
        suggestions=(2, 4, 8),
    )  # fmt: skip
    layers: Layers = option(
        "all_but_head", "Layers", "Which layers get zeros.", when="structure=unstructured,n_m"
    )
    target_modules: tuple[str, ...] = names_option()
    kept_as: KeptAs = option(
        "masks", "Kept as", "How the zeros are kept.", when="structure=unstructured,n_m"
    )
    mlp_ratio: float = option(
        0.25,
        "MLP width",
        "The share of every MLP's inner width that goes.",
        when="structure=structured",
        ge=0,
        lt=1,
    )
    width_multiple: int = option(
        8,
        "Width is a multiple of",
        "Widths are rounded to it; products in half precision want 8, tensor cores like 64.",
        when="structure=structured",
        ge=1,
        le=1024,
        suggestions=(1, 8, 64, 128),
    )
    head_ratio: float = option(
        0.0,
        "Heads",
        "The share of attention heads that go, each key and value head with its queries.",
        when="structure=structured",
        ge=0,
        lt=1,
    )
    block_ratio: float = option(
        0.0,
        "Blocks",
        "The share of blocks that go.",
        when="structure=structured",
        ge=0,
        lt=1,
    )
    block_choice: BlockChoice = option(
        "deepest", "Which blocks", "Which blocks go.", when="structure=structured"
    )
    calibration_batches: int = option(
        4,
        "Batches for scores",
        "Micro-batches of the run's data that scores are taken from.",
        when="method=taylor,wanda,sparsegpt",
        ge=1,
        le=1024,
        suggestions=(4, 16, 64),
    )

    @property
    def summary(self) -> str:
        """Such as ``2:4 as masks`` or ``MLP 25 %, blocks 10 %``."""
        if self.structure == "unstructured":
            return f"{self.ratio:.0%} as {self.kept_as}"
        if self.structure == "n_m":
            return f"{self.n}:{self.m} as {self.kept_as}"
        if self.structure == "none":
            return "off"
        shares = (
            ("MLP", self.mlp_ratio), ("heads", self.head_ratio), ("blocks", self.block_ratio),
        )  # fmt: skip
        return ", ".join(f"{name} {share:.0%}" for name, share in shares if share) or "off"

    @property
    def needs_data(self) -> bool:
        """Whether scores are taken from batches."""
        if self.structure == "none":
            return False
        by_influence = self.block_choice == "influence" and self.block_ratio > 0
        return self.method != "magnitude" or (self.structure == "structured" and by_influence)

    def takes_effect(self, name: str) -> bool:
        """As every section says, but for batches: scores of blocks may want them, too."""
        return self.needs_data if name == "calibration_batches" else super().takes_effect(name)
