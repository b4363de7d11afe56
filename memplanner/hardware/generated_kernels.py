"""How far the kernels that inductor generates may be from what is predicted of them."""

from __future__ import annotations

from memplanner.hardware.margin import Margin
from memplanner.hardware.overhead import row_of
from memplanner.messages.estimate import OverheadRow

GENERATED_LOW, GENERATED_HIGH = -0.06, 0.02
"""Measured peak over the predicted one, less one: of steps compiled by torch 2.13's inductor on a
CPU (Llama, ViT, GPT-2, BERT) the extremes, rounded away from nought;
``tests/techniques/test_compilation_inductor.py`` measures some of them again."""
RECOMPUTED_LOW = -0.13
"""The lower extreme of those whose blocks compute again what they did not keep. Operations that
read the same tensor are one kernel then, after which it is freed (``torch/_inductor/scheduler.py``:
``can_fuse_horizontal``); here each has its own place in the graph."""
_SOURCE = "what inductor fuses, against steps compiled on a CPU"


def generated_kernels(allocated_bytes: int, *, recomputes: bool) -> OverheadRow:
    """The margin of a step whose blocks inductor compiles, as a row that is nought as expected."""
    low = RECOMPUTED_LOW if recomputes else GENERATED_LOW
    margin = Margin(round(low * allocated_bytes), 0, round(GENERATED_HIGH * allocated_bytes))
    return row_of("Generated kernels", margin, _SOURCE)
