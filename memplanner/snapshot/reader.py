"""``torch.cuda.memory._dump_snapshot``'s file as arrays: every event of the allocator.

The file is a pickle of plain containers (``torch/csrc/cuda/memory_snapshot.cpp``). It is read as
data, entry by entry: an event becomes a few numbers as soon as it is whole. What is kept beside
events is counted, and may grow with the file by less than real ones need, so memory is bounded by
the file's size.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from memplanner.errors import SourceError, printable
from memplanner.model.plain_pickle import PlainReader
from memplanner.model.reading import reason

Array = npt.NDArray[np.int64]

ACTIONS = ("alloc", "free_completed", "segment_alloc", "segment_free", "segment_map",
           "segment_unmap", "oom")  # fmt: skip
"""Those that change what is allocated or reserved, and failures; others are left out."""
ALLOC, FREE, SEGMENT_ALLOC, SEGMENT_FREE, SEGMENT_MAP, SEGMENT_UNMAP, OOM = range(len(ACTIONS))
MOST_VALUES = 2**32
KEPT_AT_ONCE = 2**22
BYTES_FOR_ONE_KEPT = 8
"""Of the file, beyond ``KEPT_AT_ONCE``. An event takes a hundred or so, and keeps six at most:
itself, words of its own in the memo, and its frames."""
_KEYS = range(5, 33)
"""How many an event has."""
TOLD_EVERY = 2**24
"""Bytes between two tellings of how far it is."""
LARGEST_BYTES = 2**50
_FRAMES = 12
"""Frames of a stack that are kept in words."""

Progress = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class DeviceTrace:
    """What one card's allocator did, in order; shaped (events,)."""

    device: int
    action: Array
    """Place in ``ACTIONS``."""
    size_bytes: Array
    address: Array
    stream: Array
    time_us: Array
    """Microseconds since the epoch; 0 where the file has none."""
    stack: Array
    """Place in ``stacks``; −1 where nothing was recorded."""
    stacks: tuple[tuple[str, ...], ...]
    """Such as ``("forward, modeling_llama.py:123", …)``, the innermost first."""
    allocated_bytes: int
    """What is allocated at the end, by the file's segments."""
    reserved_bytes: int

    def __len__(self) -> int:
        return len(self.action)


