"""The engine from a terminal."""

from memplanner.cli import check as _check  # noqa: F401  (adds its command)
from memplanner.cli import compare as _compare  # noqa: F401  (adds its command)
from memplanner.cli import history as _history  # noqa: F401  (adds its command)
from memplanner.cli import largest as _largest  # noqa: F401  (adds its command)
from memplanner.cli import report as _report  # noqa: F401  (adds its command)
from memplanner.cli import search as _search  # noqa: F401  (adds its commands)
from memplanner.cli import sensitivity as _sensitivity  # noqa: F401  (adds its command)
from memplanner.cli import snapshot as _snapshot  # noqa: F401  (adds its command)
from memplanner.cli.commands import main

__all__ = ["main"]
