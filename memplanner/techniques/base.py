"""What a technique is: a section of the plan made to work on a model.

Every hook does nothing here; a technique overrides the ones it needs. The same object transforms
the weightless copy (to predict) and the real model (to run).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import nn

from memplanner.messages.cost import QualityReason, QualityRisk
from memplanner.model.loaded import Batch, Model
from memplanner.plan import Plan
from memplanner.techniques.kept_within_budget import BlockClass, Operations
from memplanner.techniques.target import Target

RecomputeContext = Callable[[nn.Module], AbstractContextManager[object]]
"""The contexts that a block's recomputation in backward runs in."""
ChooseKept = Callable[[Sequence[tuple[BlockClass, nn.Module]]], Sequence[Operations | None]]
"""For each block what it keeps within the plan's budget; None for one that is not recomputed."""


class Recurring(Protocol):
    """Work that some optimizer steps do and others do not."""

    happened: bool
    """Whether the last step did it."""
    words: str
    """What it is, such as ``new masks``."""

    def demand(self) -> None:
        """The next step does it, due or not: what a step takes at most is to be measured."""


class AfterSteps(Recurring, Protocol):
    """The same, done when the optimizer has made its step."""

    def step(self, *given: Any) -> None:
        """A step was made; ``given`` is what torch gives a hook of one."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a transformation may look at beside the module itself."""

    model: Model
    plan: Plan
    target: Target
    recompute_context: RecomputeContext
    """Function modes are off inside backward; recomputation enters them again through this."""
    device: torch.device | None = None
    """Where the module will be trained, when it may still lie elsewhere."""
    calibration: Iterator[Batch] | None = None
    """What scores may be taken from; None for batches that the model makes up."""
    after_steps: list[AfterSteps] = field(default_factory=list)
    """Techniques add here what is to be done after optimizer steps."""
    kept: ChooseKept | None = None
    """The choice for a budget of activations; None where no step is run."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of the plan with a value that a search may give it."""

    key: str
    value: bool | int | float | str
    words: str
    """Such as ``loss in 8 chunks``: short enough for a tag."""


Alternative = tuple[Setting, ...]
"""Keys that are set together."""


Told = tuple[QualityRisk, str]
"""A risk to quality, and why."""


def reasons(section: str, told: Told | None) -> tuple[QualityReason, ...]:
    """What a technique tells of quality; nothing for None."""
    if told is None:
        return ()
    return (QualityReason(section=section, risk=told[0], sentence=told[1]),)


class Technique:
    """Base of all techniques."""

    name: ClassVar[str]
    """Of its section in the plan."""
    order: ClassVar[int] = 50
    """Transformations are applied from the lowest to the highest."""
    of_student: ClassVar[bool] = True
    """Whether it is applied to the student alone, where there is a teacher too."""
    stages: ClassVar[Literal["each", "last", "together"]] = "each"
    """Which stages of a pipeline it is applied to: to each for itself, or all as one module."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Why this plan cannot be carried out: sentences that name the nearest choice that can."""
        return ()

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with the technique applied, in place or another."""
        return module

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What a user should know about the technique on this target."""
        return ()

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """What a search tries in this section beside what ``plan`` says, the best guess first.

        What conflicts with the rest of the plan may be among it. Nothing, unless it is usual.
        """
        return ()

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """What it changes of what is learned, if anything: a class, and why, with a source."""
        return ()

    def compresses(self, plan: Plan) -> bool:
        """Whether under this plan it changes weights' values: a run then judges what that costs."""
        return False

    def rebuild(self, module: nn.Module, situation: Situation) -> nn.Module:
        """A weightless module as ``transform`` left it when a compressed model was saved.

        Its configuration is the saved one; what that says already is not to be done again.
        """
        return self.transform(module, situation)
