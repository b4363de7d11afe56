"""Steps of compiled blocks, which torch runs as written while a dispatch mode watches.

So no storage of theirs is seen: what is measured is the allocator's account, with its highest in
each phase, and what stands before the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch.profiler import record_function

from memplanner.messages.estimate import CATEGORIES, Categories, Phase
from memplanner.messages.run import RunFigures
from memplanner.run.allocator_truth import AllocatorPeak
from memplanner.tape.allocator_trace import AllocatorTrace
from memplanner.tape.steady import Ownership
from memplanner.tape.tape import TEMPORARIES
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.host_memory import HOST

NOTE = (
    "Steps of compiled blocks are measured by the allocator alone: the measured activations hold "
    "gradients, temporaries and workspaces too."
)
_LABEL = "memplanner phase "


@dataclass(slots=True)
class Phases:
    """Marks the phases of a step for the profiler; the observer of a step that is not watched."""

    watch: StorageWatch
    _open: record_function | None = field(default=None, init=False)

    def phase(self, phase: Phase, micro_batch: int) -> None:
        """A phase begins."""
        self.close()
        self.watch.phase(phase, micro_batch)
        self._open = record_function(_LABEL + phase)
        self._open.__enter__()

    def close(self) -> None:
        """The last phase ended."""
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = None


@contextmanager
def phases(watch: StorageWatch) -> Iterator[Phases]:
    """An observer for one step."""
    marks = Phases(watch)
    try:
        yield marks
    finally:
        marks.close()


def standing_categories(watch: StorageWatch, owned: Ownership) -> Categories:
    """What is alive now, of a watch that has seen what stands before a step and no more."""
    sizes = dict.fromkeys(CATEGORIES, 0)
    for index, size in enumerate(watch.size_bytes):
        kind = owned.category.get(index, TEMPORARIES)
        if watch.device[index] != HOST:
            sizes[CATEGORIES[kind]] += size
    return Categories(**sizes)


def highest_by_phase(trace: AllocatorTrace) -> dict[Phase, int]:
    """The highest sum of blocks made since the start, in each phase that was marked."""
    spans: list[tuple[float, float, Phase]] = [
        (begin, end, name.removeprefix(_LABEL))  # type: ignore[misc]  # written by Phases
        for name, begin, end in trace.labels
        if name.startswith(_LABEL)
    ]
    highest: dict[Phase, int] = {}
    live = 0
    for moment, size in trace.changes:
        live += size
        for begin, end, phase in spans:
            if begin <= moment <= end:
                highest[phase] = max(highest.get(phase, 0), live)
    return highest


def compiled_notes() -> tuple[str, ...]:
    """How a compiled step was measured, and where torch did not compile."""
    from torch._dynamo.utils import counters

    reasons = counters["graph_break"]
    if not reasons:
        return (NOTE,)
    first = next(iter(reasons)).strip().splitlines()[0]
    return NOTE, f"torch broke blocks into more than one graph: {first}"


def compiled_figures(
    standing: Categories, peak: AllocatorPeak, *, device_bytes: int | None
) -> RunFigures:
    """What a step took: what stood before it, and all the rest as activations."""
    total = peak.allocated_bytes
    if total is None:
        total = standing.total_bytes + (peak.new_bytes or 0)
    rest = max(total - standing.total_bytes, 0)
    highest = {} if peak.trace is None else highest_by_phase(peak.trace)
    by_phase = {phase: standing.total_bytes + size for phase, size in highest.items()}
    phase: Phase = max(by_phase, key=by_phase.__getitem__, default="backward")
    return RunFigures(
        allocated_bytes=standing.total_bytes + rest,
        reserved_bytes=peak.reserved_bytes,
        device_bytes=device_bytes,
        phase=phase,
        by_category=standing.model_copy(update={"activations": rest}),
        by_phase=by_phase,
    )
