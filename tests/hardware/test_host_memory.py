from pathlib import Path

import psutil
from hypothesis import given
from hypothesis import strategies as st

from memplanner.hardware.host import (
    HostMemory,
    group_limits,
    host_device,
    host_memory,
    within_limits,
)

MIB = 1024**2
sizes = st.integers(0, 2**44)
memories = st.builds(
    lambda total, part: HostMemory(total, total * part // 100), sizes, st.integers(0, 100)
)


def group(path: Path, version: int, limit: str, usage: int, inactive: int = 0) -> None:
    names = ("memory.max", "memory.current", "inactive_file")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    path.mkdir(parents=True, exist_ok=True)
    path.joinpath(names[0]).write_text(f"{limit}\n")
    path.joinpath(names[1]).write_text(f"{usage}\n")
    path.joinpath("memory.stat").write_text(f"anon 1\n{names[2]} {inactive}\nfile 2\n")


def limits(root: Path, membership: str) -> list[HostMemory]:
    file = root / "cgroup"
    file.write_text(membership)
    return list(group_limits(root, file))


def test_the_machines_memory_is_what_psutil_says_or_less() -> None:
    memory = host_memory()
    assert 0 < memory.total_bytes <= psutil.virtual_memory().total
    assert 0 <= memory.used_bytes <= memory.total_bytes


def test_the_cpu_is_a_local_device() -> None:
    device = host_device()
    assert (device.name, device.kind, device.local, device.index) == ("CPU", "cpu", True, None)
    assert device.selector == "cpu"
    assert device.memory_bytes == host_memory().total_bytes


def test_version_2_takes_the_group_and_those_above(tmp_path: Path) -> None:
    group(tmp_path / "jobs", 2, str(800 * MIB), 300 * MIB, inactive=100 * MIB)
    group(tmp_path / "jobs/one", 2, "max", 300 * MIB)
    assert limits(tmp_path, "0::/jobs/one\n") == [HostMemory(800 * MIB, 600 * MIB)]


def test_version_2_in_a_container_sees_its_own_root(tmp_path: Path) -> None:
    group(tmp_path, 2, str(512 * MIB), 12 * MIB)
    assert limits(tmp_path, "0::/\n") == [HostMemory(512 * MIB, 500 * MIB)]
    assert limits(tmp_path, "0::/../outside\n") == [HostMemory(512 * MIB, 500 * MIB)]


def test_version_1_falls_back_on_the_mount_where_the_path_is_not_visible(tmp_path: Path) -> None:
    group(tmp_path / "memory", 1, str(256 * MIB), 56 * MIB, inactive=6 * MIB)
    membership = "9:name=systemd:/docker/ab\n4:cpuset,memory:/docker/ab\n0::/\n"
    assert limits(tmp_path, membership) == [HostMemory(256 * MIB, 206 * MIB)]


def test_version_1_without_a_limit_changes_nothing(tmp_path: Path) -> None:
    group(tmp_path / "memory", 1, str(2**63 - 4096), 56 * MIB)
    host = HostMemory(100 * MIB, 40 * MIB)
    assert within_limits(host, iter(limits(tmp_path, "4:memory:/\n"))) == host


def test_no_groups_no_limits(tmp_path: Path) -> None:
    assert list(group_limits(tmp_path, tmp_path / "absent")) == []
    assert limits(tmp_path, "nonsense\n") == []


def test_more_used_than_allowed_leaves_nothing(tmp_path: Path) -> None:
    group(tmp_path, 2, str(100 * MIB), 120 * MIB)
    memory = within_limits(HostMemory(1000 * MIB, 500 * MIB), iter(limits(tmp_path, "0::/\n")))
    assert memory == HostMemory(100 * MIB, 0)


@given(memories, st.lists(memories, max_size=4))
def test_limits_only_ever_take_away(host: HostMemory, some: list[HostMemory]) -> None:
    memory = within_limits(host, iter(some))
    assert memory.total_bytes == min(one.total_bytes for one in (host, *some))
    assert 0 <= memory.available_bytes <= memory.total_bytes
    assert memory.available_bytes <= host.available_bytes
    assert within_limits(memory, iter(some)) == memory
