"""A frozen teacher and the student that learns from it, as one module with one loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import nn

from memplanner.techniques.distilling.layers import AttentionLoss, HiddenLoss, uniform
from memplanner.techniques.distilling.logits import (
    Largest,
    StudentLogits,
    TeacherLogits,
    Whole,
)

LABELS = "labels"
AHEAD_LOGITS = "teacher_logits"
"""In a batch: the teacher's logits (…, classes), computed ahead of time."""
AHEAD_VALUES = "teacher_log_probabilities"
"""In a batch: those of the k likeliest classes (…, k), at the temperature of the loss."""
AHEAD_CLASSES = "teacher_classes"
"""In a batch: which classes those are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What the loss is made of: the weights of its terms, and what they need."""

    labels: float = 0.5
    logits: float = 0.5
    hidden: float = 0.0
    attention: float = 0.0
    temperature: float = 2.0
    top_k: int = 0
    """How many classes of a position are kept of the teacher's logits; 0 for all."""


class Taught(NamedTuple):
    """What is left of the teacher's forward."""

    logits: Whole | Largest | None
    hidden: Sequence[torch.Tensor] = ()
    """Of the teacher's layers that the student's learn from, in their order."""
    attention: Sequence[torch.Tensor] = ()


class Distilled(nn.Module):
    """Called as the student is, it returns a mapping: ``loss``, and its ``terms`` by name.

    ``teacher`` is None where its logits come with the batch. It stays in evaluation mode, has no
    gradient, and runs before the student.
    """

    def __init__(
        self, teacher: nn.Module | None, student: nn.Module, lesson: Lesson | None = None
    ) -> None:
        super().__init__()
        lesson = Lesson() if lesson is None else lesson
        if teacher is not None:
            teacher.requires_grad_(False)
        self.teacher = teacher
        self.teacher_logits = TeacherLogits(lesson.top_k)
        self.student = student
        self.student_logits = StudentLogits()
        self.hidden_loss: HiddenLoss | None = None
        if lesson.hidden:
            first = next(student.parameters())
            widths = width_of(student), width_of(teacher)
            self.hidden_loss = HiddenLoss(*widths, first.device, first.dtype)
        self.attention_loss = AttentionLoss() if lesson.attention else None
        self.lesson = lesson
        self.error: type[Exception] = RuntimeError
        """What is raised where the models do not fit each other."""
        self.train()

    def train(self, mode: bool = True) -> Self:
        """The student in the mode; the teacher never trains."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(self, **batch: Any) -> dict[str, Any]:
        """The weighted sum of the terms that have a weight, and each term detached."""
        lesson = self.lesson
        ahead = _taken_out(batch)
        taught = self.teach(batch) if self.teacher is not None else Taught(self._kept(ahead))
        learned = self.student(
            **(batch if lesson.labels else _without_labels(self.student, batch)), **self._asked()
        )
        terms: dict[str, torch.Tensor] = {}
        if lesson.labels:
            terms["labels"] = self._own_loss(learned)
        if taught.logits is not None:
            logits = logits_in(learned, self.student, self.error)
            self._check_classes(logits, taught.logits)
            terms["logits"] = self.student_logits(logits, taught.logits, lesson.temperature)
        if self.hidden_loss is not None:
            own = self._layers(learned, "hidden_states")[1:]
            terms["hidden"] = self.hidden_loss(own, taught.hidden)
        if self.attention_loss is not None:
            own = self._layers(learned, "attentions")
            terms["attention"] = self.attention_loss(own, taught.attention)
        weighted = [getattr(lesson, name) * term for name, term in terms.items()]
        return {
            "loss": torch.stack(weighted).sum(),
            "terms": {name: term.detach() for name, term in terms.items()},
        }

    @torch.no_grad()
    def teach(self, batch: Mapping[str, Any]) -> Taught:
        """What the teacher makes of a batch; of its layers those that the student has."""
        lesson, teacher = self.lesson, self.teacher
        assert teacher is not None
        output = call_teacher(teacher, batch, **self._asked())
        hidden = self._mapped(output, "hidden_states") if lesson.hidden else ()
        attention = self._mapped(output, "attentions") if lesson.attention else ()
        logits = logits_in(output, teacher, self.error) if lesson.logits else None
        del output
        kept = None if logits is None else self.teacher_logits(logits, lesson.temperature)
        return Taught(kept, hidden, attention)

    def _kept(self, ahead: Mapping[str, torch.Tensor]) -> Whole | Largest | None:
        """What the batch brought along of the teacher."""
        if not self.lesson.logits:
            return None
        if AHEAD_VALUES in ahead:
            return Largest(ahead[AHEAD_VALUES], ahead[AHEAD_CLASSES])
        if AHEAD_LOGITS not in ahead:
            raise self.error("There is no teacher, and the batch holds none of its logits.")
        with torch.no_grad():
            kept: Whole | Largest = self.teacher_logits(
                ahead[AHEAD_LOGITS], self.lesson.temperature
            )
        return kept

    def _asked(self) -> dict[str, bool]:
        """What both models are asked to return beside their logits."""
        asked = {
            "output_hidden_states": self.lesson.hidden,
            "output_attentions": self.lesson.attention,
        }
        return {name: True for name, weight in asked.items() if weight}

    def _mapped(self, output: Any, name: str) -> list[torch.Tensor]:
        """Of the teacher's layers those that the student's learn from, in their order."""
        states = self._layers(output, name)
        first = len(states) - layer_count(self.teacher)  # before the first layer
        return [
            states[first + index - 1]
            for index in uniform(layer_count(self.student), layer_count(self.teacher))
        ]

    def _own_loss(self, output: Any) -> torch.Tensor:
        loss = _part(output, "loss")
        if not isinstance(loss, torch.Tensor):
            raise self.error(
                f"{type(self.student).__name__} returns no loss of its own; set "
                "distillation.label_weight=0."
            )
        return loss if loss.dim() == 0 else loss.sum()

    def _layers(self, output: Any, name: str) -> Sequence[torch.Tensor]:
        layers = _part(output, name)
        if not layers or not all(isinstance(layer, torch.Tensor) for layer in layers):
            key = "hidden_weight" if name == "hidden_states" else "attention_weight"
            raise self.error(
                f"{type(self.student).__name__} returns no {name} to compare; set "
                f"distillation.{key}=0."
            )
        found: Sequence[torch.Tensor] = layers
        return found

    def _check_classes(self, logits: torch.Tensor, taught: Whole | Largest) -> None:
        """A distribution over other classes, or of other positions, cannot be learned."""
        theirs = taught.probabilities if isinstance(taught, Whole) else taught.log_probabilities
        same = logits.shape[:-1] == theirs.shape[:-1]
        if not same or (isinstance(taught, Whole) and logits.shape[-1] != theirs.shape[-1]):
            raise self.error(
                f"The student's logits are {list(logits.shape)} where the teacher's are "
                f"{list(theirs.shape)}; choose a student with the teacher's vocabulary."
            )


def call_teacher(teacher: nn.Module, batch: Mapping[str, Any], **asked: bool) -> Any:
    """The teacher's output for a batch without its labels, whose numbers get the teacher's type."""
    return teacher(**_cast(_without_labels(teacher, batch), floating_type(teacher)), **asked)


def logits_in(
    output: Any, module: nn.Module, error: type[Exception] = RuntimeError
) -> torch.Tensor:
    """The logits that ``module`` returned. Raises ``error`` where there are none."""
    logits = _part(output, "logits")
    if not isinstance(logits, torch.Tensor):
        raise error(
            f"{type(module).__name__} returns no logits to distil; set "
            "distillation.logits_weight=0, or open a model with a head."
        )
    return logits


def trained_part(module: nn.Module) -> nn.Module:
    """The student of a ``Distilled``; any other module itself."""
    return module.student if isinstance(module, Distilled) else module


def floating_type(module: nn.Module) -> torch.dtype:
    """The type of the module's first parameter that is a floating number."""
    found = (part.dtype for part in module.parameters() if part.is_floating_point())
    return next(found, torch.float32)


