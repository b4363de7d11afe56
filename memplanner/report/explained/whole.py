"""How every figure of an estimate was made: what ``memplanner estimate --explain`` prints."""

from __future__ import annotations

from memplanner.messages.estimate import Estimate
from memplanner.report.explained import cost, memory
from memplanner.report.explained.explanation import Explanation


def explanations(estimate: Estimate) -> tuple[Explanation, ...]:
    """The verdict, the peak and each of its parts, the host’s memory, the time, the quality."""
    made = [memory.of_verdict(estimate), memory.of_peak(estimate)]
    made += [memory.of_category(estimate, name) for name in memory.categories_held(estimate)]
    if estimate.host_bytes:
        made.append(memory.of_host(estimate))
    if estimate.time is not None:
        trains = estimate.plan.inference.use == "training"
        made.append(cost.of_step(estimate.time, "optimizer step" if trains else "round"))
    if estimate.quality is not None:
        made.append(cost.of_quality(estimate.quality))
    return tuple(made)
