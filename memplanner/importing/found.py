"""What a reader gathers on its way through a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys, shown
from memplanner.importing.models import source_of
from memplanner.plan import Plan

_OFF: tuple[Any, ...] = (False, 0, 0.0, "no", "false", "none", [], {})
"""Values with which a key that is not understood asks for nothing."""


@dataclass(slots=True, kw_only=True)
class Found:
    """Keys of the plan that the file decides, and sentences about the rest."""

    trainer: str
    title: str
    base: Plan
    values: dict[str, Any] = field(default_factory=dict)
    no_place: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model: str | None = None

    def imported(self, keys: Keys, aside: re.Pattern[str], origin: str) -> Imported:
        """All of it. Raises ``PlanError`` where the values make no plan.

        ``aside`` matches keys that a step's memory does not depend on.
        """
        names: list[str] = []
        for name, value in keys.left():
            if aside.fullmatch(name):
                names.append(name)
            elif value not in _OFF:
                self.no_place.append(f"{name}: {shown(value)} has no place in a plan.")
        return Imported(
            trainer=self.trainer,
            title=self.title,
            plan=self.base.with_values(self.values, origin=origin),
            model=self.model,
            source=source_of(self.model),
            no_place=tuple(self.no_place),
            aside=tuple(names),
            notes=tuple(self.notes),
        )


NO_COUNT = (
    "The file does not say how many cards there are; set sharding.nodes and "
    "sharding.cards_per_node to those that it is launched with."
)


def ruled(base: Plan, loop: Mapping[str, Any]) -> Plan:
    """A plan of a trainer that decides everything by itself, but for cards and sequence.

    ``base`` gives those; ``loop`` is how the trainer's own loop is.
    """
    kept = {
        "training": {"sequence_length": base.training.sequence_length},
        "sharding": base.sharding if base.sharding.ranks == 1 else cards_alone(base),
    }
    return Plan.model_validate(kept).with_values(dict(loop))


def cards_alone(base: Plan) -> dict[str, Any]:
    """The section ``sharding`` with its cards and links, and torch's defaults otherwise."""
    section = base.sharding
    names = ("nodes", "cards_per_node", "card_link", "node_link")
    return {name: getattr(section, name) for name in names}
