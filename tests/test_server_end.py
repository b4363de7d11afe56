"""How the engine process ends, and what it answers before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memplanner.messages import protocol
from tests.engine import SECONDS, Engine


@pytest.fixture
def light(tmp_path: Path) -> Iterator[Engine]:
    """An engine that is not asked for anything that needs torch."""
    engine = Engine(tmp_path / "log")
    yield engine
    engine.end()


def test_a_shutdown_ends_it_at_once_and_leaves_later_requests(light: Engine) -> None:
    light.send(
        lambda number: protocol.Hello(id=number),
        lambda number: protocol.Shutdown(id=number),
        lambda number: protocol.Hello(id=number),
    )
    assert light.reply().kind == "engine_info"
    assert light.process.wait(10) == 0
    with pytest.raises(AssertionError, match="no reply"):
        light.reply(seconds=0.1)
    assert light.log.read_text() == ""


def test_a_window_that_reads_no_more_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    asked = b'{"id": 1, "kind": "hello"}\n{"id": 2, "kind": "shutdown"}\n'
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "memplanner.server"],
        input=asked,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_last_line_may_lack_its_end(light: Engine) -> None:
    light.write(b'{"id": 3, "kind": "list_presets"}')
    assert light.process.stdin is not None
    light.process.stdin.close()
    assert light.reply().id == 3
    assert light.process.wait(10) == 0
