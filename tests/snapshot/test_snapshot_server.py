"""A snapshot read by the engine, over its real channel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memplanner.messages import protocol
from tests.engine import Engine
from tests.snapshot.test_reader import event, written


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "log", forked=True)
    yield engine
    engine.end()


def test_the_engine_reads_a_snapshot_and_says_what_is_none(engine: Engine, tmp_path: Path) -> None:
    path = written(tmp_path / "s.pickle", [event("alloc", one, 512, one) for one in range(9)])
    found = engine.ask(protocol.SnapshotRead, protocol.ReadSnapshot, path=str(path)).snapshot
    assert found.curves[0].peak_bytes == 9 * 512

    failure = engine.ask(protocol.Failure, protocol.ReadSnapshot, path=str(tmp_path / "none"))
    assert (failure.error, "cannot be read" in failure.sentence) == ("SourceError", True)
    again = engine.ask(protocol.SnapshotRead, protocol.ReadSnapshot, path=str(path)).snapshot
    assert again.curves == found.curves
