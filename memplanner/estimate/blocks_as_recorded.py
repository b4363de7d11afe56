"""Which recordings are the same although plans name other blocks.

Where all blocks of a list are alike, it does not matter how many of them a plan says something of:
a recording has the first few of each run, and stands for runs of any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from memplanner.estimate.composing import Keys
from memplanner.estimate.named_blocks import sayings
from memplanner.estimate.periods import KEPT, Cut
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan


@dataclass(frozen=True, slots=True)
class AlikeBlocks:
    """The lists of a module: paths and lengths. Nothing else of it is named by numbers."""

    lists: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, module: nn.Module) -> AlikeBlocks | None:
        """None where some blocks of a list are not like the others."""
        found = block_lists(module)
        alike = all(
            [(run.start, run.period, run.stop) for run in blocks.runs] == [(0, 1, blocks.length)]
            for blocks in found
        )
        return cls(tuple((blocks.path, blocks.length) for blocks in found)) if alike else None

    def _left(self, cuts: Sequence[Cut]) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The numbers of the blocks that the cuts leave of each list."""
        gone = {
            (cut.path, number)
            for cut in cuts
            for number in range(cut.start + KEPT * cut.period, cut.stop)
        }
        return tuple(
            (path, tuple(number for number in range(length) if (path, number) not in gone))
            for path, length in self.lists
        )

    def keys(self, plan: Plan, cuts: Sequence[Cut]) -> Keys | None:
        """The same for all plans whose recordings are the same.

        None where a plan names anything but whole blocks, or names blocks in other sections.
        """
        checkpointing, offload = plan.activation_checkpointing, plan.activation_offload
        plain = plan.model_copy(
            update={
                "activation_checkpointing": checkpointing.model_copy(update={"modules": ()}),
                "activation_offload": offload.model_copy(update={"modules": ()}),
            }
        )
        recomputed, away = frozenset(checkpointing.modules), frozenset(offload.modules)
        known = {_name(path, number) for path, length in self.lists for number in range(length)}
        if sayings(plain) or not recomputed | away <= known:
            return None
        left = self._left(cuts)
        said = []
        for path, numbers in left:
            names = [_name(path, number) for number in numbers]
            said.append((path, tuple((name in recomputed, name in away) for name in names)))
        return Keys(
            plain,
            (bool(recomputed), bool(away), tuple(said)),
            # an update does not know which blocks they are
            tuple((path, len(numbers)) for path, numbers in left),
        )


def _name(path: str, number: int) -> str:
    return f"{path}.{number}" if path else str(number)
