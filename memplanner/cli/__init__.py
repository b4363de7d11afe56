"""The engine from a terminal."""

from memplanner.cli import largest as _largest  # noqa: F401  (adds its command)
from memplanner.cli import sensitivity as _sensitivity  # noqa: F401  (adds its command)
from memplanner.cli.commands import main

__all__ = ["main"]
