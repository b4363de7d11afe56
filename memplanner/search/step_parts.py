"""A recorded step in the parts that plans have in common.

What is there before it, the blocks' forward and backward, head and loss between them, the update.
Stretches of a tape compose (``estimate.algebra``), so a step whose blocks are recomputed and whose
loss is in chunks is made of one with the first and one with the second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from memplanner.estimate.algebra import Stretch
from memplanner.estimate.folded import FoldedStep
from memplanner.estimate.moments import as_categories
from memplanner.estimate.step_time import Evaluated
from memplanner.messages.estimate import Categories, Phase
from memplanner.tape.tape import (
    BUFFERS,
    GRADIENTS,
    OPTIMIZER_STATE,
    PARAMETERS,
    WORKSPACES,
    Array,
    Tape,
)

_UPDATE: Phase = "optimizer_step"
_STANDING = (PARAMETERS, BUFFERS, OPTIMIZER_STATE, GRADIENTS)
"""What no choice of blocks, head and loss changes, at the start of a step."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one phase, at some points; rows are categories."""

    phase: Phase
    head: bool
    """Whether it is what lies behind the last block: its end of forward, its begin of backward."""
    tensors: Stretch
    """Without what kernels take while they run."""
    whole: Stretch
    """All together, in one row."""
    regrouped: bool = False
    """Whether some of what it makes counts to another category by the end of the part."""

    def same(self, other: Part) -> bool:
        """Whether nothing tells them apart."""
        return (
            self.same_sums(other)
            and np.array_equal(self.tensors.net_bytes, other.tensors.net_bytes)
            and np.array_equal(self.tensors.highest_bytes, other.tensors.highest_bytes)
        )

    def same_sums(self, other: Part) -> bool:
        """Whether nothing but categories tells them apart."""
        return (self.phase, self.head) == (other.phase, other.head) and all(
            np.array_equal(mine.sum(axis=0), its.sum(axis=0))
            for mine, its in (
                (self.tensors.net_bytes, other.tensors.net_bytes),
                (self.tensors.highest_bytes, other.tensors.highest_bytes),
                (self.whole.net_bytes, other.whole.net_bytes),
                (self.whole.highest_bytes, other.whole.highest_bytes),
            )
        )

    def regrouped_as(self, before: Part, after: Part) -> Part:
        """The part with what ``after`` counts to other categories than ``before``."""
        moved = after.tensors.net_bytes - before.tensors.net_bytes
        if not moved.any():
            return self
        tensors = Stretch(self.tensors.net_bytes + moved, self.tensors.highest_bytes)
        return replace(self, tensors=tensors, regrouped=True)


@dataclass(frozen=True, slots=True)
class Peaks:
    """The highest moments of a step at some points."""

    whole_bytes: Array
    """With what kernels take while they run."""
    tensors_bytes: Array
    """Rows are categories, without that."""
    phases: tuple[Phase, ...]
    regrouped: npt.NDArray[np.bool_]
    """Where the categories are not known: the peak lies in a part in which they change."""

    def categories(self, place: int) -> Categories:
        """The bytes at the peak of one point; scratch counts as workspaces, as an estimate does."""
        sums = self.tensors_bytes[:, place].copy()
        sums[WORKSPACES] += self.whole_bytes[place] - sums.sum()
        return as_categories(sums)


