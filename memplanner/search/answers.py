"""Searches from beginning to end, for scripts and the terminal."""

from __future__ import annotations

from collections.abc import Callable

from memplanner.errors import DeviceError
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.search import FitResult, SearchGoal, SearchResult, SearchState
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.smallest_change import SmallestChanges
from memplanner.search.where import begin


def search(
    model: Model,
    plan: Plan | None = None,
    device: Device | str = "auto",
    goal: SearchGoal | None = None,
    *,
    calibration: CalibrationRecord | None = None,
    progress: Callable[[SearchState], object] | None = None,
) -> SearchResult:
    """The plans near ``plan`` that are worth a look, and the one that meets ``goal`` best.

    ``progress`` is told how far it is after each slice. Raises ``DeviceError`` where the device or
    its memory is not known.

    >>> from memplanner.model import load
    >>> plan = Plan().with_values({"training.batch_size": 8})
    >>> goal = SearchGoal(prefer="least_memory", techniques=("activation_checkpointing",))
    >>> found = search(load("preset:smollm2-135m"), plan, "RTX 4090 24GB", goal)
    >>> found.chosen.changes[0].words, found.chosen.allocated_bytes
    ('recompute every block', 12740884488)
    """
    chosen = _with_memory(device)
    planned = Plan() if plan is None else plan
    wanted = SearchGoal() if goal is None else goal
    running = begin(model, planned, chosen, wanted, calibration=calibration)
    while running.go_on():
        if progress is not None:
            progress(running.state)
    return SearchResult(
        device=chosen,
        plan=planned,
        goal=wanted,
        chosen=running.chosen,
        plans=running.best(),
        state=running.state,
        notes=tuple(running.notes),
    )


def smallest_change(
    model: Model,
    plan: Plan | None = None,
    device: Device | str = "auto",
    goal: SearchGoal | None = None,
    *,
    calibration: CalibrationRecord | None = None,
) -> FitResult:
    """The shortest lists of changes with which ``plan`` fits; of one that fits, what is faster.

    Raises ``DeviceError`` where the device or its memory is not known.
    """
    chosen = _with_memory(device)
    planned = Plan() if plan is None else plan
    looking = SmallestChanges(model, planned, chosen, goal, calibration=calibration)
    while looking.go_on():
        pass
    return FitResult(
        device=chosen,
        plan=planned,
        fits_already=looking.fits_already,
        changes=looking.found(),
    )


def _with_memory(device: Device | str) -> Device:
    chosen = find_device(device) if isinstance(device, str) else device
    if chosen.memory_bytes is None:
        raise DeviceError(
            f"The memory of {chosen.name} is not known; name a card of the catalogue."
        )
    return chosen
