"""Memory snapshots of torch: what a CUDA run's allocator did, read without unpickling."""

from memplanner.snapshot.curve import Curve, curve_of
from memplanner.snapshot.reader import DeviceTrace, read_snapshot
from memplanner.snapshot.summary import alive_at, summary

__all__ = ["Curve", "DeviceTrace", "alive_at", "curve_of", "read_snapshot", "summary"]
