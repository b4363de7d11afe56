"""What is shown at the top of a view when something needs the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from memplanner.messages import protocol
from memplanner_ui.language import translate
from memplanner_ui.views.notice import Fix, Kind


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence of what happened, one of what it means, then ways out."""

    kind: Kind
    what: str
    meaning: str = ""
    fixes: tuple[Fix, ...] = ()

    @classmethod
    def of(cls, failure: protocol.Failure, meaning: str = "", fixes: tuple[Fix, ...] = ()) -> Self:
        """The notice for a failure of the engine; a defect of ours means that alone."""
        if failure.error == "Defect":
            meaning = translate(
                "Window",
                "This is a defect of memplanner; the engine's log (Window menu) has its trace.",
            )
        return cls("trouble", failure.sentence, meaning, fixes)
