"""A watch that marks where autograd stores gradients (``gradients.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from memplanner.messages.estimate import Phase
from memplanner.tape.gradients import Noted, own_uses
from memplanner.tape.streams import current_number
from memplanner.tape.working_watch import WorkingWatch


class MarkingWatch(WorkingWatch):
    """Marks and places are storages of no size; a mark dies where the module at work changes."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._mark: int | None = None
        """The mark of the gradient that was stored last, until the next operation."""
        self.gradients = Noted()
        self.update_failed = False
        """Whether the optimizer gave up inside of backward."""
        own_uses()  # they are counted outside of modes

    def mark_gradient(self, parameter: torch.Tensor) -> None:
        """Notes that autograd has stored a gradient of ``parameter``: a hook of it."""
        self._end_mark()
        gradient = parameter.grad
        if gradient is None or gradient.layout is not torch.strided:
            return
        owner, stored = self.index_of(parameter), self.index_of(gradient)
        if owner is None or stored is None:
            return
        mark = self._mark = self._nothing(self.module[owner])
        self.gradients.mark(mark, owner, stored, self.module[stored], parameter)

    def place_states(self, parameter: torch.Tensor) -> None:
        """Notes once where the states of ``parameter`` come."""
        owner = self.index_of(parameter)
        if owner is not None and owner not in self.gradients.places:
            self.gradients.places[owner] = self._nothing(self.module[owner])

    def phase(self, phase: Phase, micro_batch: int) -> None:
        """A phase begins."""
        self._end_mark()
        super().phase(phase, micro_batch)

    @contextmanager
    def working_for(self, module: nn.Module) -> Iterator[None]:
        """What backward does for ``module`` apart from its graph."""
        self._end_mark()
        with super().working_for(module):
            try:
                yield
            finally:
                self._end_mark()

    @contextmanager
    def updating(self, parameter: torch.Tensor) -> Iterator[None]:
        """The optimizer updates ``parameter`` inside of backward."""
        with super().updating(parameter):
            try:
                yield
            except BaseException:  # noted, and raised again
                self.update_failed = True
                raise

    def adds_in_place(self, func: Any, args: Any, kwargs: Any) -> bool:
        """Whether autograd would have changed ``args[0]`` in place, were there no mode."""
        adds = super().adds_in_place(func, args, kwargs)
        if adds:
            self._end_mark()
        return adds

    def note(self, func: Any, args: Any, result: Any) -> None:
        """Notes the storages that ``func`` made."""
        if self._mark is not None and not self.updates:
            self._end_mark()
        super().note(func, args, result)

    def _end_mark(self) -> None:
        if self._mark is not None:
            self.events.append(-self._mark - 1)
            self.event_module.append(self._context)
            self._mark = None

    def _nothing(self, module: int) -> int:
        """A storage of no size, born now."""
        index = len(self.size_bytes)
        if self.communicates:
            self.communication.add(index)
            self.streams[index] = current_number()
        self.size_bytes.append(0)
        self.operation.append("")
        self.module.append(module)
        self.dtype.append(torch.uint8)
        self.shape.append(())
        self.device.append(self.scratch_device)
        self.recomputed.append(False)
        self.events.append(index + 1)
        self.event_module.append(self._context)
        return index
