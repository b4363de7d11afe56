"""Ranks of gloo for tests: each case has a world of its own, which no other case has touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
import torch.distributed as dist

from tests.forked import SECONDS, together

P = ParamSpec("P")
T = TypeVar("T")


def on_ranks(
    count: int, function: Callable[Concatenate[int, P], T], *args: P.args, **kwargs: P.kwargs
) -> list[T]:
    """What ``function(rank, …)`` returns on each of ``count`` ranks of one process group.

    Function and arguments must be picklable, and so must what comes back. Raises ``ForkedError``
    with the traceback of the first rank that failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder, "store"))
        ranks = [(rank, count, store, function, args, kwargs) for rank in range(count)]
        return together([(_in_world, rank, {}) for rank in ranks])


def _in_world(
    rank: int, count: int, store: str, function: Callable[..., Any], args: Any, kwargs: Any
) -> Any:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
    torch.manual_seed(0)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{store}",
        rank=rank,
        world_size=count,
        timeout=timedelta(seconds=SECONDS),
    )
    result = function(rank, *args, **kwargs)
    dist.barrier()  # who leaves early closes connections that others still use
    dist.destroy_process_group()
    return result
