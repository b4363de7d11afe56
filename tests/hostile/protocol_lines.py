"""The engine's loop over lines that may be anything."""

from __future__ import annotations

import io

from memplanner.errors import MemplannerError
from memplanner.messages.protocol import Failure, Reply
from memplanner.server.channel import Channel, read_lines
from memplanner.server.loop import _parse


def read(data: bytes) -> None:
    """Reads each line as a request; what the engine answers with a failure is raised."""
    for line in read_lines(io.BytesIO(data)):
        if line is None:
            raise MemplannerError("A request is longer than it may be.")
        if line.strip():
            _parse(line, _CHANNEL)


class _Refusing(Channel):
    def send(self, reply: Reply) -> None:
        assert isinstance(reply, Failure)
        assert reply.error == "ProtocolError"
        raise MemplannerError(reply.sentence)


_CHANNEL = _Refusing(io.BytesIO())
