"""Standard output as the way of answers: nothing else gets onto it."""

from __future__ import annotations

import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from typing import Any

from memplanner.errors import ExportError
from memplanner.writing import why


class _Output(FileIO):
    """A file whose first failure ends the command; what is still buffered then goes nowhere."""

    _failed = False

    def write(self, data: Any, /) -> int:
        if self._failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._failed = True
            if isinstance(error, BrokenPipeError):
                raise
            raise ExportError(
                f"Standard output cannot be written: {why(error)}; "
                "make room or send it to another place."
            ) from error


def set_standard_output_apart() -> None:
    """Makes ``sys.stdout`` the only way to standard output.

    What native code or a model's ``os.write(1, …)`` prints goes to standard error instead. To be
    called once, before anything is printed.
    """
    try:
        os.fstat(1)
    except OSError:  # closed by whoever started the program
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    descriptor = os.dup(1)
    os.dup2(2, 1)
    old = sys.stdout
    sys.stdout = TextIOWrapper(
        BufferedWriter(_Output(descriptor, "w", closefd=False)),  # open as long as the process
        encoding="utf-8" if old is None else old.encoding,
        errors="replace",
        line_buffering=os.isatty(descriptor),
    )
