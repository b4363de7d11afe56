"""What a hostile file is to a test: its bytes, and the sentence that it ends in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category


@dataclass(frozen=True)
class Case:
    """A malformed file, made by code."""

    reader: str
    name: str
    says: str
    """Words of the one sentence; empty where the file is read, and does no harm."""
    data: bytes | Callable[[], bytes]
    file: str
    """What the file is called."""
    beside: dict[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Writes the file, and those beside it, to ``folder``."""
        folder.mkdir(parents=True)
        for name, data in self.beside.items():
            (folder / name).write_bytes(data)
        path = folder / self.file
        path.write_bytes(self.data() if callable(self.data) else self.data)
        return path


def is_one_line(sentence: str) -> bool:
    """Whether a terminal shows it as text of one line."""
    return all(one.isprintable() or category(one) == "Zs" for one in sentence)
