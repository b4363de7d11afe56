"""What the Sharding view shows of an estimate: ranks in rows by stage. Knows no widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memplanner.messages.estimate import CATEGORIES, Estimate, RankFigures
from memplanner.plan.sharding import Sharding
from memplanner.units import format_bytes
from memplanner_ui.language import plural, translate
from memplanner_ui.views.parts import lower, part_bytes, title_of

MOST_IN_A_ROW = 4
"""So many ranks of a stage have a cell each; of more, data-parallel ones share one."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A rank, or ranks of one stage that hold the same. All sizes are bytes."""

    rank: int
    """The first of them."""
    count: int
    stride: int
    """From one of them to the next: tensor-parallel ranks lie between data-parallel ones."""
    stage: int
    figures: RankFigures
    parts: tuple[int, ...]
    """By ``parts.PARTS``; they add up to ``whole_bytes``."""
    whole_bytes: int
    """What the device holds at the rank's peak."""
    capacity_bytes: int | None

    @property
    def spare_bytes(self) -> int | None:
        """What is left of the device; negative: what is missing; None: memory not known."""
        return None if self.capacity_bytes is None else self.capacity_bytes - self.whole_bytes

    @property
    def title(self) -> str:
        """Such as ``rank 3``, ``ranks 0 to 31`` or ``ranks 1, 3, … 15``."""
        if self.count == 1:
            return translate("Views", "rank {rank}").format(rank=self.rank)
        if self.stride > 1:
            numbers = [self.rank + place * self.stride for place in (0, 1, self.count - 1)]
            return translate("Views", "ranks {first}, {second} … {last}").format(
                first=numbers[0], second=numbers[1], last=numbers[2]
            )
        return translate("Views", "ranks {first} to {last}").format(
            first=self.rank, last=self.rank + self.count - 1
        )

    @property
    def spare_words(self) -> str:
        """Such as ``13.5 GiB to spare`` or ``2.1 GiB missing``."""
        spare = self.spare_bytes
        if spare is None:
            return translate("Views", "{size} taken").format(size=format_bytes(self.whole_bytes))
        if spare < 0:
            return translate("Views", "{size} missing").format(size=format_bytes(-spare))
        return (
            translate("Views", "{size} to spare").format(size=format_bytes(spare))
            if spare
            else translate("Views", "nothing to spare")
        )

    @property
    def of_words(self) -> str:
        """Such as ``66.1 GiB of 79.6 GiB``."""
        whole = format_bytes(self.whole_bytes)
        if self.capacity_bytes is None:
            return translate("Views", "{whole}, memory not known").format(whole=whole)
        return translate("Views", "{whole} of {capacity}").format(
            whole=whole, capacity=format_bytes(self.capacity_bytes)
        )

    def holds(self, rank: int) -> bool:
        """Whether ``rank`` is one of them."""
        place, rest = divmod(rank - self.rank, self.stride)
        return rest == 0 and 0 <= place < self.count


