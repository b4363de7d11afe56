"""The section ``compilation``: the repeated blocks compiled by ``torch.compile``."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from memplanner.plan.section import Section, choices, option

Mode = Annotated[
    Literal["none", "blocks"],
    choices(
        ("none", "As written", "Every operation is a call of its own."),
        ("blocks", "Each block", "The repeated blocks are compiled, one graph for alike ones."),
    ),
]
Backend = Annotated[
    Literal["inductor", "aot_eager_decomp_partition"],
    choices(
        ("inductor", "Inductor", "Generated kernels: what a chain of small operations makes "
         "between them takes no memory."),
        ("aot_eager_decomp_partition", "Graphs only", "The same graphs, operation by operation: "
         "no compiler is needed, and no time is saved."),
    ),
]  # fmt: skip


class Compilation(Section):
    """What ``torch.compile`` makes of the blocks, and what they keep for backward."""

    title: ClassVar[str] = "Compilation"
    explanation: ClassVar[str] = (
        "torch.compile puts a block's forward and backward into two graphs, and keeps between "
        "them what costs least time. A memory budget below 1 keeps less and computes more again."
    )

    mode: Mode = option("none", "Compile", "What is compiled.")
    backend: Backend = option("inductor", "Backend", "What runs the graphs.", when="mode=blocks")
    memory_budget: float = option(
        1.0,
        "Memory budget",
        "From 1, the fastest, to 0, where a block keeps its inputs alone: the share of what the "
        "fastest keeps for backward (torch's activation_memory_budget).",
        when="mode=blocks",
        ge=0.0,
        le=1.0,
    )

    @property
    def summary(self) -> str:
        """Such as ``blocks, budget 0.5``."""
        if self.mode == "none":
            return "off"
        return "blocks" + (f", budget {self.memory_budget:g}" if self.memory_budget < 1 else "")
