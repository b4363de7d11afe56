"""Ending a process and what it has started, without asking."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psutil


def kill_session(leader: int) -> None:
    """Ends every process of the session that the process ``leader`` was started in, at once.

    Windows has no sessions: there it is the process and what descends from it. Nothing happens
    where all are gone already.
    """
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(leader)
        for one in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                one.kill()
