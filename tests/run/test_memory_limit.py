from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memplanner.run.kernel_kills import kernel_kills

_LIMITED = """
import resource
import torch
from memplanner.hardware import HostMemory
from memplanner.messages.device import Device
from memplanner.run import memory_limit
memory_limit.host_memory = lambda: HostMemory(2**40, 256 * 2**20)
device = Device(name="CPU", kind="cpu", memory_bytes=None, local=True)
assert memory_limit.remaining_bytes() is None
memory_limit.limit_memory(device)
before = memory_limit.remaining_bytes()
assert 200 * 2**20 < before <= 256 * 2**20
kept = torch.zeros(2**24)
assert before - memory_limit.remaining_bytes() >= 2**26
try:
    torch.zeros(2**27)
except RuntimeError as error:
    from memplanner.run.out_of_memory import asked_bytes, is_out_of_memory
    assert is_out_of_memory(error)
    print(asked_bytes(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts so on Linux only")
def test_an_allocation_beyond_the_machine_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", _LIMITED], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == (f"{2**29}\n", 0), done.stderr


def test_kernel_kills_are_counted_where_there_is_a_count(tmp_path: Path) -> None:
    machine, group = tmp_path / "vmstat", tmp_path / "memory.events"
    assert kernel_kills((machine, group)) is None
    machine.write_text("pgfault 12\noom_kill 3\n")
    assert kernel_kills((machine, group)) == 3
    group.write_text("low 0\noom 1\noom_kill 2\noom_group_kill 9\n")
    assert kernel_kills((machine, group)) == 5
