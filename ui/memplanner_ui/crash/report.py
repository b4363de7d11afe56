"""The text of a crash report, and the folder that keeps the last ones."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from pathlib import Path

import PySide6

from memplanner.masking import mask, mask_paths
from memplanner.messages.protocol import EngineInfo
from memplanner.writing import write_whole
from memplanner_ui.environment.fitness import own_version

MOST_REPORTS = 10
LARGEST_CHARACTERS = 200_000


def report_text(what: str, trace: str, messages: Iterable[str], info: EngineInfo | None) -> str:
    """A report of ``what`` happened, with its ``trace``: versions, and which messages came before.

    ``messages`` are kinds and numbers, without what they said. Secrets and the user's folder are
    masked.
    """
    engine = "not running"
    if info is not None:
        engine = (
            f"memplanner {info.version}, Python {info.python}, torch {info.torch}, "
            f"transformers {info.transformers}"
        )
    parts = (
        "Crash report of memplanner. It lies on this machine alone and is sent to nobody.",
        what,
        f"Window: memplanner {own_version()}, Python {platform.python_version()}, "
        f"PySide6 {PySide6.__version__}, {platform.platform()}\nEngine: {engine}",
        f"Trace:\n{trace.strip() or 'none'}",
        "The last messages between window and engine:\n" + ("\n".join(messages) or "none"),
    )
    text = mask_paths(mask("\n\n".join(parts)))
    if len(text) > LARGEST_CHARACTERS:
        half = LARGEST_CHARACTERS // 2
        text = f"{text[:half]}\n… the middle is left out …\n{text[-half:]}"
    return text + "\n"


class Reports:
    """The last reports, a file each, the user's alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, text: str) -> Path:
        """Writes a report, and removes the oldest beyond ``MOST_REPORTS``. Raises ``OSError``."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09d}.txt"
        write_whole(path, text, private=True)
        for old in self.paths()[MOST_REPORTS:]:
            old.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """Those that are kept, the last first."""
        return sorted(self.folder.glob("*.txt"), reverse=True)
