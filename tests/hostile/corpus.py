"""The malformed files, reader by reader, each with words of the sentence that it ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile import corpus_folders, corpus_pickles, corpus_text, corpus_weights
from tests.hostile.case import Case
from tests.hostile.readers import ENDINGS


def cases(*readers: str) -> list[Case]:
    """Those of ``readers``; all of them where none is named."""
    found: list[Case] = []
    for reader in readers or _MAKERS:
        for name, says, data, *more in _MAKERS[reader]():
            beside = more[0] if more else {}
            file = more[1] if len(more) > 1 else ENDINGS[reader]
            found.append(Case(reader, name, says, data, file, beside))
    return found


_MAKERS: dict[str, Callable[[], Iterator[tuple[Any, ...]]]] = {
    "safetensors": corpus_weights.safetensors_files,
    "gguf": corpus_weights.gguf_files,
    "onnx": corpus_weights.onnx,
    "archive": corpus_pickles.archive,
    "keras": corpus_weights.keras,
    "config": corpus_text.config,
    "index": corpus_folders.index,
    "folder": corpus_folders.folder,
    "plan": corpus_text.plan,
    "trainer": corpus_text.trainer,
    "snapshot": corpus_pickles.snapshot,
    "text": corpus_text.text,
    "protocol": corpus_text.protocol,
}