@dataclass(frozen=True, slots=True)
class StepParts:
    """A step as parts: what stands before it, forward and backward, the optimizer's update."""

    load_bytes: Array
    """Shaped (categories, points)."""
    before: tuple[Part, ...]
    update: Part
    separate: bool
    """Whether the update frees nothing but its own, comes last, and nothing is made after it."""
    cost: Evaluated | None
    """The time of all of it; None where the device's rates are not known."""

    @classmethod
    def of(cls, step: FoldedStep, table_bytes: Array, cost: Evaluated | None) -> StepParts | None:
        """The parts of a recorded step; None where there is not one update behind all else."""
        tape = step.tape
        sections = _sections(tape)
        updates = [place for place, one in enumerate(sections) if one.phase == _UPDATE]
        if len(updates) != 1 or sections[0].phase != "load":
            return None
        ends = [one.stop for one in sections]
        cleared = _without_scratch(tape, table_bytes)
        tensors = _stretches(step, cleared, ends, by_category=True)
        if cleared is table_bytes:
            whole = [
                Stretch(one.net_bytes.sum(0)[None], one.highest_bytes.sum(0)[None])
                for one in tensors
            ]
        else:
            whole = _stretches(step, table_bytes, ends, by_category=False)
        parts = [
            Part(section.phase, section.head, own, together)
            for section, own, together in zip(sections, tensors, whole, strict=True)
        ]
        update = sections[updates[0]]
        own, rest = tape.events[update.start : update.stop], tape.events[update.stop :]
        later = sections[updates[0] + 1 :]
        return cls(
            load_bytes=parts[0].tensors.net_bytes,
            before=tuple(parts[1 : updates[0]]),
            update=parts[updates[0]],
            separate=set((-own[own < 0]).tolist()) <= set(own[own > 0].tolist())
            and not (rest > 0).any()
            and all(section.phase == "between_steps" for section in later),
            cost=cost,
        )

    @property
    def least_bytes(self) -> int:
        """Parameters, buffers, states, and the gradients behind backward: whatever the batch."""
        gradients = sum(int(part.tensors.net_bytes[GRADIENTS, 0]) for part in self.before)
        return int(self.load_bytes[list(_STANDING), 0].sum()) + gradients

    def with_head_of(self, other: StepParts, plain: StepParts) -> StepParts | None:
        """The step with another one's head and loss.

        ``plain`` is that other step with this one's head and loss: None where the two steps share
        more or less than that.
        """
        mine, its = plain.before, other.before
        places = [part.head for part in mine]
        if not (
            places == [part.head for part in self.before] == [part.head for part in its]
            and np.array_equal(plain.load_bytes, other.load_bytes)
            and all(one.head or one.same_sums(two) for one, two in zip(mine, its, strict=True))
            and all(
                not one.head or one.same(two) for one, two in zip(mine, self.before, strict=True)
            )
        ):
            return None
        before = tuple(
            two if two.head else own.regrouped_as(one, two)
            for own, one, two in zip(self.before, mine, its, strict=True)
        )
        return replace(
            self,
            before=before,
            separate=self.separate and other.separate,
            cost=sum_of(self.cost, other.cost, less=plain.cost),
        )

    def alike_before_update(self, other: StepParts) -> bool:
        """Whether all but the optimizer's states and its update is the same."""
        mine, its = self.load_bytes.copy(), other.load_bytes.copy()
        mine[OPTIMIZER_STATE] = its[OPTIMIZER_STATE] = 0
        return (
            np.array_equal(mine, its)
            and len(self.before) == len(other.before)
            and all(one.same(two) for one, two in zip(self.before, other.before, strict=True))
        )

    def with_update_of(self, other: StepParts, plain: StepParts) -> StepParts:
        """The step with another one's optimizer: its states stand all along, its update is last.

        ``plain`` is that other step with this one's optimizer. Neither states nor update depend on
        the point: those of the other's first are taken.
        """
        load, points = self.load_bytes.copy(), self.load_bytes.shape[1]
        load[OPTIMIZER_STATE] = other.load_bytes[OPTIMIZER_STATE, 0]
        return replace(
            self,
            load_bytes=load,
            update=_at_points(other.update, points),
            cost=sum_of(self.cost, at_first(other.cost), less=at_first(plain.cost)),
        )

    def peaks(self, standing_bytes: int) -> Peaks:
        """The highest moments, with workspaces of so many bytes that stand for the whole run."""
        level = self.load_bytes.copy()
        level[WORKSPACES] += standing_bytes
        extra = np.zeros(level.shape[1], dtype=np.int64)
        """What a part leaves in scratch: nothing, but the row of all together is kept exact."""
        whole = level.sum(axis=0)
        tensors, height = level.copy(), whole.copy()
        phases: list[Phase] = ["load"] * level.shape[1]
        regrouped = np.zeros(level.shape[1], dtype=np.bool_)
        for part in (*self.before, self.update):
            reached = level + part.tensors.highest_bytes
            total = reached.sum(axis=0)
            higher = total > height
            tensors = np.where(higher, reached, tensors)
            height = np.maximum(height, total)
            regrouped = np.where(higher, part.regrouped, regrouped)
            for place in np.flatnonzero(higher):
                phases[place] = part.phase
            start = level.sum(axis=0) + extra
            whole = np.maximum(whole, start + part.whole.highest_bytes[0])
            level = level + part.tensors.net_bytes
            extra = extra + part.whole.net_bytes[0] - part.tensors.net_bytes.sum(axis=0)
        return Peaks(whole, tensors, tuple(phases), regrouped)


