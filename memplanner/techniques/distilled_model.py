"""A model and its student as one ``Model``: what a plan with distillation builds and trains."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from memplanner.errors import PlanError, TrustNeeded
from memplanner.model.blocks import block_lists
from memplanner.model.hugging_face import CLASS_ERRORS, one_line
from memplanner.model.loaded import Batch, Model
from memplanner.model.losses import loss_of
from memplanner.plan import Plan
from memplanner.plan.distillation import Distillation
from memplanner.techniques.distilling.hidden import narrowed_hidden
from memplanner.techniques.distilling.pair import (
    AHEAD_CLASSES,
    AHEAD_LOGITS,
    AHEAD_VALUES,
    LABELS,
    Distilled,
    Lesson,
    layer_count,
    width_of,
)
from memplanner.techniques.distilling.student import Shape, make_student
from memplanner.techniques.inference import trains
from memplanner.techniques.precision import stored_type
from memplanner.techniques.pruned_structure import check_reload
from memplanner.techniques.sparsity.heads import find_attentions
from memplanner.techniques.sparsity.widths import find_mlps, narrowed
from memplanner.techniques.student_search import search_shape
from memplanner.units import format_parameters

META = torch.device("meta")
_REMEMBERED = 16
_known: WeakKeyDictionary[Model, OrderedDict[Any, Model]] = WeakKeyDictionary()


def planned_model(model: Model, plan: Plan) -> Model:
    """``model`` itself, or with distillation teacher and student together.

    The same object for the same student, so that what was recorded of it is found again. Its
    ``build`` makes a ``Distilled``. Raises ``PlanError`` where there can be no such student,
    ``SourceError`` where another model cannot be opened.
    """
    if plan.distillation.student == "none" or not trains(plan):
        return model
    key = _structure(plan)
    known = _known.setdefault(model, OrderedDict())
    if key in known:
        known.move_to_end(key)
        return known[key]
    made = known[key] = _distilled(model, plan)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)
    return made


def lesson_of(section: Distillation) -> Lesson:
    """What the section says of the loss."""
    return Lesson(
        labels=section.label_weight,
        logits=section.logits_weight,
        hidden=section.hidden_weight,
        attention=section.attention_weight,
        temperature=section.temperature,
        top_k=section.top_k,
    )


def with_same_terms(section: Distillation) -> Distillation:
    """The section with every weight and temperature of the same structure made one."""
    weights = ("label_weight", "logits_weight", "hidden_weight", "attention_weight")
    same: dict[str, float] = {name: float(getattr(section, name) > 0) for name in weights}
    return section.model_copy(update={**same, "temperature": 2.0})


def _structure(plan: Plan) -> tuple[Distillation, int]:
    return with_same_terms(plan.distillation), stored_type(plan).itemsize


@dataclass(frozen=True, slots=True)
class _Pair:
    """How teacher and student are built; it holds no ``Model`` of the teacher, which holds it."""

    teacher: Any
    """``build`` of the teacher's model."""
    other: Model | None
    """The student, where it is another model."""
    shape: Shape
    blocks: tuple[str, ...]
    lesson: Lesson
    ahead: bool

    def build(self, device: torch.device) -> nn.Module:
        """Teacher and student on ``device``, weightless or random."""
        return self.pair(self.teacher(device))

    def pair(self, teacher: nn.Module) -> nn.Module:
        """``teacher`` with its student."""
        device = next(teacher.parameters()).device
        student = self.student(teacher) if self.other is None else self.other.build(device)
        return Distilled(None if self.ahead else teacher, student, self.lesson)

    def student(self, teacher: nn.Module) -> nn.Module:
        """The student that is made of ``teacher``."""
        made: nn.Module = make_student(teacher, self.shape, self.blocks)
        return made


def _distilled(model: Model, plan: Plan) -> Model:
    section = plan.distillation
    if model.parameters_only:
        raise PlanError(
            f"{model.source} names parameters but no forward, so nothing can learn from it; choose "
            "distillation.student=none."
        )
    teacher = model.build(META)
    other, shape, blocks = _student(model, teacher, plan)
    ahead = section.teacher_logits == "ahead"
    pair = _Pair(model.build, other, shape, blocks, lesson_of(section), ahead)
    student = _checked_student(teacher, pair)
    _check_lesson(teacher, student, section)
    counts = [sum(part.numel() for part in module.parameters()) for module in (teacher, student)]
    batch: Any = AheadBatch(model.batch, student, section) if ahead else model.batch
    limits = [each.max_sequence_length for each in (model, other) if each is not None]
    longest = min((limit for limit in limits if limit is not None), default=None)
    note = (
        f"The student has {format_parameters(counts[1])} parameters"
        f"{_words(teacher, student)}; the teacher {format_parameters(counts[0])}."
    )
    return replace(
        model,
        build=pair.build,
        batch=batch,
        loss=loss_of,
        parameter_count=counts[1] + (0 if ahead else counts[0]),
        trainable_parameter_count=counts[1],
        load_weights=_loader(model, pair),
        max_sequence_length=longest,
        notes=(*model.notes, note, *(() if other is None else other.notes)),
    )


