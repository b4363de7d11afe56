"""What is searched for, and what is found. All sizes are bytes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.cost import Quality, QualityRisk, StepTime
from memplanner.messages.device import Device
from memplanner.messages.estimate import Categories, Phase, Verdict
from memplanner.plan import Plan

Prefer = Literal["fastest", "least_memory", "largest_micro_batch", "longest_sequence", "least_loss"]
"""``fastest`` at the plan's global batch; ``least_loss`` of quality, then fastest."""
Where = Literal["this_device", "cheapest_card", "fewest_cards"]
"""``cheapest_card``: the card of least memory, then of least bandwidth, that a plan fits."""
Value = bool | int | float | str


class SearchGoal(Message):
    """What a search is to find, and what it may change."""

    prefer: Prefer = "fastest"
    where: Where = "this_device"
    margin_bytes: int = Field(0, ge=0)
    """To be left over beyond the margin of the estimate."""
    worst_risk: QualityRisk = "check_quality"
    """The greatest risk to quality that is taken."""
    pinned: tuple[str, ...] = ()
    """Keys of the plan that stay as they are, such as ``training.sequence_length``."""
    techniques: tuple[str, ...] | None = None
    """Sections of the plan (and ``precision``) that may be changed; None for the usual ones."""
    host_memory_bytes: int | None = Field(None, ge=0)
    """What there is of the host's memory, a machine with its cards; None for what is free here
    where the device is this machine's, and for no limit where it is another's."""
    fits_only: bool = False
    """Whether plans that do not fit are left out."""


class PlanChange(Message):
    """A key of the plan with another value."""

    key: str
    before: Value
    after: Value
    words: str
    """Such as ``loss in 8 chunks``: short enough for a tag."""


class FoundPlan(Message):
    """A plan that was tried, told by what it changes in the one that the search began with."""

    changes: tuple[PlanChange, ...]
    """Empty for the plan as it is."""
    device: str
    """A name that ``find_device`` knows."""
    cards: int = 1
    allocated_bytes: int
    device_bytes: int | None = None
    device_high_bytes: int | None = None
    spare_bytes: int | None = None
    """Left over at the expected peak; negative: what is missing."""
    host_bytes: int | None = None
    """The most that it puts into a host's memory; None where it puts nothing there."""
    host_spare_bytes: int | None = None
    """What that leaves of the host's memory; negative: what is missing there. None where the plan
    takes none of it, and where it is not known how much there is."""
    verdict: Verdict | None = None
    """``does_not_fit`` also where the host's memory is what is missing."""
    phase: Phase
    by_category: Categories
    time: StepTime | None = None
    quality: Quality
    best: bool = False
    """Whether no plan that was tried is both smaller and faster at this risk or a lesser one."""


class SearchState(Message):
    """How far a search is."""

    tried: int
    """Plans whose figures are known."""
    fitting: int
    possible: int
    """Plans of the space; what bounds rule out counts as tried."""
    seconds: float
    complete: bool


class SearchResult(Message):
    """A finished search, as ``memplanner search --json`` prints it."""

    schema_: int = Field(SCHEMA, alias="schema")
    device: Device
    plan: Plan
    """The one that the search began with."""
    goal: SearchGoal
    chosen: FoundPlan | None
    """The plan that meets the goal best; None where none fits."""
    plans: tuple[FoundPlan, ...]
    """Those that no other beats in memory, time and risk together, the smallest first."""
    state: SearchState
    notes: tuple[str, ...] = ()


class SmallestChange(Message):
    """A shortest list of changes that makes a plan fit, or what one that fits leaves unused."""

    found: FoundPlan
    slower_by: float | None = None
    """Of time per token (or sample) over the plan as it is: 0.07 for 7 %; None if not known."""


class FitResult(Message):
    """What makes a plan fit, or what one that fits leaves unused: ``memplanner fit --json``."""

    schema_: int = Field(SCHEMA, alias="schema")
    device: Device
    plan: Plan
    fits_already: bool
    changes: tuple[SmallestChange, ...]
    """The best first."""
