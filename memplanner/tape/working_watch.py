"""A watch that notes beside storages what kernels compute and move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memplanner.tape.collectives import Collective
from memplanner.tape.watch import StorageWatch
from memplanner.tape.work import RECOMPUTATION, STEP


class WorkingWatch(StorageWatch):
    """Its ``work`` is that of what it has seen; operations are noted after their storages."""

    def note_work(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> None:
        """Notes what the kernel of an operation does."""
        number = len(self.phases) - 1
        if self.updates:
            self.work.note_update(func, args, kwargs, result, number, self._owner)
        else:
            self.work.note(func, args, kwargs, result, number, self._context, self._part())

    def note_kernel(self, sizes_bytes: Sequence[int]) -> None:
        """Notes a kernel that a compiler makes of several operations: what it reads and writes."""
        self.work.note_kernel(sizes_bytes, len(self.phases) - 1, self._context, self._part())

    def note_sent(self, call: Collective) -> None:
        """Notes what is sent to other ranks."""
        self.work.note_collective(call, len(self.phases) - 1, self.module_at_work)

    def _part(self) -> int:
        again = bool(self._stack) and self.current_phase == "backward"
        return RECOMPUTATION if again else STEP
