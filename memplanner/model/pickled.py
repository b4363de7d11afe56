"""Pickles are never opened: how to tell one, and what to say."""

from __future__ import annotations

from pathlib import Path

from memplanner.errors import SourceError
from memplanner.model.reading import reason

ENDINGS = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".pt2", ".joblib", ".npy", ".npz")
_LEGACY_TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"
"""torch's magic number, the first object of the format before 1.6, after the protocol's bytes."""


def first_bytes(path: Path) -> bytes:
    """How the file begins. Raises ``SourceError``."""
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error


def refuse_pickle(path: Path, start: bytes) -> None:
    """Raises ``SourceError`` when ``path`` is a pickle, by its ending or by its first bytes."""
    if path.suffix.lower() in ENDINGS or _is_pickle(start):
        raise SourceError(
            f"{path} is a pickle, and loading it can run any code; save the weights as "
            "safetensors, or open the model through a recipe file."
        )


def _is_pickle(start: bytes) -> bool:
    if _LEGACY_TORCH in start:
        return True
    if start[8:9] == b"{":  # a safetensors header, whose length may begin like a pickle
        return False
    # Protocols 2 to 5 begin with 0x80 and their number; a frame, a mark or an opcode follows.
    return len(start) >= 2 and start[0] == 0x80 and 2 <= start[1] <= 5
