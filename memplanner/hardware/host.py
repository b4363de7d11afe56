"""The host's memory, as far as this process may use it: a container's limit counts.

Linux control groups: https://docs.kernel.org/admin-guide/cgroup-v2.html (``memory.max``,
``memory.current``) and https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
(``memory.limit_in_bytes``, ``memory.usage_in_bytes``). File pages that nobody has touched for a
while (``inactive_file``) are counted as free: the kernel drops them before it refuses memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from memplanner.messages.device import Device

FRESH_SECONDS = 0.25
"""How long a device's figures are used again: reading them takes as long as an estimate."""
_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


class HostMemory(NamedTuple):
    """Bytes of memory that this process could use, and what of it is free."""

    total_bytes: int
    available_bytes: int

    @property
    def used_bytes(self) -> int:
        """What is not available."""
        return self.total_bytes - self.available_bytes


class _Files(NamedTuple):
    limit: str
    usage: str
    inactive: str
    """The line of ``memory.stat`` for a group with those below it."""


_V2 = _Files("memory.max", "memory.current", "inactive_file")
_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def host_memory() -> HostMemory:
    """The machine's memory, or less where a control group limits this process."""
    import psutil

    memory = psutil.virtual_memory()
    return within_limits(
        HostMemory(memory.total, memory.available), group_limits(_CONTROL_GROUPS, _MEMBERSHIP)
    )


def host_device() -> Device:
    """This machine's CPU, with what of its memory is used now, or was a moment ago."""
    return _host_device(int(monotonic() / FRESH_SECONDS))


@lru_cache(maxsize=1)
def _host_device(moment: int) -> Device:
    memory = host_memory()
    return Device(
        name="CPU",
        kind="cpu",
        memory_bytes=memory.total_bytes,
        used_bytes=memory.used_bytes,
        local=True,
    )


def within_limits(host: HostMemory, limits: Iterator[HostMemory]) -> HostMemory:
    """The tightest of ``host`` and ``limits``, in total and in what is available."""
    total, available = host
    for limit in limits:
        total = min(total, limit.total_bytes)
        available = min(available, limit.available_bytes)
    return HostMemory(total, max(0, min(available, total)))


def group_limits(root: Path, membership: Path) -> Iterator[HostMemory]:
    """The memory limits of the control groups that this process is in, from the inmost outwards.

    ``root`` is where they are mounted, ``membership`` the file that lists the process's groups.
    Yields nothing where there are none, or they cannot be read (other systems than Linux).
    """
    for line in _read(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            yield from _upwards(root, path, _V2)
        elif "memory" in controllers.split(","):
            yield from _upwards(root / "memory", path, _V1)


def _upwards(mount: Path, path: str, names: _Files) -> Iterator[HostMemory]:
    """Limits of the group at ``path`` and of each above it; a container may see only the mount."""
    group = mount.joinpath(path.lstrip("/"))
    if ".." in Path(path).parts:  # a group outside what is mounted here
        group = mount
    while True:
        limit, usage = _number(group / names.limit), _number(group / names.usage)
        if limit is not None and usage is not None:
            yield HostMemory(limit, limit - max(0, usage - _inactive(group, names)))
        if group == mount:
            return
        group = group.parent


def _inactive(group: Path, names: _Files) -> int:
    for line in _read(group / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == names.inactive and value.isdigit():
            return int(value)
    return 0


def _number(file: Path) -> int | None:
    """The number in ``file``; None for ``max``, which is no limit, and where there is no file."""
    text = _read(file).strip()
    return int(text) if text.isdigit() else None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""
