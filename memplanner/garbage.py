"""When Python looks for garbage: not while nothing is waste, or while its moment would matter."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Within, objects die by reference counts alone: a collection comes at no certain moment.

    And where nothing is waste it only takes time, more with each object that is alive.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def nothing_here_is_waste() -> None:
    """Collections leave alone what is there now: to visit all of torch takes one 0.3 s.

    For what stays as long as the process. What of it should be waste later on is never found.
    """
    gc.freeze()
