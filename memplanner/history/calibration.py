"""A correction from predicted against measured. Only arithmetic; the raw figures stay as they are.

Of each run every phase gives a ratio, of what the allocator had reserved where that is known, else
of what was allocated. The correction is the median over runs of each run's median, so that one
odd phase or run moves it little.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from memplanner.messages.history import Correction, RunRecord

BOUND = 0.10
"""How far a correction may go, as a part of the prediction.

The prediction follows torch's own rules, and where its figures miss, they miss by a few percent
(the best published estimator's median is 3.5 %, xMem). A card that asks for more than three times
that runs something that is not modelled: another kernel, another library, another loop. A factor
would hide it, and be wrong for the next plan.
"""
FEWEST_RUNS = 2
"""One run cannot tell what is the card's from what is the plan's."""


def fit(runs: Iterable[RunRecord]) -> Correction | None:
    """The correction that the runs of one card ask for; None where fewer than two tell anything."""
    ratios = [found for run in runs if (found := ratios_of(run))]
    if len(ratios) < FEWEST_RUNS:
        return None
    every = [ratio for found in ratios for ratio in found]
    factor = median(median(found) for found in ratios)
    return Correction(
        factor=_within(factor),
        low=_within(min(every)),
        high=_within(max(every)),
        runs=len(ratios),
        comparisons=len(every),
        bounded=factor != _within(factor),
    )


def ratios_of(run: RunRecord) -> Sequence[float]:
    """Measured over predicted in each phase that both know, and overall where they know none."""
    pairs = [
        (run.predicted_reserved_by_phase.get(phase), measured)
        for phase, measured in run.measured_reserved_by_phase.items()
    ]
    if not any(predicted for predicted, _ in pairs):
        pairs = [(run.predicted.reserved_bytes, run.measured.reserved_bytes or 0)]
    if not any(predicted and measured for predicted, measured in pairs):
        pairs = [
            (run.predicted.by_phase.get(phase), measured)
            for phase, measured in run.measured.by_phase.items()
        ]
    return [measured / predicted for predicted, measured in pairs if predicted and measured]


def _within(ratio: float) -> float:
    return min(max(ratio, 1 - BOUND), 1 + BOUND)
