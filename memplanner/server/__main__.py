"""Starts the engine on its own channel."""

from __future__ import annotations

import os
import sys

from memplanner.run.channel import take_standard_streams
from memplanner.server.channel import Channel
from memplanner.server.loop import serve

SWITCH_SECONDS = 0.001


def main() -> None:
    """Serves until standard input ends or a shutdown is asked for."""
    # torch's profiler, which measures kernels, would print a line at each start and stop
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    # and DDP one that it keeps no times of weightless tensors
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    # what is done in idle moments is Python, and would hold up who reads a request for so long
    sys.setswitchinterval(SWITCH_SECONDS)
    requests, answers = take_standard_streams()
    channel = Channel(answers)
    serve(requests.buffer, channel)
    sys.stderr.flush()
    os._exit(0)  # threads of user code must not hold the process


if __name__ == "__main__":
    main()
