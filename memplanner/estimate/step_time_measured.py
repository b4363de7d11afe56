"""What steps on a very card took, and what that says of other steps there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from memplanner.hardware.rates import Rates, stand_in_rates
from memplanner.messages.history import Judgement, TimedStep
from memplanner.plan import Plan
from memplanner.units import format_count

LEAST = 0.15
"""How far a step may be off that others on the card tell of, however well they agree."""
LEAST_WITHOUT_SHEET = 0.25
"""The same of a device of which no data sheet says how its kinds of work compare."""
OF_ONE_PLAN = 0.30
"""The same where all that was timed is one plan: what others do more of is not seen."""


@dataclass(frozen=True, slots=True)
class Timed:
    """Timed steps of one card, the latest first."""

    steps: tuple[TimedStep, ...]
    judgements: tuple[Judgement, ...] = ()

    def judged(self, model: str, plan: Plan) -> float | None:
        """What a run found compression of this very choice to cost; None where none judged it."""
        wanted = model, plan.precision, plan.quantization, plan.pruning
        for one in self.judgements:
            known = one.plan
            if (one.model, known.precision, known.quantization, known.pruning) == wanted:
                return one.perplexity_ratio
        return None

    def measured_seconds(self, model: str, plan: Plan) -> float | None:
        """What steps of this very plan took: the median of its runs; None where none was run."""
        own = [step.seconds for step in self.steps if step.model == model and step.plan == plan]
        return median(own) if own else None

    def rates(self, stated: Rates | None) -> Rates | None:
        """``stated`` corrected; of a device of which nothing is stated, what the steps tell."""
        ratios = self._ratios()
        if not ratios:
            return stated
        factor = median(ratios)
        margin = LEAST_WITHOUT_SHEET if stated is None else LEAST
        if len(ratios) == 1:
            margin = OF_ONE_PLAN
        plans = "one plan" if len(ratios) == 1 else f"{format_count(len(ratios))} plans"
        return (stated or stand_in_rates()).scaled(
            factor,
            min(1 - margin, min(ratios) / factor),
            max(1 + margin, max(ratios) / factor),
            f"Corrected by the time that steps of {plans} took on this very device: "
            f"{factor:.2f} of what its rates tell.",
        )

    def _ratios(self) -> Sequence[float]:
        """Measured over estimated, one for each plan."""
        found: list[tuple[tuple[str, Plan], list[float]]] = []
        for step in self.steps:
            if step.estimated_seconds <= 0:
                continue
            ratio = step.seconds / step.estimated_seconds
            key = step.model, step.plan
            known = next((ratios for one, ratios in found if one == key), None)
            if known is None:
                found.append((key, [ratio]))
            else:
                known.append(ratio)
        return [median(ratios) for _, ratios in found]
