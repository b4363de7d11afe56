"""Memory snapshots: files of the form that torch writes, read as data."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memplanner.errors import SourceError
from memplanner.snapshot import curve_of, read_snapshot, reader
from memplanner.snapshot.reader import ALLOC, OOM

FRAMES: list[Any] = [{"name": "forward", "filename": "/site/model.py", "line": 12},
                     {"name": "main", "filename": "train.py", "line": 3}]  # fmt: skip


def event(action: str, address: int, size: int, time: int = 0, **more: Any) -> dict[str, Any]:
    return {"action": action, "addr": address, "size": size, "stream": 0, "time_us": 10**15 + time,
            "compile_context": "N/A", "user_metadata": "", "frames": FRAMES, **more}  # fmt: skip


def segment(device: int, reserved: int, allocated: int) -> dict[str, Any]:
    return {"device": device, "address": 2**40, "total_size": reserved, "stream": 0,
            "segment_type": "large", "allocated_size": allocated, "active_size": allocated,
            "blocks": [{"size": reserved, "state": "active_allocated"}], "frames": []}  # fmt: skip


def written(
    path: Path, *traces: list[dict[str, Any]], segments: Any = (), protocol: int = 4
) -> Path:
    value = {"segments": list(segments), "device_traces": list(traces),
             "allocator_settings": {"expandable_segments": False},
             "external_annotations": []}  # fmt: skip
    path.write_bytes(pickle.dumps(value, protocol))
    return path


SIZES = st.lists(st.tuples(st.integers(512, 2**34), st.booleans()), min_size=1, max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=SIZES, protocol=st.integers(2, 5), forgotten=st.integers(0, 30))
def test_the_curve_is_that_of_plain_counting(
    tmp_path: Path, plan: list[tuple[int, bool]], protocol: int, forgotten: int
) -> None:
    trace, alive, levels = [], [], []
    for number, (size, frees) in enumerate(plan):
        if frees and alive:
            address, size = alive.pop()
            trace.append(event("free_requested", address, size, number))
            trace.append(event("free_completed", address, size, number))
        else:
            alive.append((number * 2**35, size))
            trace.append(event("alloc", number * 2**35, size, number))
        levels.append(sum(size for _, size in alive))
    left = levels[-1]
    path = written(tmp_path / "s.pickle", trace, [], segments=[segment(0, left + 512, left)],
                   protocol=protocol)  # fmt: skip

    (found,) = read_snapshot(path)
    curve = curve_of(found)
    assert curve.allocated_bytes.tolist() == levels
    assert curve.before_bytes == 0
    assert (curve.reserved_bytes >= curve.allocated_bytes).all()

    # the oldest events of a full history are gone; the end is known all the same
    kept = [one for one in trace if one["action"] != "free_requested"][forgotten:]
    if kept:
        path = written(tmp_path / "t.pickle", kept, segments=[segment(0, left + 512, left)])
        assert curve_of(read_snapshot(path)[0]).allocated_bytes.tolist() == levels[forgotten:]


def test_stacks_are_kept_once_and_in_words(tmp_path: Path) -> None:
    trace = [event("alloc", 1, 512), event("oom", 0, 2**40, device_free=5), event("alloc", 2, 512)]
    path = written(tmp_path / "s.pickle", [], trace, segments=[segment(1, 4096, 1024)])
    (found,) = read_snapshot(path)
    assert found.device == 1
    assert found.stacks == (("forward, model.py:12", "main, train.py:3"),)
    assert found.stack.tolist() == [0, 0, 0]
    assert found.action.tolist() == [ALLOC, OOM, ALLOC]
    assert np.diff(curve_of(found).allocated_bytes).tolist() == [0, 512]


def test_words_of_a_stack_are_text(tmp_path: Path) -> None:
    odd = [{"name": "a\x1b[2J", "filename": "/x\u202e.py", "line": 3}]
    trace = [event("alloc", 1, 512), event("alloc", 2, 512, frames=odd)]
    (found,) = read_snapshot(written(tmp_path / "s.pickle", trace))
    assert found.stacks[1] == ("a [2J, x .py:3",)


def test_what_real_histories_keep_is_granted_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "KEPT_AT_ONCE", 8000)
    words = [f"word {number}" for number in range(40_000)]  # torch makes new ones for each event
    many = [
        event("alloc", number, 512, compile_context=words[2 * number],
              user_metadata=words[2 * number + 1])
        for number in range(20_000)
    ]  # fmt: skip
    path = written(tmp_path / "s.pickle", many)
    assert len(read_snapshot(path)[0]) == 20_000
    path.write_bytes(pickle.dumps({"device_traces": [[{} for _ in range(20_000)]]}))
    with pytest.raises(SourceError, match="more values than"):
        read_snapshot(path)


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1, 2], "no memory snapshot"),
        ({"segments": []}, "no memory snapshot"),
        ({"segments": [], "device_traces": [[], []]}, "has no history"),
        ({"segments": 3, "device_traces": [["alloc"]]}, "has no history"),
        ({"segments": [], "device_traces": [[event("alloc", 1, -5)]]}, "makes no sense"),
        ({"segments": [], "device_traces": [[event("alloc", 1, 2**80)]]}, "makes no sense"),
        ({"segments": [], "device_traces": [[event("alloc", 1, 5, stream="a")]]}, "no sense"),
    ],
)
def test_what_is_no_snapshot_is_refused(tmp_path: Path, value: Any, said: str) -> None:
    path = tmp_path / "s.pickle"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(SourceError, match=said) as caught:
        read_snapshot(path)
    assert "\n" not in str(caught.value)


def test_nothing_in_a_snapshot_is_called(tmp_path: Path) -> None:
    trace = [event("alloc", 1, 512, user_metadata=Trap(tmp_path / "trapped"))]
    (found,) = read_snapshot(written(tmp_path / "s.pickle", trace, [Trap(tmp_path / "trapped")]))  # type: ignore[list-item]  # a hostile file
    assert len(found) == 1
    assert not (tmp_path / "trapped").exists()


def test_progress_is_told_and_may_end_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "TOLD_EVERY", 2**18)

    class Enough(Exception):  # noqa: N818  (it is no error)
        pass

    def tell(part: float) -> None:
        told.append(part)
        if part > 0.5:
            raise Enough

    told: list[float] = []
    many = [event("alloc", number, 512, number) for number in range(20_000)]
    path = written(tmp_path / "s.pickle", many)
    with pytest.raises(Enough):
        read_snapshot(path, tell)
    assert all(0 < part < 1 for part in told)
