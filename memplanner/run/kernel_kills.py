"""Whether Linux has ended a process for want of memory: SIGKILL alone does not tell.

``oom_kill`` of ``/proc/vmstat`` counts for the machine, that of ``memory.events`` for the control
group (https://docs.kernel.org/admin-guide/cgroup-v2.html).
"""

from __future__ import annotations

from pathlib import Path

_COUNTERS = (Path("/proc/vmstat"), Path("/sys/fs/cgroup/memory.events"))


def kernel_kills(counters: tuple[Path, ...] = _COUNTERS) -> int | None:
    """Processes ended for want of memory so far; None where the system keeps no count."""
    counts = [count for file in counters if (count := _count(file)) is not None]
    return sum(counts) if counts else None


def _count(file: Path) -> int | None:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.strip().isdigit():
            return int(value)
    return None
