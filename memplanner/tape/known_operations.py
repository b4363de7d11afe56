"""What is known of torch's operations, found out once for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def once_an_operation(find_out: Callable[[Any], T]) -> Callable[[Any], T]:
    """``find_out``, whose answer is remembered by the operation's identity.

    ``functools.cache`` would hash the operation, which runs Python code at every dispatch.
    """
    known: dict[int, tuple[Any, T]] = {}

    def found(func: Any) -> T:
        answer = known.get(id(func))
        if answer is None:
            # the operation is held, so that its number stays its own
            answer = known[id(func)] = func, find_out(func)
        return answer[1]

    return found
