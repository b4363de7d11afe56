"""When Python looks for garbage: not while nothing is waste, or while its moment would matter.

And when the C library gives back what is free.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
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
    """Collections leave alone what is there now: to visit all of torch takes a third of a second.

    For what stays as long as the process. What of it is waste later on is not found any more.
    """
    gc.freeze()


def give_back() -> bool:
    """Gives what was freed back to the system, in milliseconds; whether there was any.

    glibc keeps what lies between things that are in use. False with another C library.
    """
    if sys.platform != "linux":
        return False
    import ctypes  # no window's first picture waits for it

    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and bool(trim(0))
