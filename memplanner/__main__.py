"""``python -m memplanner``: the terminal."""

from memplanner.cli import main

main()
