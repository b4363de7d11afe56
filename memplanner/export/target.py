"""What an export target is: a text for one trainer, and what that trainer has no words for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from memplanner.errors import ExportError
from memplanner.export.settings import Setting, settings
from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan, keys

FROM_THE_START = ("training.batch_size", "training.sequence_length", "optimizer.name", "precision")
"""Keys that decide memory whatever their value, so that their default is worth saying too."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """The files of an export, and in sentences what of the plan they leave out."""

    files: tuple[protocol.ExportedFile, ...]
    cannot_say: tuple[str, ...]
    runs_as: protocol.RunsAs | None = None
    """What the target really runs, where it decides everything and cannot say the whole plan."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is exported."""

    model: Model
    plan: Plan
    device: Device


class ExportTarget(ABC):
    """Base of all targets.

    A key of the plan that a target does not claim in ``said`` is reported, so a new section shows
    up in every target until the target learns it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    explanation: ClassVar[str]
    file_name: ClassVar[str]
    order: ClassVar[int] = 50
    """Targets are listed from the lowest to the highest."""
    carries_use: ClassVar[bool] = False
    """Whether it has words for a model that is used rather than trained."""
    elsewhere: ClassVar[dict[str, str]] = {}
    """For a key that is not said: what to do about it, as an imperative."""

    @abstractmethod
    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The whole file. Raises ``ExportError`` or ``PlanError`` where there can be none."""

    def said(self, subject: Subject) -> frozenset[str]:
        """The keys of the plan, dotted, that the file carries; here all."""
        return frozenset(keys())

    def render(self, model: Model, plan: Plan, device: Device) -> Rendering:
        """The files for ``plan``, and what they cannot say.

        Raises ``ExportError`` where the plan is for use and the target only trains.
        """
        if plan.inference.use != "training" and not self.carries_use:
            raise ExportError(
                f"{self.title} only trains, and the plan is for inference.use="
                f"{plan.inference.use}; choose the target script."
            )
        subject = Subject(model, plan, device)
        cannot_say = self.unsaid(subject)
        text = self.text(subject, cannot_say)
        return Rendering((protocol.ExportedFile(name=self.file_name, text=text),), cannot_say)

    def unsaid(self, subject: Subject) -> tuple[str, ...]:
        """A sentence for each setting that takes effect and is not said."""
        said = self.said(subject)
        return tuple(
            self._sentence(setting)
            for setting in settings(subject.plan, takes_sequence=subject.model.takes_sequence)
            if not said.issuperset(setting.keys)
            and (setting.changed or setting.key in FROM_THE_START)
        )

    def message(self) -> protocol.Target:
        """The target as the window lists it."""
        return protocol.Target(
            name=self.name,
            title=self.title,
            explanation=self.explanation,
            file_name=self.file_name,
        )

    def _sentence(self, setting: Setting) -> str:
        advice = self.elsewhere.get(setting.key, "set it in the training script")
        return f"{setting.title} ({setting.assignment}): {advice}."
