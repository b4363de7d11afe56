"""The optimizer in the exported script: what makes it, and the modules that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from torch import nn

from memplanner.export.layer_names import short_names
from memplanner.export.target import Subject
from memplanner.messages.protocol import ExportedFile
from memplanner.plan import Plan
from memplanner.techniques.layer_choice import linear_names
from memplanner.techniques.optimizer import projected_matrices

_LION_FILE = "lion.py"
_LOW_RANK_FILE = "low_rank_updates.py"


@dataclass(frozen=True, slots=True)
class Projected:
    """What the script says of gradients in a low rank."""

    names: tuple[str, ...]
    """Of layers: whole paths, or their last parts."""
    options: tuple[str, ...]
    """Of ``LowRankUpdates``."""


def projected_layers(module: nn.Module, subject: Subject) -> Projected | None:
    """For the plan's projection on the weightless ``module``, or None without one.

    Raises ``PlanError`` where no layer is large enough for its rank.
    """
    section = subject.plan.optimizer
    if section.projection == "none":
        return None
    projected_matrices(module, section.rank)
    options = [f"rank={section.rank}", f"gap={section.update_gap}", f"scale={section.scale!r}"]
    if section.weight_decay:
        decoupled = section.name == "adamw"
        rate = f"{section.learning_rate!r} * " if decoupled else ""
        options.append(f"decay={rate}{section.weight_decay!r}")
        if not decoupled:
            options.append("decoupled=False")
    return Projected(tuple(short_names(module, linear_names(module))), tuple(options))


def optimizer_files(plan: Plan) -> Iterator[ExportedFile]:
    """The modules that the script imports, each of which needs torch alone."""
    used = {
        _LION_FILE: plan.optimizer.name == "lion",
        _LOW_RANK_FILE: plan.optimizer.projection == "galore",
    }
    for name, is_used in used.items():
        if is_used:
            source = files("memplanner.techniques").joinpath(name)
            yield ExportedFile(name=name, text=source.read_text("utf-8"))
