"""What came of reading a trainer's file."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memplanner.errors import printable
from memplanner.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The plan that a trainer's file means, and what of the file a plan has no place for."""

    trainer: str
    """The export target of the same format, such as ``axolotl``."""
    title: str
    plan: Plan
    model: str | None = None
    """As the file names it."""
    source: str | None = None
    """What ``load`` takes for that model, where it is known here."""
    no_place: tuple[str, ...] = ()
    """Sentences: what is not understood, or changes a step in a way that no plan says."""
    aside: tuple[str, ...] = ()
    """Keys that a step's memory does not depend on, such as where results are written."""
    notes: tuple[str, ...] = ()
    """Sentences: what the file leaves open, and how it was taken."""

    def printable(self) -> Imported:
        """The same, with what quotes the file as a terminal can show it."""
        return replace(
            self,
            model=None if self.model is None else printable(self.model),
            no_place=tuple(map(printable, self.no_place)),
            aside=tuple(map(printable, self.aside)),
            notes=tuple(map(printable, self.notes)),
        )