def sum_of(
    one: Evaluated | None, other: Evaluated | None, *, less: Evaluated | None
) -> Evaluated | None:
    """What two steps take together, less what they share."""
    if one is None or other is None or less is None:
        return None
    return Evaluated(
        one.parts + other.parts - less.parts,
        one.flops + other.flops - less.flops,
        one.moved_bytes + other.moved_bytes - less.moved_bytes,
    )


def at_first(cost: Evaluated | None) -> Evaluated | None:
    """That of the first point alone, to be added to others."""
    if cost is None:
        return None
    return Evaluated(cost.parts[:, :1], cost.flops[:1], cost.moved_bytes[:1])


class _Section(NamedTuple):
    """Events of one phase, up to ``stop``."""

    phase: Phase
    head: bool
    start: int
    stop: int


def _sections(tape: Tape) -> list[_Section]:
    """The tape's phases; forward and backward are cut where the last block ends and begins."""
    blocks, backbone = _blocks_and_backbone(tape.module_names)
    inside, around = blocks[tape.context], backbone[tape.context]
    found: list[_Section] = []
    for span in tape.phases:
        own = slice(span.start, span.stop)
        places = np.flatnonzero(inside[own]) + span.start
        if span.phase == "forward" and len(places):
            border = int((np.flatnonzero(around[own]) + span.start)[-1]) + 1
            while border < span.stop and tape.events[border] < 0:
                border += 1  # what the blocks leave is freed before the head makes anything
            found.append(_Section("forward", False, span.start, border))
            found.append(_Section("forward", True, border, span.stop))
        elif span.phase == "backward" and len(places):
            border = int(places[0])
            found.append(_Section("backward", True, span.start, border))
            found.append(_Section("backward", False, border, span.stop))
        elif span.stop > span.start or span.phase == _UPDATE:
            found.append(_Section(span.phase, False, span.start, span.stop))
    return found


def _blocks_and_backbone(
    names: Sequence[str],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For each module whether it is in the longest list of blocks, and in what holds that list.

    What holds it has the last norm, too; where that is the model itself, the blocks alone count.
    """
    lists = Counter(
        path for path, _, last in (name.rpartition(".") for name in names) if last.isdigit()
    )
    longest = max(lists, key=lambda path: (lists[path], -path.count(".")), default=None)
    if longest is None:
        nothing = np.zeros(len(names), dtype=np.bool_)
        return nothing, nothing
    inside = np.array([f"{name}.".startswith(f"{longest}.") for name in names])
    parent = longest.rpartition(".")[0]
    around = [name == parent or name.startswith(f"{parent}.") for name in names]
    return inside, np.array(around) if parent else inside


def _without_scratch(tape: Tape, table_bytes: Array) -> Array:
    """As ``Tape.without_scratch``, of sizes at several points."""
    scratch = tape.category == WORKSPACES
    scratch[tape.events[: tape.phases[0].stop] - 1] = False
    if not scratch.any():
        return table_bytes
    return np.where(scratch[:, None], 0, table_bytes)


def _stretches(
    step: FoldedStep, table_bytes: Array, ends: list[int], *, by_category: bool
) -> list[Stretch]:
    """A stretch for each span, an empty one where it has no event."""
    inner = [end for end in sorted(set(ends)) if 0 < end < len(step.tape.events)]
    found = iter(step.stretches(table_bytes, inner, by_category=by_category))
    points = table_bytes.shape[1]
    rows = len(Categories.model_fields) if by_category else 1
    return [
        next(found) if stop > start else Stretch.empty(rows, points)
        for start, stop in pairwise([0, *ends])
    ]


def _at_points(part: Part, points: int) -> Part:
    """The part at so many points: an update's sizes depend on none."""

    def wide(one: Stretch) -> Stretch:
        return Stretch(
            np.repeat(one.net_bytes[:, :1], points, axis=1),
            np.repeat(one.highest_bytes[:, :1], points, axis=1),
        )

    return replace(part, tensors=wide(part.tensors), whole=wide(part.whole))
