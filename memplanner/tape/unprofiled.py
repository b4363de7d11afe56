"""Stretches that torch's own code names for a profiler go unnamed while a step is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch.autograd.profiler import record_function

from memplanner.tape.watch import StorageWatch


@contextmanager
def unprofiled(watch: StorageWatch) -> Iterator[None]:
    """Nothing profiles a recording, and a name's two operations take as long as others.

    What is at work then is noted all the same: FSDP2 frees what it gathered within such stretches.
    """

    def entered(stretch: record_function) -> record_function:
        watch.note(None, (), None)
        return stretch

    def left(*given: Any) -> None:
        watch.note(None, (), None)

    with (
        patch.object(record_function, "__enter__", entered),
        patch.object(record_function, "__exit__", left),
    ):
        yield
