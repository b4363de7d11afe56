"""What the kernels of one steady step do: operations, and bytes read and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
import numpy.typing as npt

from memplanner.messages.estimate import Phase
from memplanner.tape.collectives import Collective

Array = npt.NDArray[np.int64]

PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
PRECISIONS = ("fp32", "bf16", "fp16", "fp8", "int8")
"""What products are computed from; other types count as ``fp32``."""
KINDS = (
    "other", "product", "attention", "causal_attention", "transfer", "host", "communication",
)  # fmt: skip
"""``causal_attention`` leaves out the half of the scores that a mask would hide; ``transfer`` is
between the device and host memory, ``host`` a kernel that works on host memory alone."""
OTHER, PRODUCT, ATTENTION, CAUSAL_ATTENTION, TRANSFER, HOST_KERNEL, COMMUNICATION = range(
    len(KINDS)
)
PARTS = ("step", "recomputation", "optimizer")
STEP, RECOMPUTATION, OPTIMIZER = range(len(PARTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One row for each kernel, or for each module's share of one; in the order of the step.

    The amounts of a row stay apart, so that each of them follows a form in batch and sequence:
    ``amount_bytes[i]`` belongs to row ``amount_row[i]``.
    """

    operation: Array
    """Of each row: the place of its name in ``names``."""
    names: tuple[str, ...]
    module: Array
    phase: Array
    """Place in ``PHASES``."""
    micro_batch: Array
    """In a generation the number of the token."""
    part: Array
    """Place in ``PARTS``."""
    kind: Array
    """Place in ``KINDS``."""
    precision: Array
    """Place in ``PRECISIONS``."""
    flops: Array
    """A multiplication and an addition are two, as ``torch.utils.flop_counter`` counts."""
    launches: Array
    """Kernels that the host starts for it."""
    peers: Array
    """Of communication: place in ``collectives``; −1 for the rest."""
    collectives: tuple[Collective, ...]
    amount_row: Array
    amount_bytes: Array
    """Read or written, one tensor each; of communication the whole that is sent."""
    count: Array
    """How many rows of the whole model each stands for."""

    def __len__(self) -> int:
        return len(self.operation)

    @property
    def moved_bytes(self) -> Array:
        """Of each row: what it reads and writes."""
        sums = np.bincount(self.amount_row, weights=self.amount_bytes, minlength=len(self))
        return sums.astype(np.int64)

    def repeated(self, modules: Array, copies: int) -> Work:
        """The work when each of ``modules`` stands for ``copies`` more that are like it."""
        inside = np.isin(self.module, modules)
        return replace(self, count=np.where(inside, self.count * (copies + 1), self.count))

    def same_structure(self, other: Work) -> bool:
        """Whether two are the same but for amounts."""
        return (
            self.names == other.names
            and np.array_equal(self.operation, other.operation)
            and np.array_equal(self.module, other.module)
            and np.array_equal(self.amount_row, other.amount_row)
            and np.array_equal(self.part, other.part)
        )


def nothing() -> Work:
    """The work of a tape of which no work is known."""
    none = np.zeros(0, dtype=np.int64)
    return Work(
        operation=none, names=(), module=none, phase=none, micro_batch=none, part=none, kind=none,
        precision=none, flops=none, launches=none, peers=none, collectives=(), amount_row=none,
        amount_bytes=none, count=none,
    )  # fmt: skip


def columns(rows: Sequence[tuple[int, ...]], width: int) -> Array:
    """Rows of numbers as columns, shaped (width, rows)."""
    return np.array(rows, dtype=np.int64).reshape(len(rows), width).T.copy()
