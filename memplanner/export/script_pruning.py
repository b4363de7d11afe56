"""Pruning in the exported script: what it calls, and the module that lies beside it.

The script brings the engine's own code: the package ``memplanner.techniques.sparsity`` as one file.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

from torch import nn

from memplanner.export.layer_names import layer_classes, short_names
from memplanner.export.one_module import one_module
from memplanner.export.python_source import literal
from memplanner.export.target import Subject
from memplanner.plan.pruning import Pruning as Section
from memplanner.techniques.precision import stored_type
from memplanner.techniques.pruned_structure import (
    check_reload,
    checked_structure,
)
from memplanner.techniques.pruning import (
    layer_names,
    planned_smaller,
    schedule_of,
    zeros_of,
)
from memplanner.techniques.sparsity.structure import Smaller, make_smaller
from memplanner.techniques.sparsity.zeros import Zeros

SPARSITY_FILE = "sparsity.py"
_PACKAGE = "memplanner.techniques.sparsity"
_PARTS = (
    "matrices", "masks", "calibration", "sparsegpt", "packed", "zeros", "gradual", "configuration",
    "widths", "heads", "depth", "channels", "structure",
)  # fmt: skip
"""Each after those that it needs."""
_HEAD = '''"""Weights, widths, heads and blocks taken away: for the script beside this file.

Written by memplanner; it needs torch alone.
"""

from __future__ import annotations

'''


@dataclass(frozen=True, slots=True)
class Pruned:
    """What the script's function ``prune`` says."""

    zeros: bool
    """Whether it puts zeros in layers; else the module becomes smaller."""
    names: tuple[str, ...]
    """Of layers: whole paths, or their last parts; or the lists that lose blocks."""
    classes: str
    """The layers' classes, as ``isinstance`` takes them."""
    options: tuple[str, ...]
    """Of ``Zeros`` or ``Smaller``."""
    batches: int
    """How many micro-batches scores are taken from; 0 where none are."""
    masks: bool
    configured: bool
    """Whether the smaller module has a configuration to save beside its weights."""
    schedule: tuple[str, ...] = ()
    """Of ``Schedule``; empty where everything goes before training."""


def pruned_parts(module: nn.Module, subject: Subject) -> Pruned | None:
    """For the plan's pruning of the weightless ``module``, or None without one.

    A module that becomes smaller does so in place. Raises ``PlanError``.
    """
    plan, section = subject.plan, subject.plan.pruning
    if section.structure == "none":
        return None
    batches = section.calibration_batches if section.needs_data else 0
    if section.structure == "structured":
        paths = checked_structure(module, section, stored_type(plan).itemsize)
        smaller, unsaid = planned_smaller(module, subject.model, section)
        make_smaller(module, smaller, paths)
        check_reload(module, whole=True, unsaid=unsaid)
        configured = not unsaid and hasattr(getattr(module, "config", None), "to_json_file")
        return Pruned(False, paths, "", _options(smaller), batches, False, configured)
    names = layer_names(module, section)
    return Pruned(
        zeros=True,
        names=tuple(short_names(module, names)),
        classes=layer_classes(module, names),
        options=_options(zeros_of(plan)),
        batches=batches,
        masks=section.kept_as == "masks",
        configured=False,
        schedule=_schedule(section) if section.is_gradual else (),
    )


def _schedule(section: Section) -> tuple[str, ...]:
    schedule = schedule_of(section)
    names = [field.name for field in fields(schedule)]
    if schedule.kind == "constant":
        names.remove("exponent")
    return tuple(f"{name}={literal(getattr(schedule, name))}" for name in names)


def _options(chosen: Zeros | Smaller) -> tuple[str, ...]:
    """What differs from the defaults."""
    standard = type(chosen)()
    values = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
    return tuple(
        f"{name}={value if name == 'compute_type' else literal(value)}"
        for name, value in values.items()
        if value != getattr(standard, name)
    )


@cache
def sparsity_source() -> str:
    """The package as one module."""
    return one_module(_PACKAGE, _PARTS, _HEAD)