def read_snapshot(path: Path, progress: Progress | None = None) -> tuple[DeviceTrace, ...]:
    """The traces of the cards that did anything; ``progress`` is told the part that is read.

    Raises ``SourceError`` where ``path`` is no snapshot, or has no recorded history.
    """
    try:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                raise SourceError(f"{path} is empty; name another file.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                reader = _Reader(data, str(path), MOST_VALUES, progress)
                value = reader.read()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error
    if not (isinstance(value, dict) and isinstance(value.get("device_traces"), list)):
        raise SourceError(
            f"{path} is no memory snapshot; write one with torch.cuda.memory._dump_snapshot."
        )
    found = tuple(_traces(reader, value))
    if not found:
        raise SourceError(
            f"{path} has no history; call torch.cuda.memory._record_memory_history() before the "
            "steps that are to be seen."
        )
    return found


class _Events:
    """The events of one card, column by column."""

    def __init__(self) -> None:
        self.action, self.stack = array("b"), array("i")
        self.size_bytes, self.address = array("q"), array("Q")
        self.stream, self.time_us = array("Q"), array("q")


class _Reader(PlainReader):
    """Takes events out of the lists that they are in."""

    def __init__(
        self, data: mmap.mmap, origin: str, most_values: int, progress: Progress | None
    ) -> None:
        super().__init__(data, origin, most_values)
        self._progress, self._told = progress, 0
        self.events: dict[int, _Events] = {}
        """By the identity of the list that they were in."""
        self._taken_out_of: list[list[Any]] = []
        self.stacks: list[tuple[str, ...]] = []
        self._places: dict[int, int] = {}
        self._frames: list[Any] = []
        self._words: dict[int, tuple[Any, str]] = {}
        """Frames, by their identity, and their words: stacks share most of them."""

    def _most_kept(self) -> int:
        return KEPT_AT_ONCE + self._place // BYTES_FOR_ONE_KEPT

    def _set(self, values: list[Any]) -> None:
        super()._set(values)
        if len(values) // 2 in _KEYS and "action" in values[::2]:
            # waits to be taken, in some files until its list is whole: its words and numbers are
            # few and small, and count as one
            self._kept += 1 - len(values) + sum(type(one) not in _SMALL for one in values)

    def _append(self, values: list[Any]) -> None:
        target = self._top()
        rest: list[Any] = []
        for value in values:
            action = value.get("action") if isinstance(value, dict) else None
            if not isinstance(action, str):
                rest.append(value)
                continue
            own = self.events.get(id(target))
            if own is None:
                own = self.events[id(target)] = _Events()
                self._taken_out_of.append(target)  # or its identity could become another's
            self._take_event(own, action, value)
        super()._append(rest)
        if self._progress is not None and self._place - self._told > TOLD_EVERY:
            self._told = self._place
            self._progress(self._place / self._size)

    def _take_event(self, own: _Events, action: str, entry: dict[Any, Any]) -> None:
        if action in _CODES:
            size: Any = entry.get("size")
            address: Any = entry.get("addr", entry.get("device_free", 0))
            stream: Any = entry.get("stream", 0)
            moment: Any = entry.get("time_us", 0)
            if not all(type(one) is int for one in (size, address, stream, moment)) or not (
                0 <= size <= LARGEST_BYTES and 0 <= address < 2**64 and 0 <= stream < 2**64
                and abs(moment) < 2**62
            ):  # fmt: skip
                raise self._damaged("an event that makes no sense")
            own.action.append(_CODES[action])
            own.size_bytes.append(size)
            own.address.append(address)
            own.stream.append(stream)
            own.time_us.append(moment)
            own.stack.append(self._stack_of(entry.get("frames")))
            self._kept += 1  # its numbers
        self._kept -= 1 if len(entry) in _KEYS else 2 * len(entry)
        entry.clear()

    def _stack_of(self, frames: Any) -> int:
        if not isinstance(frames, list) or not frames:
            return -1
        place = self._places.get(id(frames))
        if place is None:
            place = self._places[id(frames)] = len(self.stacks)
            self._frames.append(frames)
            self.stacks.append(tuple(self._words_of(frame) for frame in frames[:_FRAMES]))
            self._kept += _FRAMES
        return place

    def _words_of(self, frame: Any) -> str:
        found = self._words.get(id(frame))
        if found is None:
            found = self._words[id(frame)] = frame, _words(frame)
            self._kept += 2
        return found[1]


_SMALL = frozenset({int, str, bool, type(None)})
_CODES = {action: place for place, action in enumerate(ACTIONS)}


def _words(frame: Any) -> str:
    if not isinstance(frame, dict):
        return "?"
    name, file, line = frame.get("name"), frame.get("filename"), frame.get("line")
    name = name[:120] if isinstance(name, str) else "?"  # anything else can be without end
    where = file.replace("\\", "/").rpartition("/")[2][:80] if isinstance(file, str) else ""
    return printable(f"{name}, {where}:{line}" if where and isinstance(line, int) else name)


def _traces(reader: _Reader, value: dict[Any, Any]) -> list[DeviceTrace]:
    segments = value.get("segments")
    table = [one for one in segments if isinstance(one, dict)] if isinstance(segments, list) else []
    found = []
    for device, trace in enumerate(value["device_traces"]):
        own = reader.events.get(id(trace))
        if own is None:
            continue
        mine = [one for one in table if one.get("device") == device]
        found.append(
            DeviceTrace(
                device=device,
                action=np.array(own.action, dtype=np.int64),
                size_bytes=np.frombuffer(own.size_bytes, dtype=np.int64),
                address=np.frombuffer(own.address, dtype=np.int64),
                stream=np.frombuffer(own.stream, dtype=np.int64),
                time_us=np.frombuffer(own.time_us, dtype=np.int64),
                stack=np.array(own.stack, dtype=np.int64),
                stacks=tuple(reader.stacks),
                allocated_bytes=sum(_size(one.get("allocated_size")) for one in mine),
                reserved_bytes=sum(_size(one.get("total_size")) for one in mine),
            )
        )
    return found


def _size(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= LARGEST_BYTES else 0
