from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memplanner.errors import RunError, SourceError
from memplanner.messages.snapshot import SnapshotProgress, unpacked
from memplanner.run import StopSignal
from memplanner.run.snapshot_process import snapshot
from memplanner.snapshot import alive_at, curve_of, read_snapshot, summary
from tests.snapshot.test_reader import SIZES, event, segment, written


def numbers(curve: str) -> list[int]:
    raw = unpacked(curve)
    return list(struct.unpack(f"<{len(raw) // 8}q", raw))


def trace_of(plan: list[tuple[int, bool]]) -> list[dict[str, Any]]:
    """Allocations, and frees of the latest; addresses come again."""
    trace, alive, free = [], [], list(range(100))
    for number, (size, frees) in enumerate(plan):
        if frees and alive:
            address, size = alive.pop()
            free.append(address // 2**35)
            trace.append(event("free_completed", address, size, number))
        else:
            alive.append((free.pop() * 2**35, size))
            trace.append(event("alloc", alive[-1][0], size, number))
    return trace


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=SIZES, data=st.data())
def test_what_is_alive_adds_up_to_the_curve(
    tmp_path: Path, plan: list[tuple[int, bool]], data: st.DataObject
) -> None:
    trace = trace_of(plan)
    (found,) = read_snapshot(written(tmp_path / "s.pickle", trace))
    moment = data.draw(st.integers(0, len(trace) - 1))
    alive = alive_at(found, moment)
    assert found.size_bytes[alive].sum() == curve_of(found).allocated_bytes[moment]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=SIZES, points=st.integers(1, 70))
def test_a_point_is_the_highest_of_its_stretch(
    tmp_path: Path, plan: list[tuple[int, bool]], points: int
) -> None:
    path = written(tmp_path / "s.pickle", trace_of(plan))
    whole, few = (summary(path, most_points=most).curves[0] for most in (2**20, points))
    assert few.points == min(points, whole.points)
    assert len(numbers(few.time_us)) == few.points
    allocated = numbers(few.allocated_bytes)
    assert max(allocated) == allocated[few.peak_point] == whole.peak_bytes == few.peak_bytes
    assert set(allocated) <= set(numbers(whole.allocated_bytes))
    assert sum(stack.size_bytes for stack in few.stacks) == whole.peak_bytes


def test_a_process_of_its_own_reads_it(tmp_path: Path) -> None:
    trace = [event("alloc", number, 2**20, number) for number in range(50)]
    path = written(tmp_path / "s.pickle", trace, segments=[segment(0, 2**30, 60 * 2**20)])
    told: list[SnapshotProgress] = []
    found = snapshot(path, on_progress=told.append)
    (curve,) = found.curves
    assert (curve.events, curve.peak_bytes, curve.before_bytes) == (50, 60 * 2**20, 10 * 2**20)
    assert curve.stacks[0].frames[0] == "forward, model.py:12"
    assert curve.stacks[0].count == 50


def test_its_refusals_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "s.pickle"
    path.write_bytes(b"hello")
    with pytest.raises(SourceError, match="cut off or damaged"):
        snapshot(path)
    with pytest.raises(SourceError, match="cannot be read"):
        snapshot(tmp_path / "none")
    stop = StopSignal()
    stop.request(now=True)
    with pytest.raises(RunError, match="was stopped"):
        snapshot(path, stop=stop)
