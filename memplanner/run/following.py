"""A process that works on one request: started, followed by its lines, and gone in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from tempfile import TemporaryFile
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from memplanner.messages.base import Message
from memplanner.run.killing import kill_session
from memplanner.run.lines import bounded_lines
from memplanner.run.stopping import StopSignal

Progress = TypeVar("Progress", bound=Message)
End = TypeVar("End", bound=Message)
_LAST_BYTES = 2**16
"""Of what was printed, enough for its last line."""


class Silent(NamedTuple):
    """A process that ended without its last word."""

    said: str
    """Its last line of standard error, or its exit code."""


def follow(
    module: str,
    request: Message,
    messages: tuple[type[Progress], type[End]],
    on_progress: Callable[[Progress], object] | None,
    stop: StopSignal | None,
) -> End | Silent | None:
    """The last word of ``python -m module``, which gets ``request`` as a line.

    ``messages`` are what it says: its progress, and its end. None where it was stopped before.
    """
    progress, end = messages
    read: TypeAdapter[Progress | End] = TypeAdapter(progress | end)  # type: ignore[arg-type]  # two types, joined when it runs
    with TemporaryFile() as printed:  # what user code prints is shown only where it fails
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            with (
                nullcontext()
                if stop is None
                else stop.heard_by(lambda now: kill_session(worker.pid))
            ):
                with suppress(BrokenPipeError):  # it is gone; the end of its output says so
                    worker.stdin.write(request.model_dump_json(by_alias=True) + "\n")
                    worker.stdin.flush()
                for line in bounded_lines(worker.stdout):
                    try:
                        event = read.validate_json(line)
                    except ValidationError:
                        continue  # an empty line, or what a library printed
                    if isinstance(event, end):
                        return event
                    if on_progress is not None and isinstance(event, progress):
                        on_progress(event)
        finally:
            kill_session(worker.pid)
            worker.wait()
            worker.stdout.close()
            with suppress(BrokenPipeError):
                worker.stdin.close()
        if stop is not None and stop.requested:
            return None
        printed.seek(max(printed.seek(0, os.SEEK_END) - _LAST_BYTES, 0))
        lines = printed.read().decode("utf-8", "replace").strip().splitlines()
    return Silent(lines[-1][:300] if lines else f"exit code {worker.returncode}")
