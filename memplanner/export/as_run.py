"""The peak of what a trainer really runs, beside that of the plan."""

from __future__ import annotations

from memplanner.errors import MemplannerError
from memplanner.estimate import estimate
from memplanner.export.target import Subject
from memplanner.messages.protocol import RunsAs
from memplanner.plan import Plan
from memplanner.units import format_bytes


def runs_as(subject: Subject, plan: Plan) -> RunsAs:
    """``plan`` with its peak on the subject's device, and in a sentence how it differs.

    Where there is no estimate of it, the sentence says why.
    """
    try:
        allocated, device = _peak(subject, plan)
    except MemplannerError as error:
        return RunsAs(plan=plan, sentence=f"cannot be estimated as it is written: {error}")
    try:
        same = plan == subject.plan
        planned, planned_device = (allocated, device) if same else _peak(subject, subject.plan)
    except MemplannerError:
        planned, planned_device = None, None
    both = device is not None and planned_device is not None
    now, before = (device, planned_device) if both else (allocated, planned)
    where = " on the device" if both else ""
    sentence = f"runs with a peak of {format_bytes(now or 0)}{where}"
    if before is not None and now is not None:
        gap = now - before
        words = f"{format_bytes(abs(gap))} {'more' if gap > 0 else 'less'} than the plan"
        sentence += f", {words}" if gap else ", as planned"
    return RunsAs(plan=plan, allocated_bytes=allocated, device_bytes=device, sentence=sentence)


def _peak(subject: Subject, plan: Plan) -> tuple[int, int | None]:
    """Allocated bytes, and the device's where it is a card."""
    peak = estimate(subject.model, plan, subject.device).peak
    return peak.allocated_bytes, peak.device_bytes
