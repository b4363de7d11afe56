"""A plan that a search has tried, as it is told."""

from __future__ import annotations

from memplanner.messages.device import Device
from memplanner.messages.search import FoundPlan
from memplanner.search.entry import Entry
from memplanner.search.limits import Limits


def as_found(entry: Entry, device: Device, limits: Limits, *, best: bool) -> FoundPlan:
    """The message about ``entry``, whose figures are of ``device``; ``best`` is of the front.

    What only the device decides is None until it has been looked at.
    """
    known = entry.on_device
    holds = limits.holds_bytes
    on_host = None if known is None else limits.leaves_host(known)
    too_large = holds is not None and entry.figures.allocated_bytes > holds
    verdict = known.verdict if known is not None else "does_not_fit" if too_large else None
    return FoundPlan(
        changes=entry.changes,
        device=device.selector,
        cards=entry.plan.sharding.ranks,
        allocated_bytes=entry.figures.allocated_bytes,
        device_bytes=None if known is None else known.device_bytes,
        device_high_bytes=None if known is None else known.device_high_bytes,
        spare_bytes=None if known is None else known.spare_bytes,
        host_bytes=None if known is None else known.host_bytes,
        host_spare_bytes=on_host,
        verdict="does_not_fit" if on_host is not None and on_host < 0 else verdict,
        phase=entry.figures.phase,
        by_category=entry.figures.by_category,
        time=entry.figures.time,
        quality=entry.quality,
        best=best,
    )
