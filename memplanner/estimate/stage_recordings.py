"""Recordings of a pipeline's stages: short ones, which stages that are alike share.

Stages between the first and the last hold blocks of one run. They differ in which blocks, in how
many, and in how many micro-batches are in flight: all of that is told on paper.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from memplanner.estimate.cutting import depends_on_place
from memplanner.estimate.fold_micro_batches import with_all_micro_batches
from memplanner.estimate.periods import KEPT, Cut
from memplanner.model.blocks import BlockList
from memplanner.plan import Plan
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import StorageInfo, Tape
from memplanner.techniques.parallel import pipeline_micro_batches
from memplanner.techniques.parallel.pipeline_micro_batches import Order, order_of, shortened
from memplanner.techniques.parallel.pipeline_parts import Part
from memplanner.techniques.target import Target

_REMEMBERED = 8
Parts = tuple[Part, ...]
Cuts = tuple[Cut, ...]
Record = Callable[[Plan, Target, Parts, Cuts, Order], Tape | None]


class StageRecordings:
    """Steps of stages made of shorter ones.

    ``record`` records a stage in an order, ``parts`` tells a rank's stages, and ``blocks`` the
    blocks of the whole model.
    """

    def __init__(
        self,
        record: Record,
        parts: Callable[[Plan, Target], Parts],
        blocks: Callable[[], BlockList | None],
    ) -> None:
        self._record, self._parts, self._blocks = record, parts, blocks
        self._known: OrderedDict[tuple[Plan, Target, Cuts, Order], Tape] = OrderedDict()

    def tape(self, plan: Plan, target: Target, chosen: Cuts) -> Tape | None:
        """The step of the target's stage; None where it has to be recorded as it is."""
        parts = self._parts(plan, target)
        section, all_of_them = plan.sharding, plan.training.gradient_accumulation_steps
        count = pipeline_micro_batches.enough(section, all_of_them)
        order = order_of(section, parts[0].stage, count)
        if order is None:
            return None
        orders = shortened(order, plan)
        for short in orders:
            tape = self._of_one_like_it(plan, target, parts[0], chosen, short)
            if tape is None:
                return None
            told = with_all_micro_batches(tape, short, order)
            if told is not None:
                return told
        return None if orders else self._record(plan, target, parts, chosen, order)

    def _of_one_like_it(
        self, plan: Plan, target: Target, part: Part, chosen: Cuts, short: Order
    ) -> Tape | None:
        """The short step, recorded of the first stage that is like this one."""
        section = plan.sharding
        in_stage = section.ranks // section.pipeline
        for stage in range(1, part.stage):
            by = part.stage - stage
            other = replace(target, rank=target.rank - by * in_stage)
            parts = self._parts(plan, other)
            cuts = self._cuts_of(parts[0], part, chosen, plan)
            if cuts is None:
                continue
            tape = self._remembered(plan, other, parts, cuts, short)
            blocks = self._blocks()
            if tape is None or blocks is None:
                return None
            return moved(tape, blocks.path, part.start - parts[0].start, by * in_stage)
        return self._remembered(plan, target, (part,), chosen, short)

    def _remembered(
        self, plan: Plan, target: Target, parts: Parts, chosen: Cuts, short: Order
    ) -> Tape | None:
        key = plan, target, chosen, short
        known = self._known.get(key)
        if known is not None:
            return known
        tape = self._record(plan, target, parts, chosen, short)
        if tape is not None:
            self._known[key] = tape
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return tape

    def _cuts_of(self, other: Part, part: Part, chosen: Cuts, plan: Plan) -> Cuts | None:
        """The cuts that make ``other`` the module that ``chosen`` make ``part``; None without."""
        blocks = self._blocks()
        if part.is_first or part.is_last or blocks is None or depends_on_place(plan):
            return None
        by = other.start - part.start
        if not any(
            run.start <= other.start and part.stop <= run.stop and by % run.period == 0
            for run in blocks.runs
        ):
            return None
        longer = (other.stop - other.start) - (part.stop - part.start)
        if not chosen:
            return () if longer == 0 else None
        if len(chosen) > 1:
            return None
        more, rest = divmod(longer, chosen[0].period)
        periods = chosen[0].periods + more
        if rest or periods <= KEPT:
            return None
        return (replace(chosen[0].moved(by), periods=periods),)


def moved(tape: Tape, path: str, blocks: int, ranks: int) -> Tape:
    """The tape of a stage whose blocks at ``path`` come ``blocks`` later, and its ranks ``ranks``.

    A tape without unfolded blocks: numbers of all are moved alike.
    """
    prefix = path + "."

    def renamed(name: str) -> str:
        if not name.startswith(prefix):
            return name
        number, dot, rest = name[len(prefix) :].partition(".")
        return f"{prefix}{int(number) + blocks}{dot}{rest}" if number.isdigit() else name

    def elsewhere(call: Collective) -> Collective:
        return replace(call, first=call.first + ranks, last=call.last + ranks)

    def told_of(info: StorageInfo) -> StorageInfo:
        name, call = renamed(info.operation), info.collective
        if name == info.operation and call is None:  # as most: making one anew takes a while
            return info
        return replace(info, operation=name, collective=None if call is None else elsewhere(call))

    return replace(
        tape,
        module_names=tuple(renamed(name) for name in tape.module_names),
        storages=tuple(map(told_of, tape.storages)),
        work=replace(tape.work, collectives=tuple(map(elsewhere, tape.work.collectives))),
    )
