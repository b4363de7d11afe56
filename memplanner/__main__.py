"""``python -m memplanner`` and ``memplanner``: the terminal, or the window where that is asked."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs what the command line names; raises ``SystemExit``."""
    if sys.argv[1:2] == ["gui"]:
        from memplanner_ui.start import main as open_window  # at once: the terminal takes longer

        sys.exit(open_window(sys.argv[2:]))
    from memplanner.cli import main as run

    run()


if __name__ == "__main__":
    main()
