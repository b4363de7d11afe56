"""A recorded tape with storages taken out and others put in, moment by moment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np

from memplanner.messages.estimate import Span
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import Array, StorageInfo, Tape

ROOT = 0


class TapeEdit:
    """Collects changes of one tape; ``made()`` is the changed one."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self._sizes: list[int] = []
        self._categories: list[int] = []
        self._modules: list[int] = []
        self._infos: list[StorageInfo] = []
        self._resized: dict[int, int] = {}
        self._host: dict[int, int] = {}
        self._gone: set[int] = set()
        self._moved: set[int] = set()
        self._before: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._at_end: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)

    def add(
        self,
        what: str,
        size_bytes: int,
        category: int,
        module: int = ROOT,
        *,
        dtype: str = "uint8",
        host_bytes: int = 0,
        collective: Collective | None = None,
    ) -> int:
        """A new storage's number; nothing of it is there until it is born."""
        info = StorageInfo(
            operation=what, shape=(), dtype=dtype, host_bytes=host_bytes, collective=collective
        )
        self._infos.append(info)
        self._sizes.append(size_bytes)
        self._categories.append(category)
        self._modules.append(module)
        return len(self.tape.size_bytes) + len(self._sizes) - 1

    def stand(
        self,
        what: str,
        size_bytes: int,
        category: int,
        module: int = ROOT,
        *,
        host_bytes: int = 0,
    ) -> None:
        """Something that is there from the end of the first phase on, for good."""
        self.make(self.add(what, size_bytes, category, module, host_bytes=host_bytes), -1, span=0)

    def resize(self, storage: int, size_bytes: int, *, host_bytes: int = 0) -> None:
        """A recorded storage takes so much, here and in the host's memory."""
        self._resized[storage] = size_bytes
        if host_bytes:
            self._host[storage] = host_bytes

    def remove(self, storage: int) -> None:
        """A recorded storage never was."""
        self._gone.add(storage)

    def move_death(self, storage: int) -> None:
        """A recorded storage does not die where it did: say where with ``free``."""
        self._moved.add(storage)

    def make(self, storage: int, place: int, *, span: int | None = None) -> None:
        """It is born before the event at ``place``, or at the end of the phase ``span``."""
        self._put(storage + 1, place, span)

    def free(self, storage: int, place: int, *, span: int | None = None) -> None:
        """It dies before the event at ``place``, or at the end of the phase ``span``."""
        self._put(-(storage + 1), place, span)

    def _put(self, event: int, place: int, span: int | None) -> None:
        if span is not None:
            self._at_end[span].append((event, ROOT))
            return
        inside = min(place, len(self.tape.context) - 1)
        self._before[place].append((event, int(self.tape.context[inside])))

    def made(self, notes: tuple[str, ...]) -> Tape:
        """The tape with all changes; ``notes`` follow its own."""
        events: list[int] = []
        context: list[int] = []
        phases = []
        old_events, old_context = self.tape.events.tolist(), self.tape.context.tolist()
        for number, span in enumerate(self.tape.phases):
            start = len(events)
            for place in range(span.start, span.stop):
                for event, module in self._before.get(place, ()):
                    events.append(event)
                    context.append(module)
                event = old_events[place]
                storage = abs(event) - 1
                if storage in self._gone or (event < 0 and storage in self._moved):
                    continue
                events.append(event)
                context.append(old_context[place])
            for event, module in self._at_end.get(number, ()):
                events.append(event)
                context.append(module)
            phases.append(span._replace(start=start, stop=len(events)))
        return self._with(events, context, tuple(phases), notes)

    def _with(
        self,
        events: list[int],
        context: list[int],
        phases: tuple[Span, ...],
        notes: tuple[str, ...],
    ) -> Tape:
        tape, count = self.tape, len(self._sizes)
        infos = list(tape.storages)
        source = tape.source.tolist()
        for storage, size in self._host.items():  # a copy of its own: others may share the info
            infos.append(replace(infos[source[storage]], host_bytes=size))
            source[storage] = len(infos) - 1
        source += range(len(infos), len(infos) + count)
        sizes = tape.size_bytes.copy()
        for storage, size in self._resized.items():
            sizes[storage] = size
        signed = np.array(events, dtype=np.int64)
        born = signed[signed > 0] - 1  # numbered in the order of their births, as tapes are
        number = np.zeros(len(sizes) + count, dtype=np.int64)
        number[born] = np.arange(1, len(born) + 1)
        trainable = np.concatenate([tape.trainable, np.zeros(count, dtype=np.bool_)])
        return replace(
            tape,
            size_bytes=_and(sizes, self._sizes)[born],
            category=_and(tape.category, self._categories)[born],
            module=_and(tape.module, self._modules)[born],
            events=np.sign(signed) * number[np.abs(signed) - 1],
            context=np.array(context, dtype=np.int64),
            phases=phases,
            storages=(*infos, *self._infos),
            source=np.array(source, dtype=np.int64)[born],
            trainable=trainable[born],
            numel=_and(tape.numel, [0] * count)[born],
            notes=(*tape.notes, *notes),
        )


def _and(values: Array, more: list[int]) -> Array:
    return np.concatenate([values, np.array(more, dtype=np.int64)])
