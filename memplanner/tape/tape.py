"""A tape: one steady training step as arrays of births and deaths of storages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from memplanner.messages.estimate import CATEGORIES, Phase, Span
from memplanner.tape.collectives import Collective
from memplanner.tape.gradients import Gradients
from memplanner.tape.work import Work, nothing

Array = npt.NDArray[np.int64]

(
    PARAMETERS, GRADIENTS, OPTIMIZER_STATE, ACTIVATIONS, TEMPORARIES, WORKSPACES, BUFFERS, INPUTS,
    KV_CACHE, COMMUNICATION,
) = range(len(CATEGORIES))  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageInfo:
    """What made a storage: for details, not for sums."""

    operation: str
    shape: tuple[int, ...]
    dtype: str
    host_bytes: int = 0
    """What it takes in the host's memory; 0 for what lies on the device."""
    collective: Collective | None = None
    """What it stands for, if it is no memory but a call that sends to other ranks."""
    stream: int = 0
    """The stream that it was asked on; 0 for the computation's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """One steady step. All arrays are by storage, or by event.

    ``events[i]`` is ``storage + 1`` for a birth and ``-(storage + 1)`` for a death;
    ``context[i]`` is the module at work then. ``phases[0]`` is ``load``: what is there before the
    step. Bytes that are not on the target device are 0.
    """

    size_bytes: Array
    category: Array
    module: Array
    """Of each storage: the module that it belongs to."""
    events: Array
    context: Array
    phases: tuple[Span, ...]
    storages: tuple[StorageInfo, ...]
    """Of what was recorded; ``source`` says which of them each storage is a copy of."""
    source: Array
    module_names: tuple[str, ...]
    module_types: tuple[str, ...]
    module_shapes: dict[int, tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]]
    trainable: npt.NDArray[np.bool_]
    """Storages of parameters that are trained."""
    numel: Array
    """Of each parameter's storage: elements; 0 for the rest."""
    notes: tuple[str, ...] = ()
    work: Work = field(default_factory=nothing)
    """What its kernels do: each row of what was recorded, with the rows that it stands for."""
    gradients: Gradients | None = None
    """Of a step that was recorded for other optimizers, too."""

    @property
    def deltas_bytes(self) -> Array:
        """The change of allocated memory at each event."""
        deltas: Array = np.sign(self.events) * self.size_bytes[np.abs(self.events) - 1]
        return deltas

    @property
    def curve_bytes(self) -> Array:
        """Allocated memory after each event."""
        return np.cumsum(self.deltas_bytes)

    @property
    def host_peak_bytes(self) -> int:
        """The most that lies in the host's memory, of what the plan puts there.

        Only in a tape that was recorded at its very batch and sequence.
        """
        sizes = np.array([storage.host_bytes for storage in self.storages], dtype=np.int64)
        if not sizes.any():
            return 0
        taken = sizes[self.source]
        curve = np.cumsum(np.sign(self.events) * taken[np.abs(self.events) - 1])
        return int(curve.max())

    def without_scratch(self) -> Tape:
        """The tape with nothing in what kernels take while they run.

        Workspaces that stand since ``load`` stay.
        """
        scratch = self.category == WORKSPACES
        scratch[self.events[: self.phases[0].stop] - 1] = False
        if not scratch.any():
            return self
        return replace(self, size_bytes=np.where(scratch, 0, self.size_bytes))

    def phase_at(self, event: int) -> Phase:
        """The phase that the event belongs to."""
        for span in self.phases:
            if event < span.stop:
                return span.phase
        return self.phases[-1].phase