def width_of(module: Any) -> int:
    """The width of the module's hidden states, as its configuration says; else 0."""
    return int(getattr(getattr(module, "config", None), "hidden_size", 0) or 0)


def layer_count(module: Any) -> int:
    """How many layers give hidden states and attention, by the configuration; else 0."""
    return int(getattr(getattr(module, "config", None), "num_hidden_layers", 0) or 0)


def _without_labels(module: Any, batch: Mapping[str, Any]) -> Mapping[str, Any]:
    """The batch without labels, where the module runs without them: so it makes no loss.

    A decoder of an encoder–decoder takes its inputs from them.
    """
    given = inspect.signature(type(module).forward).parameters.get(LABELS)
    needed = given is not None and given.default is inspect.Parameter.empty
    if needed or getattr(getattr(module, "config", None), "is_encoder_decoder", False):
        return batch
    return {name: value for name, value in batch.items() if name != LABELS}


def _taken_out(batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    """What the batch holds of the teacher, which its student does not take."""
    names = [name for name in (AHEAD_LOGITS, AHEAD_VALUES, AHEAD_CLASSES) if name in batch]
    return {name: batch.pop(name) for name in names}


def _cast(batch: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    return {
        name: value.to(dtype)
        if isinstance(value, torch.Tensor) and value.is_floating_point()
        else value
        for name, value in batch.items()
    }


def _part(output: Any, name: str) -> Any:
    """A part of what a model returned; of an encoder–decoder the decoder's."""
    for own in (name, f"decoder_{name}"):
        found = output.get(own) if isinstance(output, Mapping) else getattr(output, own, None)
        if found is not None:
            return found
    return None
