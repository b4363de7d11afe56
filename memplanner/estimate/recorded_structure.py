"""What was recorded for one structural choice, and what follows for others of it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from memplanner.estimate.fold import unfold
from memplanner.estimate.folded import FoldedStep
from memplanner.estimate.forms import Forms
from memplanner.estimate.peak_forms import PeakForms
from memplanner.estimate.periods import KEPT, Cut
from memplanner.estimate.recording import Point
from memplanner.estimate.step_work import StepWork
from memplanner.tape.tape import Tape
from memplanner.tape.work import Work


@dataclass
class RecordedStructure:
    """What was recorded for one structural choice."""

    point: Point
    recorded: Tape
    whole: Tape | None
    """The tape of the whole model, as long as it is remembered."""
    whole_work: Work
    cuts: tuple[Cut, ...]
    forms: Forms | None = None
    peaks: PeakForms | None = None
    """The step's peak by its forms, once many points were asked for."""
    fitted: bool = False
    checked: list[Point] = field(default_factory=list)
    work: StepWork | None = None
    """What its kernels do at any point, where that follows forms."""
    alone: StepWork | None = None
    """What they do at the recorded point, as long as no other is asked for."""
    others: OrderedDict[Point, Tape] = field(default_factory=OrderedDict)
    """Tapes of other points, where sizes follow no forms."""

    @cached_property
    def folded(self) -> FoldedStep | None:
        """The step from the recorded blocks alone; None where repetitions are entangled."""
        return FoldedStep.of(self.recorded, self.cuts)

    @property
    def unfolded(self) -> Tape:
        """The tape of the whole model."""
        if self.whole is None:
            self.whole = unfold_all(self.recorded, self.cuts)
            assert self.whole is not None  # it was once
        return self.whole


_KEPT_WHOLE = 16
"""Unfolded tapes take some megabytes each."""


def keep_whole(known: deque[RecordedStructure], new: RecordedStructure) -> None:
    """Adds ``new`` to the structures whose unfolded tape is at hand; the oldest's is let go of."""
    known.append(new)
    if len(known) > _KEPT_WHOLE:
        known.popleft().whole = None


def tries(chosen: tuple[Cut, ...]) -> Iterator[tuple[Cut, ...]]:
    """The cuts, then the same from the second period on.

    Where the first block alone needs no gradient for its input, the second one's backward ends
    otherwise than the third one's.
    """
    if chosen:
        yield chosen
        later = tuple(cut.without_first() if cut.periods > KEPT + 1 else cut for cut in chosen)
        if later != chosen:
            yield later


def unfold_all(tape: Tape, chosen: tuple[Cut, ...]) -> Tape | None:
    """The whole model's tape; None where periods are not alike."""
    unfolded: Tape | None = tape
    for cut in chosen:
        unfolded = None if unfolded is None else unfold(unfolded, cut)
    return unfolded
