"""One rank of a sharded run, as torchrun starts it: ``python -m memplanner.run.ranks_worker``.

It gets its request and sends its events over a connection (``ranks_channel.py``), otherwise as the
worker of a run on one card does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from threading import Event, Thread

from memplanner.run.channel import Channel
from memplanner.run.interruption import Interruption
from memplanner.run.ranks_channel import join_as
from memplanner.run.ranks_session import RankSession
from memplanner.run.request import RunRequest

_PR_SET_PDEATHSIG = 1
"""``linux/prctl.h``."""


def end_with_parent() -> None:
    """Linux ends this process as soon as the one that started it is gone, however it went.

    Elsewhere the end of the connection does, in a moment.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Reads the request, runs it, sends the result, and waits to be ended.

    A rank that went away before the others are through would fail them.
    """
    end_with_parent()
    rank = int(os.environ["RANK"])
    requests, answers = join_as(rank)
    channel = Channel(answers)
    request = RunRequest.model_validate_json(requests.readline())
    interruption = Interruption()
    interruption.install()
    Thread(target=interruption.listen, args=(requests,), name="stop requests", daemon=True).start()
    channel.send(RankSession.of(request, channel.send, interruption, rank).run())
    Event().wait()


if __name__ == "__main__":
    main()
