"""The engine from a terminal."""

from memplanner.cli.commands import main

__all__ = ["main"]
