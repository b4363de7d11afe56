"""The process in which a plan runs: ``python -m memplanner.run.worker``.

It reads its request from standard input and answers with events, a line each, on what standard
output was when it started; whatever else prints goes to standard error. A CUDA context dies with
it, and a crash in user code stays in here.
"""

from __future__ import annotations

import os
from threading import Thread

from memplanner.run.channel import Channel, take_standard_streams
from memplanner.run.interruption import Interruption
from memplanner.run.request import RunRequest
from memplanner.run.session import Session


def main() -> None:
    """Reads the request, runs it, sends the result."""
    requests, answers = take_standard_streams()
    channel = Channel(answers)
    request = RunRequest.model_validate_json(requests.readline())
    interruption = Interruption()
    interruption.install()
    Thread(target=interruption.listen, args=(requests,), name="stop requests", daemon=True).start()
    channel.send(Session(request, channel.send, interruption).run())
    os._exit(0)  # the result is sent; nothing of user code may hold the process


if __name__ == "__main__":
    main()