def student_of(model: Model, plan: Plan) -> tuple[Model | None, Shape, tuple[str, ...]]:
    """The other model that is the student, or the shape of one made of ``model``, and its lists.

    The lists are the paths of those that lose blocks. Raises as ``planned_model`` does.
    """
    return _student(model, model.build(META), plan)


def _student(
    model: Model, teacher: nn.Module, plan: Plan
) -> tuple[Model | None, Shape, tuple[str, ...]]:
    if plan.distillation.student == "source":
        return _other(model, plan.distillation), Shape(), ()
    shape = _shape(teacher, plan)
    paths = tuple(each.path for each in block_lists(teacher)) if shape.block_ratio else ()
    return None, shape, paths


def _other(model: Model, section: Distillation) -> Model:
    """The student that was chosen separately."""
    from memplanner.model.sources import is_program, load

    if not section.student_source.strip():
        raise PlanError(
            "distillation.student=source needs a model in distillation.student_source, such as "
            "preset:NAME or a folder."
        )
    name = section.student_source.strip()
    try:
        # who agreed to the teacher's code has not read a program that a plan's file names
        other = load(name, trust_code=model.trust_code and not is_program(name))
    except TrustNeeded as error:
        if not is_program(name):
            raise
        raise PlanError(
            f"The student {name} is a Python program that would run with your rights on this "
            "machine; read it, open it once as a model, and agree to run it if you trust it."
        ) from error
    if other.parameters_only:
        raise PlanError(
            f"{other.source} names parameters but no forward, so it cannot be trained; name "
            "another student."
        )
    sizes = [each.config.get("vocab_size") for each in (model, other)]
    if all(isinstance(size, int) for size in sizes) and sizes[0] != sizes[1]:
        raise PlanError(
            f"{other.name} has {sizes[1]} tokens and its teacher {sizes[0]}, so their logits "
            "cannot be compared; choose a student with the teacher's vocabulary."
        )
    return other


def _loader(model: Model, pair: _Pair) -> Any:
    """Gives a built pair the teacher's weights, and its student those that fit, or its own."""
    load_teacher, build = model.load_weights, model.build
    load_student = None if pair.other is None else pair.other.load_weights
    if load_teacher is None:
        return None

    def load_weights(module: Any) -> None:
        device = next(module.student.parameters()).device
        teacher = build(device) if module.teacher is None else module.teacher
        load_teacher(teacher)
        if pair.other is None:
            module.student = pair.student(teacher)
        elif load_student is not None:
            load_student(module.student)

    return load_weights


@dataclass(frozen=True, slots=True)
class AheadBatch:
    """A teacher's batch with its logits in it, made up for a plan and replaced in a run."""

    plain: Any
    """``batch`` of the teacher's model."""
    student: nn.Module
    section: Distillation

    def __call__(self, batch_size: int, sequence_length: int, device: torch.device) -> Batch:
        """Keyword arguments of one forward of a ``Distilled`` without a teacher."""
        batch: Batch = self.plain(batch_size, sequence_length, device)
        if not self.section.logits_weight:
            return batch
        shape = (*_positions(self.student, batch), _classes(self.student))
        top_k = self.section.top_k
        if not top_k:
            return {**batch, AHEAD_LOGITS: torch.zeros(shape, device=device)}
        few = (*shape[:-1], top_k)
        values = torch.full(few, -5.0, device=device)
        classes = torch.arange(top_k, device=device).expand(few).contiguous()
        return {**batch, AHEAD_VALUES: values, AHEAD_CLASSES: classes}


def _classes(student: Any) -> int:
    """How many classes the logits have: of a language model's head, or a classifier's labels."""
    head = student.get_output_embeddings() if hasattr(student, "get_output_embeddings") else None
    config = getattr(student, "config", None)
    found = getattr(head, "out_features", None) or getattr(config, "num_labels", None)
    if not isinstance(found, int):
        raise PlanError(
            f"{type(student).__name__} has no head whose classes are known beforehand; choose "
            "distillation.teacher_logits=live."
        )
    return found


def _positions(student: Any, batch: Batch) -> tuple[int, ...]:
    """The shape of what there are logits for: tokens, or samples."""
    labels = batch.get(LABELS)
    if not isinstance(labels, torch.Tensor):
        raise PlanError(
            f"{type(student).__name__} takes no labels, by which its logits are counted; choose "
            "distillation.teacher_logits=live."
        )
    return tuple(labels.shape)


