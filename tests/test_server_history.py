"""``list_runs``: answered without torch, in a thread of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from memplanner.hardware import card_identity, host_device
from memplanner.history import History, default_path
from memplanner.messages import protocol
from memplanner.messages.protocol import AnyReply
from memplanner.server.channel import Channel
from memplanner.server.light import answer_light
from tests.history.records import run


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return default_path()


def ask(**fields: object) -> AnyReply:
    stream = BytesIO()
    request = protocol.read_request.validate_python({"kind": "list_runs", "id": 7, **fields})
    assert answer_light(request, Channel(stream))
    for _ in range(500):
        if stream.getvalue().endswith(b"\n"):
            break
        time.sleep(0.01)
    reply = protocol.read_reply.validate_python(json.loads(stream.getvalue()))
    assert reply.id == 7
    return reply


def test_without_a_history_there_are_no_runs(file: Path) -> None:
    reply = ask()
    assert isinstance(reply, protocol.Runs)
    assert (reply.runs, reply.total) == ((), 0)
    assert not file.exists()


def test_runs_come_with_what_this_machines_devices_are_known_by(file: Path) -> None:
    host = host_device()
    with History(file) as history:
        history.add_run(run(device=host, card=card_identity(host)))
        history.add_run(run("2026-02-01T00:00:00+00:00"))
    reply = ask()
    assert isinstance(reply, protocol.Runs)
    assert [one.card for one in reply.runs] == ["card a", card_identity(host)]
    assert reply.cards["cpu"] == card_identity(host)
    reply = ask(device="cpu")
    assert isinstance(reply, protocol.Runs)
    assert ([one.device for one in reply.runs], reply.total) == ([host], 1)
    reply = ask(limit=1)
    assert isinstance(reply, protocol.Runs)
    assert (len(reply.runs), reply.total) == (1, 2)


def test_a_history_that_cannot_be_read_is_a_sentence(file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 1000)
    reply = ask()
    assert isinstance(reply, protocol.Failure)
    assert (reply.error, "is damaged" in reply.sentence) == ("HistoryError", True)


def test_no_torch_is_imported_for_it() -> None:
    code = (
        "import sys\n"
        "from memplanner.messages import protocol\n"
        "from memplanner.server.history_work import past_runs\n"
        "past_runs(protocol.ListRuns(id=1))\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
