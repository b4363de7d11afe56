from __future__ import annotations

import re
import subprocess
import sys

import pytest

from memplanner.units import GIB, MIB

HELD_BYTES = 200 * MIB
LEFT = f"held = b'x' * {HELD_BYTES}; import time; time.sleep(4)"
LEAVES = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {LEFT!r}], start_new_session=True)
"""
WAITS = f"""
import subprocess, sys, time
subprocess.run([sys.executable, "-c", {LEAVES!r}])
time.sleep(3)
sys.exit(3)
"""
UNITS = {"MiB": MIB, "GiB": GIB}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="smaps_rollup is Linux'")
def test_what_a_child_left_behind_is_counted() -> None:
    words = [sys.executable, "-m", "benchmarks.suite_memory", "--every", "0.1", sys.executable]
    done = subprocess.run([*words, "-c", WAITS], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    first, *lines = done.stdout.splitlines()
    size = re.match(r"at most ([\d.]+) (MiB|GiB) in \d processes, ", first)
    assert size is not None
    assert HELD_BYTES < float(size[1]) * UNITS[size[2]] < 2 * HELD_BYTES
    assert any(LEFT[:60] in line for line in lines)


ENDS = """
import subprocess, sys, time, psutil
words = [sys.executable, "-c", "import subprocess, sys; print(subprocess.Popen(['true']).pid)"]
number = int(subprocess.run(words, capture_output=True, check=True).stdout)
until = time.monotonic() + 30
while psutil.pid_exists(number) and time.monotonic() < until:
    time.sleep(0.05)
sys.exit(psutil.pid_exists(number))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="smaps_rollup is Linux'")
def test_what_was_left_behind_and_ended_is_gone() -> None:
    """Or tests that wait for the end of orphans would wait in vain."""
    words = [sys.executable, "-m", "benchmarks.suite_memory", "--every", "0.1", sys.executable]
    done = subprocess.run([*words, "-c", ENDS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