def _checked_student(teacher: nn.Module, pair: _Pair) -> Any:
    """The weightless student. Raises ``PlanError`` where its class cannot be built so."""
    if pair.other is not None:
        return pair.other.build(META)
    try:
        student = pair.student(teacher)
    except CLASS_ERRORS as error:
        raise PlanError(
            f"{type(teacher).__name__} cannot be built as small as the student "
            f"({one_line(error)}); choose other ratios of distillation."
        ) from error
    check_reload(student, whole=True, section="distillation")
    return student


def _shape(teacher: nn.Module, plan: Plan) -> Shape:
    """What goes of the teacher. Raises ``PlanError`` where a ratio takes none or all."""
    section = plan.distillation
    if section.student == "budget":
        budget_bytes = section.budget_mib * 2**20
        element_bytes = stored_type(plan).itemsize
        return search_shape(teacher, budget_bytes, element_bytes, section.width_multiple)
    shape = Shape(
        block_ratio=section.block_ratio,
        mlp_ratio=section.mlp_ratio,
        head_ratio=section.head_ratio,
        hidden_ratio=section.hidden_ratio,
        width_multiple=section.width_multiple,
    )
    sizes: dict[str, list[tuple[int, int]]] = {}
    if shape.block_ratio:
        sizes["block_ratio"] = [
            (each.length, each.length - round(shape.block_ratio * each.length))
            for each in block_lists(teacher)
        ]
    if shape.mlp_ratio:
        sizes["mlp_ratio"] = [
            (mlp.width, narrowed(mlp.width, shape.mlp_ratio, shape.width_multiple))
            for mlp in find_mlps(teacher)
        ]
    if shape.head_ratio:
        sizes["head_ratio"] = [
            (part.units, part.units - round(shape.head_ratio * part.units))
            for part in find_attentions(teacher)
        ]
    if shape.hidden_ratio:
        config: Any = getattr(teacher, "config", None)
        own = isinstance(config, getattr(type(teacher), "config_class", None) or ())
        known = own and hasattr(config, "hidden_size") and hasattr(config, "num_attention_heads")
        sizes["hidden_ratio"] = [
            (config.hidden_size, narrowed_hidden(config, shape.hidden_ratio, shape.width_multiple))
        ] if known else []  # fmt: skip
    for key, found in sizes.items():
        _check_sizes(key, getattr(shape, key), found)
    return shape


_PARTS = {
    "block_ratio": "repeated blocks",
    "mlp_ratio": "MLP neurons",
    "head_ratio": "attention heads",
    "hidden_ratio": "hidden channels",
}


def _check_sizes(key: str, ratio: float, sizes: Sequence[tuple[int, int]]) -> None:
    """``sizes`` are pairs of the teacher's and the student's."""
    what = _PARTS[key]
    if not sizes:
        raise PlanError(
            f"distillation.{key}={ratio:g} finds no {what} that can be left out of this model; set "
            "it to 0."
        )
    for before, after in sizes:
        if after < 1:
            raise PlanError(
                f"distillation.{key}={ratio:g} leaves none of {before} {what}; choose at most "
                f"{(before - 1) / before:.3g}."
            )
    if all(before == after for before, after in sizes):
        raise PlanError(
            f"distillation.{key}={ratio:g} takes none of {max(sizes)[0]} {what}; choose 0, a "
            "larger ratio or a smaller distillation.width_multiple."
        )


def _check_lesson(teacher: Any, student: Any, section: Distillation) -> None:
    """What is compared must be there in both."""
    if section.compares_layers and not (layer_count(teacher) and layer_count(student)):
        raise PlanError(
            "distillation.hidden_weight and attention_weight compare layers of transformers' "
            "models, and this one does not say how many it has; set both to 0."
        )
    if section.hidden_weight and not (width_of(teacher) and width_of(student)):
        raise PlanError(
            "distillation.hidden_weight compares hidden states of transformers' models, and this "
            "one does not say how wide they are; set it to 0."
        )
    if section.top_k and section.logits_weight:
        classes = _classes(student)
        if section.top_k >= classes:
            raise PlanError(
                f"distillation.top_k={section.top_k} keeps all of {classes} classes; choose 0 for "
                "all, or fewer."
            )


def _words(teacher: Any, student: Any) -> str:
    """Such as ``, 15 of 30 blocks, MLPs of 768, 2 of 3 heads``."""
    before, after = block_lists(teacher), layer_count(student)
    words = ""
    if after and layer_count(teacher) != after:
        words += f", {after} of {layer_count(teacher)} blocks"
    elif not after and len(before) == 1:
        words += f", of {before[0].length} blocks"
    for name, find, size in (("MLPs of", find_mlps, "width"), ("heads", find_attentions, "units")):
        sizes = [{getattr(part, size) for part in find(module)} for module in (teacher, student)]
        if sizes[0] != sizes[1] and len(sizes[1]) == 1:
            left = next(iter(sizes[1]))
            words += f", {name} {left}" if name.endswith("of") else f", {left} {name}"
    return words
