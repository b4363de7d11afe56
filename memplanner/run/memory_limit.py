"""What a run may take at most: a share of the card, or of the machine's memory.

A machine that swaps, or whose kernel ends processes, is of no use to anyone: at the limit an
allocation is refused instead, which says what was asked for and where.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from memplanner.hardware import host_memory
from memplanner.messages.device import Device

_STATUS = Path("/proc/self/status")


def limit_memory(device: Device, *, processes: int = 1) -> None:
    """Caps this process at what is free on the device now. Call it before the model is built.

    On the CPU so many ``processes`` share what is free; each has a card of its own.
    """
    if device.kind == "cpu":
        _limit_data(host_memory().available_bytes // processes)
    elif device.memory_bytes and device.free_bytes is not None:
        share = min(max(device.free_bytes / device.memory_bytes, 0.0), 1.0)
        torch.cuda.set_per_process_memory_fraction(share, device.index)


def _limit_data(more_bytes: int) -> None:
    """Refuses private writable memory beyond what is there and ``more_bytes``, on Linux.

    Since 4.7 ``RLIMIT_DATA`` counts ``VmData``: the heap and anonymous mappings.
    """
    if sys.platform != "linux":
        return
    import resource

    taken = data_bytes()
    if taken is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = taken + more_bytes
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def remaining_bytes() -> int | None:
    """What the limit leaves; None without one."""
    if sys.platform != "linux":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    taken = data_bytes()
    if taken is None or limit == resource.RLIM_INFINITY:
        return None
    return max(limit - taken, 0)


def data_bytes() -> int | None:
    """This process's private writable memory, touched or not; None where the system is silent."""
    try:
        status = _STATUS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "VmData":
            return int(value.split()[0]) * 1024
    return None
