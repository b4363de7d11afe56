"""The plans that the user keeps of a model, by name; they survive the window in its settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner_ui.language import translate
from memplanner_ui.settings import KeptPlan, SettingsFile

MOST = 64
"""Of one model; the oldest that is neither pinned nor shown goes first."""
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Named:
    """A plan that is kept, read; ``trouble`` says why one cannot be."""

    kept: KeptPlan
    plan: Plan | None
    trouble: str = ""

    @property
    def name(self) -> str:
        """Its name, which no other plan of the model has."""
        return self.kept.name


class KeptPlans(QObject):
    """The plans of one model, pinned ones first, then the newest first."""

    changed = Signal()

    def __init__(
        self,
        settings: SettingsFile,
        parent: QObject | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(parent)
        self._settings, self._now = settings, now
        self._source = ""
        self._plans: tuple[Named, ...] = ()

    @property
    def plans(self) -> tuple[Named, ...]:
        """What is kept, in the order in which it is listed."""
        return self._plans

    def open(self, source: str | None) -> None:
        """Shows the plans of another model; None: of none."""
        self._source = source or ""
        kept = self._settings.values.kept.get(self._source, ())
        self._plans = tuple(_read(one) for one in kept)
        self.changed.emit()

    def find(self, name: str) -> Named | None:
        """The plan with a name."""
        return next((one for one in self._plans if one.name == name), None)

    def keep(self, plan: Plan, name: str, origin: str = "") -> str:
        """Keeps a plan, and shows it; its name, which a number makes another's no longer."""
        if not self._source:
            return ""
        free = self._free_name(name)
        one = KeptPlan(name=free, plan=plan.to_dict(), kept=self._now(), origin=origin, shown=True)
        self._put((Named(one, plan), *self._plans))
        return free

    def duplicate(self, name: str) -> str:
        """Keeps a plan once more under a name of its own, which comes back."""
        one = self.find(name)
        if one is None or one.plan is None:
            return ""
        return self.keep(one.plan, translate("Window", "{name}, copy").format(name=name))

    def rename(self, name: str, new: str) -> str:
        """Gives a plan another name, with a number where that is taken; the name it has then."""
        new = " ".join(new.split())[:LONGEST_NAME]
        if not new or new == name or self.find(name) is None:
            return name
        free = self._free_name(new)
        self._change(name, name_=free)
        return free

    def delete(self, name: str) -> None:
        """Keeps a plan no longer."""
        self._put(tuple(one for one in self._plans if one.name != name))

    def pin(self, name: str, pinned: bool) -> None:
        """Lists a plan before the others, or among them again."""
        self._change(name, pinned=pinned)

    def show(self, name: str, shown: bool) -> None:
        """Puts a plan side by side with the others, or takes it out."""
        self._change(name, shown=shown)

    def _change(self, name: str, *, name_: str | None = None, **values: bool) -> None:
        update: dict[str, object] = dict(values)
        if name_ is not None:
            update["name"] = name_
        self._put(
            tuple(
                Named(one.kept.model_copy(update=update), one.plan, one.trouble)
                if one.name == name
                else one
                for one in self._plans
            )
        )

    def _put(self, plans: tuple[Named, ...]) -> None:
        ordered = sorted(plans, key=lambda one: (not one.kept.pinned, -one.kept.kept))
        while len(ordered) > MOST:
            spare = [one for one in ordered if not one.kept.pinned and not one.kept.shown]
            ordered.remove((spare or ordered)[-1])
        if tuple(ordered) == self._plans:
            return
        self._plans = tuple(ordered)
        kept = dict(self._settings.values.kept)
        kept[self._source] = tuple(one.kept for one in ordered)
        if not ordered:
            del kept[self._source]
        self._settings.update(kept=kept)
        self.changed.emit()

    def _free_name(self, name: str) -> str:
        name = " ".join(name.split())[:LONGEST_NAME] or translate("Window", "Plan")
        taken = {one.name for one in self._plans}
        number, free = 2, name
        while free in taken:
            number, free = number + 1, f"{name} {number}"
        return free


def _read(kept: KeptPlan) -> Named:
    try:
        return Named(kept, Plan.parse(kept.plan, origin=kept.name))
    except PlanError as error:
        return Named(kept, None, str(error))
