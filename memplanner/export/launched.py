"""Files that start a script of the user's own: cards and precision are theirs, the rest is its.

Such a file is read back with everything else as planned: what it means by itself. Whether the
script does the rest so is the user's to see to.
"""

from __future__ import annotations

from abc import abstractmethod

from memplanner.errors import PlanError
from memplanner.export.as_run import runs_as
from memplanner.export.target import ExportTarget, Rendering, Subject
from memplanner.importing import parse_trainer
from memplanner.messages.device import Device
from memplanner.messages.protocol import ExportedFile, RunsAs
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding

_OF_THE_FILE = ("engine", "data", "replicas", "tensor", "pipeline", "context", "expert")
_OF_THE_SCRIPT = "where the script does everything else as planned"


def _is_of_the_file(name: str) -> bool:
    """Whether a field of ``sharding`` is, as DeepSpeed's own settings are."""
    of_deepspeed = Sharding.depends_on(name) == ("engine", frozenset({"deepspeed"}))
    return name in _OF_THE_FILE or of_deepspeed


class LaunchedTarget(ExportTarget):
    """A file for a launcher, which tells the peak of what is launched."""

    @abstractmethod
    def file(self, subject: Subject, cannot_say: tuple[str, ...], really: RunsAs | None) -> str:
        """The whole file. Raises ``ExportError`` or ``PlanError`` where there can be none."""

    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The file without the peak of what is launched."""
        return self.file(subject, cannot_say, None)

    def as_run(self, subject: Subject) -> Plan:
        """What is launched. Raises ``PlanError`` where the file means no plan."""
        # who shares the work, and by whom, is the file's to say alone; the rest of torch's is not
        usual = Sharding()
        names = [name for name in Sharding.model_fields if _is_of_the_file(name)]
        cards = subject.plan.sharding.model_copy(
            update={name: getattr(usual, name) for name in names}
        )
        base = subject.plan.model_copy(update={"sharding": cards})
        return parse_trainer(self.text(subject, ()), base, origin=self.file_name).plan

    def render(self, model: Model, plan: Plan, device: Device) -> Rendering:
        """The file, and the peak of what it starts.

        Raises ``ExportError`` where the plan is for use.
        """
        rendering = super().render(model, plan, device)
        subject = Subject(model, plan, device)
        try:
            launched = runs_as(subject, self.as_run(subject))
        except PlanError as error:
            sentence = f"cannot be estimated as it is written: {error}"
            launched = RunsAs(plan=plan, sentence=sentence)
        else:
            if launched.allocated_bytes is not None:
                sentence = f"{launched.sentence}, {_OF_THE_SCRIPT}"
                launched = launched.model_copy(update={"sentence": sentence})
        text = self.file(subject, rendering.cannot_say, launched)
        own = ExportedFile(name=self.file_name, text=text)
        return Rendering((own, *rendering.files[1:]), rendering.cannot_say, launched)
