"""A plan that a search has tried, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

from memplanner.messages.cost import Quality
from memplanner.messages.search import PlanChange
from memplanner.plan import Plan
from memplanner.search.figures import DeviceFigures, Figures
from memplanner.search.front import Cost


@dataclass(slots=True)
class Entry:
    """A plan whose figures are known."""

    plan: Plan
    changes: tuple[PlanChange, ...]
    quality: Quality
    figures: Figures
    on_device: DeviceFigures | None = None
    told_as: tuple[bool, bool] | None = None
    """Whether it was on the front and the device's part was known when it was told last."""

    @property
    def cost(self) -> Cost:
        """What it costs; time is that of a token or sample."""
        seconds = self.figures.seconds
        # equal steps, added up in another order, differ in the last digits
        per_unit = None if seconds is None else float(f"{seconds / units(self.plan):.8g}")
        return Cost(self.figures.allocated_bytes, per_unit, self.quality.risk)


def units(plan: Plan) -> int:
    """What a step's time is shared by, to compare plans: tokens over all cards."""
    training = plan.training
    samples = training.batch_size * training.gradient_accumulation_steps
    return samples * training.sequence_length * plan.sharding.data_degree


def guess(plan: Plan) -> tuple[bool, ...]:
    """Plans that take least come first: one of each kind tells soon which kinds fit."""
    return (
        plan.sharding.data == "zero_1" and plan.sharding.gradient_degree > 1,  # recorded whole
        plan.activation_checkpointing.policy != "full",
        plan.loss.method == "whole",
        plan.activation_offload.to != "none",
        plan.training.batch_size > 1,
        plan.quantization.method == "none",
        plan.adapters.method == "none",
    )
