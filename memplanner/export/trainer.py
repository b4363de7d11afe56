"""What trainers with a file of their own have alike.

The file is read back before it is handed out: what it means to the trainer, beside the plan, is
what it cannot say, and the peak of that is told.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from io import StringIO
from typing import Any, ClassVar

from ruamel.yaml import YAML

from memplanner.errors import ExportError
from memplanner.export.as_run import runs_as
from memplanner.export.head import comment, origin
from memplanner.export.prepare_model import FILE as PREPARE
from memplanner.export.prepare_model import FOLDER, prepared_files
from memplanner.export.settings import Setting, settings
from memplanner.export.target import ExportTarget, Rendering, Subject
from memplanner.export.trainer_cards import deepspeed_file
from memplanner.importing import parse_trainer
from memplanner.importing.models import hub_name
from memplanner.messages.device import Device
from memplanner.messages.protocol import ExportedFile, RunsAs
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding

_WITHOUT_POINT = re.compile(r"(?<=: )(-?\d+)e(?=[-+]?\d+$)", re.MULTILINE)
"""A number such as 1e-05, which YAML 1.1, and so PyYAML, takes for text."""
_LOADED_BY_NAME = ("preset", "hugging_face", "hub")


class TrainerTarget(ExportTarget):
    """A trainer that decides everything by its file."""

    language_only: ClassVar[bool] = True
    """Whether it trains causal language models alone."""
    opens: ClassVar[bool] = True
    """Whether the file names the model, so that a prepared one can be named instead."""
    launched: ClassVar[str] = ""
    """The command's last words, after torchrun or by themselves."""
    to_fill_in: ClassVar[str] = ""
    """What stands for something in the file, in a sentence for its head."""

    @abstractmethod
    def body(self, subject: Subject) -> str:
        """The file without its head. Raises ``ExportError``."""

    def beside(self, subject: Subject) -> tuple[ExportedFile, ...]:
        """Files that it names, if any: DeepSpeed's JSON, and what prepares the model."""
        return (*deepspeed_file(subject), *(prepared_files(subject) if self.opens else ()))

    def as_run(self, subject: Subject) -> Plan:
        """The plan that the trainer makes of the file, prepared and launched as its head says."""
        files = {file.name: file.text for file in self.beside(subject)}
        read = parse_trainer(self.body(subject), subject.plan, origin=self.file_name, beside=files)
        if PREPARE in files:
            return read.plan.model_copy(update={"pruning": subject.plan.pruning})
        return read.plan

    def render(self, model: Model, plan: Plan, device: Device) -> Rendering:
        """The file with its head, and what the trainer really runs where that is another plan.

        Raises ``ExportError`` where the trainer cannot train this model, or not on this plan's
        cards.
        """
        if plan.inference.use != "training":
            raise ExportError(
                f"{self.title} only trains, and the plan is for inference.use="
                f"{plan.inference.use}; choose the target script."
            )
        subject = Subject(model, plan, device)
        self.check_model(model)
        cannot_say = self.unsaid(subject)
        as_run = self.as_run(subject)
        really = runs_as(subject, as_run) if cannot_say else None
        text = self._head(subject, cannot_say, really) + self.body(subject)
        own = ExportedFile(name=self.file_name, text=text)
        return Rendering((own, *self.beside(subject)), cannot_say, really)

    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The file below a head that names no peak."""
        return self._head(subject, cannot_say, None) + self.body(subject)

    def check_model(self, model: Model) -> None:
        """Raises ``ExportError`` for a model that the trainer cannot open."""
        if model.kind not in _LOADED_BY_NAME:
            raise ExportError(
                f"{self.title} opens models from a Hugging Face folder or the hub, and "
                f"{model.name} is from elsewhere ({model.kind}); choose the target script."
            )
        if self.language_only and not model.class_name.endswith("ForCausalLM"):
            raise ExportError(
                f"{self.title} trains causal language models, and {model.name} is a "
                f"{model.class_name}; choose the target hugging_face or script."
            )

    def unsaid(self, subject: Subject) -> tuple[str, ...]:
        """A sentence for each setting that the trainer takes otherwise than planned."""
        plan, run = subject.plan, self.as_run(subject).to_dict()
        alone = plan.sharding.ranks == 1
        sentences = []
        for setting in settings(plan, takes_sequence=subject.model.takes_sequence):
            if alone and setting.key.startswith("sharding."):
                continue
            otherwise = {
                key: _value(run, key)
                for key, value in setting.values.items()
                if _value(run, key) != value
            }
            if otherwise:
                sentences.append(self._otherwise(setting, otherwise))
            elif setting.key in self.left_out(subject):
                sentences.append(self._sentence(setting))
        return tuple(sentences)

    def left_out(self, subject: Subject) -> frozenset[str]:
        """Settings that stand in no file, and are taken to be made as planned elsewhere."""
        return frozenset()

    def launch(self, subject: Subject) -> str:
        """The command that starts it on the plan's cards."""
        section = subject.plan.sharding
        return self.launched if section.ranks == 1 else self.launch_over(section)

    def launch_over(self, section: Sharding) -> str:
        """The command for several cards."""
        nodes = "" if section.nodes == 1 else f"--num_machines {section.nodes} "
        return f"accelerate launch {nodes}--num_processes {section.ranks} {self.launched}"

    def _otherwise(self, setting: Setting, otherwise: dict[str, Any]) -> str:
        other = Setting(setting.key, setting.title, otherwise, True).assignment
        if not next(iter(otherwise)).startswith(setting.key):  # a dependent alone
            other = ", ".join(part.rpartition(".")[2] for part in other.split(", "))
        advice = self.elsewhere.get(setting.key)
        more = f"; {advice}" if advice else ""
        return f"{setting.title} ({setting.assignment}): runs with {other or 'none'}{more}."

    def _head(self, subject: Subject, cannot_say: tuple[str, ...], really: RunsAs | None) -> str:
        before = [f"python {PREPARE}, then"] if prepared_files(subject) and self.opens else []
        lines = [*before, self.launch(subject), f"For {origin(subject)}.", *self.words(subject)]
        if really is not None:
            lines.append(f"What this file says {really.sentence.rstrip('.')}.")
        if cannot_say:
            lines.append(f"What {self.title} cannot say:")
        return comment(lines, cannot_say) + "\n"

    def words(self, subject: Subject) -> tuple[str, ...]:
        """Sentences for the head of the file."""
        return (self.to_fill_in,) if self.to_fill_in else ()


def _value(values: dict[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    return values[section][name] if name else values[section]


def yaml_text(values: dict[str, Any]) -> str:
    """Keys and values as YAML, in their order."""
    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None only
    yaml.dump(values, text)
    return _WITHOUT_POINT.sub(r"\1.0e", text.getvalue())


def model_words(subject: Subject) -> str:
    """What the trainer is told to open."""
    return f"./{FOLDER}" if prepared_files(subject) else hub_name(subject.model.source)
