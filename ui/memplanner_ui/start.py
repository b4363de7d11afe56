"""Opens the window where Qt can, and says in one sentence why where it cannot."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from memplanner_ui.system_libraries import why_no_window


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the window until it is closed; ``argv`` without the program's name. The exit code."""
    trouble = why_no_window()
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    from memplanner_ui.application import main as open_window

    return open_window(argv)
