"""The risk that a plan takes beyond the one that a search began with."""

from __future__ import annotations

from memplanner.messages.cost import RISKS, Quality
from memplanner.plan import Plan
from memplanner.techniques.quality import quality_of


def added_risk(plan: Plan, start: Plan) -> Quality:
    """The plan's risks that ``start`` does not take already."""
    known = set(quality_of(start).reasons)
    added = tuple(reason for reason in quality_of(plan).reasons if reason not in known)
    risk = max((reason.risk for reason in added), key=RISKS.index, default=RISKS[0])
    return Quality(risk=risk, reasons=added)
