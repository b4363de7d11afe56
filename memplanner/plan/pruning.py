"""The section ``pruning``: weights, MLP widths, heads or whole blocks that are taken away."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import field_validator

from memplanner.plan.linear_layers import Layers, names_option
from memplanner.plan.per_layer import parse
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
    Literal["magnitude", "taylor", "fisher", "wanda", "sparsegpt"],
    choices(
        ("magnitude", "Magnitude", "The size of a weight; needs no data."),
        ("taylor", "Taylor", "Gradient × weight: what the loss would change by."),
        ("fisher", "Fisher", "Weight² × mean gradient²: the same, by the Hessian's diagonal."),
        ("wanda", "Wanda", "The size of a weight × the norm of its input."),
        ("sparsegpt", "SparseGPT", "As the layer's Hessian says; the weights that stay make up."),
    ),
]
Select = Annotated[
    Literal["ratio", "threshold"],
    choices(
        ("ratio", "A share", "As many weights as the ratio says."),
        ("threshold", "What is small", "Every weight below the threshold, however many."),
    ),
]
ThresholdOf = Annotated[
    Literal["weights", "deviation"],
    choices(
        ("weights", "Size of a weight", "The threshold is a weight's size."),
        ("deviation", "Deviations of its layer", "Times the standard deviation of the layer."),
    ),
]
Schedule = Annotated[
    Literal["once", "constant", "polynomial"],
    choices(
        ("once", "Before training", "Everything goes before the first step."),
        ("constant", "Chosen anew", "The whole share from the first step named, chosen again."),
        ("polynomial", "More and more", "From none to the whole share, fast first, then slower."),
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
    select: Select = option(
        "ratio", "Chosen by", "What decides how many weights go.", when="structure=unstructured"
    )
    threshold: float = option(
        0.5, "Threshold", "Weights below it become zero.", when="select=threshold", gt=0, le=1e6
    )
    threshold_of: ThresholdOf = option(
        "deviation", "Threshold is in", "What the threshold is a number of.",
        when="select=threshold",
    )  # fmt: skip
    per_layer: tuple[str, ...] = option(
        (),
        "Ratios by layer",
        "Other ratios for some layers, as *.mlp.*=0.7; the last that fits a layer holds.",
        when="structure=unstructured",
    )
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
    schedule: Schedule = option(
        "once", "When", "When zeros are chosen.", when="structure=unstructured,n_m"
    )
    first_step: int = option(
        1, "First step", "The optimizer step after which zeros are chosen first.",
        when="schedule=constant,polynomial", ge=1, suggestions=(1, 100, 1000),
    )  # fmt: skip
    last_step: int = option(
        1000, "Last step", "The optimizer step after which they stay as they are.",
        when="schedule=constant,polynomial", ge=1, suggestions=(1000, 10000),
    )  # fmt: skip
    every: int = option(
        100, "Every", "Optimizer steps from one choice to the next.",
        when="schedule=constant,polynomial", ge=1, suggestions=(1, 10, 100),
    )  # fmt: skip
    exponent: float = option(
        3.0, "Exponent", "How much of the share goes early; 1 is even, 3 the published one.",
        when="schedule=polynomial", gt=0, le=16,
    )  # fmt: skip
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
    channel_ratio: float = option(
        0.0,
        "Channels",
        "The share of channels between two convolutions that go, where nothing else takes them.",
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
        when="method=taylor,fisher,wanda,sparsegpt",
        ge=1,
        le=1024,
        suggestions=(4, 16, 64),
    )

    @field_validator("per_layer")
    @classmethod
    def _are_ratios(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for pattern, value in parse(texts):
            if not _is_ratio(value):
                raise ValueError(
                    f"“{pattern}={value}” is no ratio; write a number from 0 to below 1"
                )
        return texts

    @property
    def summary(self) -> str:
        """Such as ``2:4 as masks`` or ``MLP 25 %, blocks 10 %``."""
        if self.structure in ("unstructured", "n_m"):
            how = "" if self.schedule == "once" else f", {self.schedule}"
            return f"{self._share} as {self.kept_as}{how}"
        if self.structure == "none":
            return "off"
        shares = (
            ("MLP", self.mlp_ratio), ("heads", self.head_ratio), ("blocks", self.block_ratio),
            ("channels", self.channel_ratio),
        )  # fmt: skip
        return ", ".join(f"{name} {share:.0%}" for name, share in shares if share) or "off"

    @property
    def _share(self) -> str:
        """What becomes zero, such as ``50%``, ``2:4`` or ``below 0.5 σ``."""
        if self.structure == "n_m":
            return f"{self.n}:{self.m}"
        if self.select == "threshold":
            return f"below {self.threshold:g}{' σ' if self.threshold_of == 'deviation' else ''}"
        return f"{self.ratio:.0%}"

    @property
    def is_gradual(self) -> bool:
        """Whether zeros are chosen while training, and none before."""
        return self.structure in ("unstructured", "n_m") and self.schedule != "once"

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


def _is_ratio(text: str) -> bool:
    try:
        return 0 <= float(text) < 1
    except ValueError:
        return False
