"""The risk that a plan takes with what is learned: what its techniques say, together.

What gives the same gradients but for rounding in another order says nothing: accumulation at the
same tokens a step, recomputation, offloading, sharding, a chunked loss, another attention kernel.
"""

from __future__ import annotations

from memplanner.messages.cost import RISKS, Quality
from memplanner.plan import Plan
from memplanner.techniques.prepare import at_work


def quality_of(plan: Plan, measured: float | None = None) -> Quality:
    """The greatest risk of any technique at work, with every reason; ``measured`` where judged."""
    found = tuple(reason for technique in at_work(plan) for reason in technique.quality(plan))
    risk = max((reason.risk for reason in found), key=RISKS.index, default=RISKS[0])
    return Quality(risk=risk, reasons=found, measured=measured)
