"""Starts the engine on its own channel."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from memplanner.server.channel import Channel
from memplanner.server.loop import serve


def main() -> None:
    """Serves until standard input ends or a shutdown is asked for."""
    # torch's profiler, which measures kernels, would print a line at each start and stop
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    # and DDP one that it keeps no times of weightless tensors
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    requests, channel = take_standard_streams()
    serve(requests, channel)
    sys.stderr.flush()
    os._exit(0)  # threads of user code must not hold the process


def take_standard_streams() -> tuple[BinaryIO, Channel]:
    """The channel; user code that reads finds an end, and what it prints goes elsewhere."""
    requests = os.fdopen(os.dup(0), "rb")
    channel = Channel(os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return requests, channel


if __name__ == "__main__":
    main()
