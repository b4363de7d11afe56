"""A run that says nothing: whether it is stopped by a signal, waits for a disk, or computes."""

from __future__ import annotations

from contextlib import suppress

import psutil

from memplanner.messages.run import RunProgress
from memplanner.units import format_duration

TITLE = "The run does not answer"


def silent(process_id: int, silent_seconds: float, seconds: float) -> RunProgress:
    """What to tell of a worker that has said nothing for so long; ``seconds`` is the moment."""
    lasted = format_duration(silent_seconds)
    status: str = ""
    with suppress(psutil.Error):  # it ends at this moment, and its end is told
        status = psutil.Process(process_id).status()
    if status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}:
        detail = (
            f"for {lasted}, since it is stopped by a signal; let it go on with "
            f"“kill -CONT {process_id}”, or stop the run"
        )
    elif status == psutil.STATUS_DISK_SLEEP:
        detail = f"for {lasted}, since it waits for a disk; wait, or stop the run"
    else:
        detail = f"for {lasted}; wait, or stop the run"
    return RunProgress(seconds=seconds, title=TITLE, detail=detail)


def answering(seconds: float) -> RunProgress:
    """It is heard again."""
    return RunProgress(seconds=seconds, title="The run answers again")
