"""Qt calls by the million: some versions of PySide6 lose a reference to None with each."""

from __future__ import annotations

import os
import subprocess
import sys

CALLS = 2_000_000

SOAK = f"""
from PySide6.QtWidgets import QApplication, QWidget
application = QApplication([])
widget = QWidget()
update = widget.update
for _ in range({CALLS}):
    update()
print("alive")
"""


def test_millions_of_calls_leave_the_process_alive() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SOAK],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "alive"