def rows(estimate: Estimate) -> tuple[tuple[Cell, ...], ...]:
    """The cells of each stage, the first stage first; empty on one card.

    Ranks of a stage are shown as its fullest one: they hold as much, or a little less.
    """
    section = estimate.plan.sharding
    found: list[list[Cell]] = [[] for _ in range(section.pipeline)]
    in_stage = section.ranks // section.pipeline
    columns = 1 if section.tensor > MOST_IN_A_ROW else section.tensor
    if in_stage <= MOST_IN_A_ROW:
        columns = in_stage
    for figures in estimate.ranks:
        start = figures.stage * in_stage
        found[figures.stage] += [
            _cell(estimate, figures, start + column, in_stage // columns, columns)
            for column in range(columns)
        ]
    return tuple(tuple(row) for row in found if row)


def worst(estimate: Estimate) -> Cell | None:
    """The rank that takes most, the first of several; None on one card."""
    cells = [cell for row in rows(estimate) for cell in row if cell.holds(cell.figures.first)]
    return max(cells, key=lambda cell: cell.whole_bytes, default=None)


def not_fitting(estimate: Estimate) -> Cell | None:
    """The fullest rank where it does not fit, and it is another's figures that are shown."""
    fullest = worst(estimate)
    if fullest is None or fullest.holds(estimate.rank):
        return None
    return fullest if fullest.figures.verdict == "does_not_fit" else None


def cell_of(estimate: Estimate, rank: int) -> Cell | None:
    """The cell that a rank lies in."""
    return next((cell for row in rows(estimate) for cell in row if cell.holds(rank)), None)


def _cell(estimate: Estimate, figures: RankFigures, rank: int, count: int, stride: int) -> Cell:
    used = estimate.device.used_bytes
    whole = figures.device_bytes
    if whole is None:
        whole = max(figures.allocated_bytes, figures.reserved_bytes or 0) + used
    around = max(0, whole - figures.allocated_bytes)
    other = min(around, used)
    *named, overhead, _ = part_bytes(figures.by_category)
    return Cell(
        rank=rank,
        count=count,
        stride=stride,
        stage=figures.stage,
        figures=figures,
        parts=(*named, overhead + around - other, other),
        whole_bytes=whole,
        capacity_bytes=estimate.device.memory_bytes,
    )


def in_flight(section: Sharding, stage: int, micro_batches: int) -> int | None:
    """How many micro-batches a stage keeps at once; None for schedules that it is not said of.

    1F1B: a stage runs as many forwards ahead as stages follow it (Narayanan et al. 2021,
    arXiv:2104.04473); GPipe: all of them.
    """
    if section.schedule == "gpipe":
        return micro_batches
    if section.schedule == "1f1b":
        return min(micro_batches, section.pipeline - stage)
    return None


def nodes_words(section: Sharding, first: int, last: int) -> str:
    """Where ranks ``first`` to ``last`` are placed: ``node 0`` or ``nodes 0 to 3``."""
    low, high = first // section.cards_per_node, last // section.cards_per_node
    return (
        translate("Views", "node {node}").format(node=low)
        if low == high
        else translate("Views", "nodes {first} to {last}").format(first=low, last=high)
    )


def why(estimate: Estimate) -> str:
    """Why the fullest rank is the fullest, in a sentence or two; empty on one card."""
    cells = [cell for row in rows(estimate) for cell in row]
    if not cells:
        return ""
    section = estimate.plan.sharding
    fullest = max(cells, key=lambda cell: cell.whole_bytes)
    emptiest = min(cells, key=lambda cell: cell.whole_bytes)
    largest = max(CATEGORIES, key=lambda name: getattr(fullest.figures.by_category, name))
    size = format_bytes(getattr(fullest.figures.by_category, largest))
    if fullest.whole_bytes == emptiest.whole_bytes:
        words = translate(
            "Views", "All {ranks} ranks hold the same; most of it is {part}, {size}."
        ).format(ranks=section.ranks, part=lower(title_of(largest)), size=size)
    else:
        words = _difference(fullest, emptiest)
    micro_batches = estimate.plan.training.gradient_accumulation_steps
    kept = in_flight(section, fullest.stage, micro_batches)
    if section.pipeline > 1 and kept is not None:
        words += " " + plural(
            "Views",
            "Stage {stage} keeps {count} micro-batches in flight.",
            "Stage {stage} keeps {count} micro-batch in flight.",
            kept,
        ).format(stage=fullest.stage, count=kept)
    return words


def _difference(fullest: Cell, emptiest: Cell) -> str:
    def more(name: str) -> int:
        ours: int = getattr(fullest.figures.by_category, name)
        theirs: int = getattr(emptiest.figures.by_category, name)
        return ours - theirs

    name = max(CATEGORIES, key=more)
    title = lower(title_of(name))
    if more(name) <= 0:
        return translate(
            "Views", "Its allocator holds more than that of {emptiest}, of the same tensors."
        ).format(emptiest=emptiest.title)
    ours = format_bytes(getattr(fullest.figures.by_category, name))
    theirs = format_bytes(getattr(emptiest.figures.by_category, name))
    if theirs == "–":
        return translate("Views", "It has {ours} of {part}, and {emptiest} has none.").format(
            ours=ours, part=title, emptiest=emptiest.title
        )
    return translate(
        "Views", "It has {ours} of {part} against {theirs} of {emptiest}, the emptiest."
    ).format(ours=ours, part=title, theirs=theirs, emptiest=emptiest.title)


def stages(ranks: Sequence[RankFigures]) -> tuple[tuple[int, int], ...]:
    """The blocks of each stage as ``(start, stop)``, in the model's order; empty if not known."""
    found = {blocks for figures in ranks for blocks in figures.blocks}
    return tuple(sorted(found))
