"""What a plan that fits recomputes, or keeps on the host, beyond need: given back by the budget.

Recomputing every block mostly leaves memory unused that blocks could keep. How much is kept goes
up a ladder of plans; memory does not fall along it, so the highest rung that fits is found by
narrowing down, each probe an estimate of its own. Three ladders are known:

- all blocks keep what spares the most time for a number of bytes (the policy ``budget``);
- fewer blocks are recomputed, the first ones: what they keep lives longest, and those that keep
  everything are through with backward before the first block is recomputed;
- fewer blocks keep their activations on the host, again the first ones, which backward wants last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from memplanner.errors import MemplannerError
from memplanner.estimate.on_device import RESERVED_SPREAD
from memplanner.model.blocks import block_lists
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.section import Section
from memplanner.search.evaluation import Evaluation
from memplanner.search.figures import DeviceFigures
from memplanner.tape.checkpoint_survey import kept_sizes
from memplanner.techniques.prepare import check
from memplanner.units import format_bytes

CHECKPOINTING, OFFLOAD = "activation_checkpointing", "activation_offload"
_MIB = 2**20
_GUESSES = 4
"""Probes that follow what memory is thought to be; further ones halve what is left."""


class Rung(NamedTuple):
    """A way to keep more than the rung below."""

    section: Section
    words: str
    """For tags, such as ``recompute 20 of 32 blocks``."""
    more_bytes: int
    """What it is thought to take beyond the lowest: where to look first, and nothing else."""


class Found(NamedTuple):
    """The highest rung that fits."""

    plan: Plan
    section: Section
    words: str
    known: DeviceFigures


@dataclass(frozen=True, slots=True)
class Ladder:
    """Rungs of one section, from the least memory on."""

    name: str
    lowest: Section
    """Of the plan that takes least, which is no rung."""
    rungs: tuple[Rung, ...]

    def plan(self, plan: Plan, place: int) -> Plan:
        """The plan at a rung, or with −1 below all of them."""
        section = self.lowest if place < 0 else self.rungs[place].section
        return plan.model_copy(update={self.name: section})


def ladders(plan: Plan, evaluation: Evaluation, allowed: Callable[[str], bool]) -> list[Ladder]:
    """The ladders that ``plan`` stands on; ``allowed`` says whether a key may be changed.

    None where blocks are not known by their names (of stages, or where some are pruned away), and
    for what is compiled, which keeps by a budget of its own.
    """
    if plan.sharding.pipeline > 1 or plan.pruning.structure == "structured":
        return []
    if plan.distillation.student != "none" or plan.compilation.mode != "none":
        return []
    found = []
    checkpointing = plan.activation_checkpointing
    if checkpointing.policy in ("full", "every_n", "selective") and allowed(
        f"{CHECKPOINTING}.policy"
    ):
        if allowed(f"{CHECKPOINTING}.budget_mib"):
            found.append(_budgets(plan, evaluation))
        if allowed(f"{CHECKPOINTING}.modules"):
            found.append(_recomputed_blocks(plan, evaluation))
    elif plan.activation_offload.to == "host" and allowed(f"{OFFLOAD}.modules"):
        found.append(_offloaded_blocks(plan, evaluation))
    return [ladder for ladder in found if ladder.rungs]


class HighestThatFits:
    """Climbs one ladder, an estimate at a time."""

    def __init__(
        self,
        ladder: Ladder,
        plan: Plan,
        evaluation: Evaluation,
        fits: Callable[[DeviceFigures], bool],
        most_bytes: int,
        promises_bytes: int | None = None,
    ) -> None:
        """``promises_bytes``: with more allocated nothing fits, whatever the allocator makes."""
        self.ladder, self._plan, self._evaluation = ladder, plan, evaluation
        self._fits, self._most_bytes = fits, most_bytes
        self._promised = () if promises_bytes is None else (promises_bytes,)
        self._low, self._high = -1, len(ladder.rungs)
        self._lowest: DeviceFigures | None = None
        self._known: DeviceFigures | None = None
        self._too_much: DeviceFigures | None = None
        self.probes = 0
        """Estimates that were made."""

    @property
    def found(self) -> Found | None:
        """The highest rung that is known to fit."""
        if self._low < 0 or self._known is None:
            return None
        rung = self.ladder.rungs[self._low]
        plan = self.ladder.plan(self._plan, self._low)
        return Found(plan, rung.section, rung.words, self._known)

    @property
    def done(self) -> bool:
        """Whether the border is known."""
        return self._high - self._low <= 1

    def go_on(self) -> None:
        """Makes one more estimate."""
        place = -1 if self._lowest is None else self._guess()
        plan = self.ladder.plan(self._plan, place)
        known: DeviceFigures | None = None
        try:
            check(plan, self._evaluation.target)
            known = self._evaluation.on_device(plan, *self._promised)
        except MemplannerError:  # the model refuses it, as if it did not fit
            pass
        self.probes += 1
        fits = known is not None and self._fits(known)
        if place < 0:
            self._lowest = known
            self._high = self._high if fits else 0
        elif fits:
            self._low, self._known = place, known
        else:
            self._high, self._too_much = place, known

    def _guess(self) -> int:
        """Where the border is thought to be, strictly between what fits and what does not."""
        rungs, middle = self.ladder.rungs, (self._low + self._high) // 2
        if self.probes > _GUESSES:
            return middle
        base = self._known or self._lowest
        taken = 0 if base is None else base.taken_bytes
        before = rungs[self._low].more_bytes if self._low >= 0 else 0
        growth = 1 + RESERVED_SPREAD
        if self._too_much is not None and rungs[self._high].more_bytes > before:
            # a straight line between the nearest that fits and the nearest that does not
            further = rungs[self._high].more_bytes - before
            growth = max((self._too_much.taken_bytes - taken) / further, 1 / further)
        known = before + int((self._most_bytes - taken) / growth)
        place = sum(rung.more_bytes <= known for rung in rungs) - 1
        return min(max(place, self._low + 1), self._high - 1)


def _budgets(plan: Plan, evaluation: Evaluation) -> Ladder:
    """Blocks that all keep the same: what spares most time for its bytes."""
    section = plan.activation_checkpointing.model_copy(update={"policy": "full"})
    budget = section.model_copy(update={"policy": "budget", "budget_mib": 0})
    try:
        budgeted = plan.model_copy(update={CHECKPOINTING: budget})
        sizes = kept_sizes(evaluation.model, budgeted, evaluation.target)
    except MemplannerError:  # a forward that needs values, or no blocks
        sizes = []
    rungs = []
    for budget_mib in sorted({-(-size // _MIB) for size in sizes if size}):
        words = f"recompute all but {format_bytes(budget_mib * _MIB)}"
        rungs.append(
            Rung(budget.model_copy(update={"budget_mib": budget_mib}), words, budget_mib * _MIB)
        )
    return Ladder(CHECKPOINTING, section, tuple(rungs))


def _recomputed_blocks(plan: Plan, evaluation: Evaluation) -> Ladder:
    """Ever fewer of the first blocks are recomputed."""
    section = plan.activation_checkpointing.model_copy(update={"policy": "full"})
    named = section.model_copy(update={"policy": "named"})
    names = block_names(evaluation.model)
    kept = _more_bytes(plan, evaluation, CHECKPOINTING, section, "none")
    rungs = []
    for count in range(len(names) - 1, 0, -1):
        words = f"recompute {count} of {len(names)} blocks"
        chosen = named.model_copy(update={"modules": names[:count]})
        rungs.append(Rung(chosen, words, kept * (len(names) - count) // len(names)))
    return Ladder(CHECKPOINTING, section, tuple(rungs))


def _offloaded_blocks(plan: Plan, evaluation: Evaluation) -> Ladder:
    """Ever fewer of the first blocks keep their activations on the host."""
    section = plan.activation_offload.model_copy(update={"modules": ()})
    names = block_names(evaluation.model)
    kept = _more_bytes(plan, evaluation, OFFLOAD, section, "none")
    rungs = []
    for count in range(len(names), 0, -1):
        words = f"activations of {count} of {len(names)} blocks on host"
        chosen = section.model_copy(update={"modules": names[:count]})
        rungs.append(Rung(chosen, words, kept * (len(names) - count) // len(names)))
    return Ladder(OFFLOAD, section, tuple(rungs))


def _more_bytes(
    plan: Plan, evaluation: Evaluation, name: str, lowest: Section, nothing: str
) -> int:
    """What the plan takes more where nothing is saved in the section ``name``."""
    field = "policy" if name == CHECKPOINTING else "to"
    whole = lowest.model_copy(update={field: nothing})
    try:
        less, more = evaluation.figures(
            [plan.model_copy(update={name: section}) for section in (lowest, whole)]
        )
    except MemplannerError:  # the model refuses it: then the middle is looked at first
        return 0
    return max(0, more.allocated_bytes - less.allocated_bytes)


def block_names(model: Model) -> tuple[str, ...]:
    """The repeated blocks in the order in which forward runs them."""
    lists = block_lists(model.build(torch.device("meta")))
    return tuple(
        f"{blocks.path}.{number}" if blocks.path else str(number)
        for blocks in lists
        for number in range(blocks.length)
    )


class ByBudget:
    """All ladders of one plan that fits, one after the other."""

    def __init__(
        self,
        evaluation: Evaluation,
        plan: Plan,
        *,
        allowed: Callable[[str], bool],
        fits: Callable[[DeviceFigures], bool],
        most_bytes: int | None,
        promises_bytes: int | None = None,
    ) -> None:
        def climbs() -> list[HighestThatFits]:
            return [
                HighestThatFits(ladder, plan, evaluation, fits, most_bytes or 0, promises_bytes)
                for ladder in ladders(plan, evaluation, allowed)
            ]

        self._make = climbs
        self._climbs: list[HighestThatFits] | None = None

    @property
    def probes(self) -> int:
        """Estimates that were made."""
        return sum(climb.probes for climb in self._climbs or ())

    def found(self) -> list[Found]:
        """Of each ladder the highest rung that fits."""
        return [climb.found for climb in self._climbs or () if climb.found is not None]

    def go_on(self) -> bool:
        """Makes one more estimate; whether there are more to make."""
        if self._climbs is None:
            self._climbs = self._make()
        for climb in self._climbs:
            if not climb.done:
                climb.go_on()
                break
        return any(not climb.done for climb in self._climbs)
