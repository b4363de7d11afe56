"""Starts the engine on its own channel."""

from __future__ import annotations

import os
import sys

from memplanner.server.channel import Channel
from memplanner.server.loop import serve


def main() -> None:
    """Serves until standard input ends or a shutdown is asked for."""
    channel = Channel(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what user code prints must not stand between the lines
    sys.stdout = sys.stderr
    serve(sys.stdin.buffer, channel)
    sys.stderr.flush()
    os._exit(0)  # threads of user code must not hold the process


if __name__ == "__main__":
    main()
