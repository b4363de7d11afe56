"""Distillation in the exported script: what it calls, and the modules that lie beside it.

The script brings the engine's own code: the package ``memplanner.techniques.distilling`` as one
file, and those of the packages that it stands on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import Any

from torch import nn

from memplanner.export.layer_names import layer_classes, short_names
from memplanner.export.one_module import one_module
from memplanner.export.python_source import Imports, assignment, literal
from memplanner.export.script_data import META
from memplanner.export.script_model import Building, building
from memplanner.export.script_pruning import SPARSITY_FILE, sparsity_source
from memplanner.export.script_quantization import LOW_BIT_FILE, format_options, low_bit_source
from memplanner.export.target import Subject
from memplanner.messages.protocol import ExportedFile
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan
from memplanner.plan.quantization import Quantization
from memplanner.techniques.distillation import FORMATS, teacher_type
from memplanner.techniques.distilled_model import lesson_of, planned_model, student_of
from memplanner.techniques.distilling.pair import Lesson
from memplanner.techniques.distilling.student import Shape
from memplanner.techniques.inference import trains
from memplanner.techniques.precision import autocast_type, stored_type
from memplanner.techniques.quantization import layer_names

_FILE = "distilling.py"
_STREAM_FILE = "streamed_blocks.py"
_PACKAGE = "memplanner.techniques.distilling"
_LOSSES = ("logits", "layers", "pair", "ahead")
_STUDENTS = ("hidden", "student")
_HEAD = '''"""A frozen teacher and its student with one loss: for the script beside this file.

Written by memplanner; it needs torch alone.
"""

from __future__ import annotations

'''


@dataclass(frozen=True, slots=True)
class DistilledParts:
    """What the script says of teacher and student."""

    shape: tuple[str, ...]
    """Of ``Shape``, for a student that is made of the teacher."""
    blocks: tuple[str, ...]
    """The teacher's lists of blocks, where some go or they lie in host memory."""
    blocks_go: bool
    other: Building | None
    """How a student that is another model is built."""
    lesson: tuple[str, ...]
    """Of ``Lesson``."""
    dtype: str
    """Of the teacher's weights."""
    quantized: tuple[str, ...]
    """The teacher's layers in few bits."""
    classes: str
    options: tuple[str, ...]
    """Of their ``Format``."""
    compute_type: str
    ahead: str
    """What ``logits_ahead`` is given at its end; empty where the teacher runs in every step."""
    offload: bool
    configured: bool
    """Whether the student has a configuration to save beside its weights."""


def distills(plan: Plan) -> bool:
    """Whether the plan trains a student."""
    return plan.distillation.student != "none" and trains(plan)


def trained_module(subject: Subject) -> nn.Module:
    """The weightless module that every other section speaks of: the student, where there is one."""
    module: Any = planned_model(subject.model, subject.plan).build(META)
    trained: nn.Module = module.student if distills(subject.plan) else module
    return trained


def distilled_parts(subject: Subject, imports: Imports) -> DistilledParts | None:
    """For the plan's distillation, or None without one. Raises ``PlanError``, ``ExportError``."""
    plan, section = subject.plan, subject.plan.distillation
    if not distills(plan):
        return None
    teacher = subject.model.build(META)
    other, shape, blocks = student_of(subject.model, plan)
    names: list[str] = []
    if section.teacher_quantization != "none":
        names = layer_names(teacher, Quantization(method="linear"))
    autocast, stored = autocast_type(plan), stored_type(plan)
    ahead = section.teacher_logits == "ahead"
    if section.teacher_offload == "host" and not ahead:
        blocks = tuple(each.path for each in block_lists(teacher))
    return DistilledParts(
        shape=_options(shape),
        blocks=blocks,
        blocks_go=shape.block_ratio > 0,
        other=None if other is None else _renamed(building(other, str(stored), imports)),
        lesson=_options(lesson_of(section)),
        dtype=str(teacher_type(plan)),
        quantized=tuple(short_names(teacher, names)),
        classes=layer_classes(teacher, names),
        options=format_options(FORMATS[section.teacher_quantization]) if names else (),
        compute_type="" if autocast is None else str(autocast),
        ahead="" if not ahead else ", ".join(["device", *map(str, (stored, autocast))]),
        offload=section.teacher_offload == "host" and not ahead,
        configured=hasattr(getattr(trained_module(subject), "config", None), "to_json_file"),
    )


def distillation_files(plan: Plan) -> Iterator[ExportedFile]:
    """The modules that the script imports, and those that they import."""
    section = plan.distillation
    if not distills(plan):
        return
    made = section.student != "source"
    yield ExportedFile(name=_FILE, text=distilling_source(made=made))
    if made and plan.pruning.structure == "none":
        yield ExportedFile(name=SPARSITY_FILE, text=sparsity_source())
    if section.teacher_quantization != "none" and plan.quantization.method == "none":
        yield ExportedFile(name=LOW_BIT_FILE, text=low_bit_source())
    offloads = section.teacher_offload == "host" and section.teacher_logits == "live"
    if offloads and plan.offload.parameters == "none":
        source = files("memplanner.techniques").joinpath(_STREAM_FILE)
        yield ExportedFile(name=_STREAM_FILE, text=source.read_text("utf-8"))


@cache
def distilling_source(*, made: bool) -> str:
    """The package as one module; with what makes students of teachers where that is ``made``."""
    parts = (*_LOSSES, *(_STUDENTS if made else ()))
    return one_module(_PACKAGE, parts, _HEAD, {"memplanner.techniques.sparsity": "sparsity"})


def _renamed(built: Building) -> Building:
    """The same lines with constants of their own, beside those of the teacher."""
    names = [constant.partition(" = ")[0] for constant in built.constants]

    def renamed(line: str) -> str:
        for name in names:
            line = re.sub(rf"\b{name}\b", f"STUDENT_{name}", line)
        return line

    return Building(
        words=built.words,
        constants=[renamed(constant) for constant in built.constants],
        lines=[renamed(line) for line in built.lines],
    )


def _options(chosen: Lesson | Shape) -> tuple[str, ...]:
    """What differs from the defaults."""
    standard = type(chosen)()
    values = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
    return tuple(
        f"{name}={literal(value)}"
        for name, value in values.items()
        if value != getattr(standard, name)
    )


def built_type(plan: Plan) -> str:
    """The type that the script reads the opened model in: one that both models' types come from."""
    stored = stored_type(plan)
    if distills(plan) and teacher_type(plan) != stored:
        return "torch.float32"
    return str(stored)


def distillation_constants(parts: DistilledParts) -> list[str]:
    """Assignments at the head of the script."""
    constants = [] if parts.other is None else list(parts.other.constants)
    if parts.blocks:
        constants.append(assignment("TEACHER_BLOCKS", parts.blocks))
    if parts.quantized:
        constants.append(assignment("TEACHER_QUANTIZED", parts.quantized))
    return constants


def add_distillation_imports(imports: Imports, parts: DistilledParts) -> None:
    """What the script takes from the files beside it."""
    imports.add("distilling", "Distilled", "Lesson")
    if parts.other is None:
        imports.add("distilling", "Shape", "make_student")
    if parts.ahead:
        imports.add("distilling", "logits_ahead")
    if parts.quantized:
        imports.add("low_bit", "Format", "quantize_layers")
        if "Conv1D" in parts.classes:
            imports.add("transformers.pytorch_utils", "Conv1D")
    if parts.offload:
        imports.add("streamed_blocks", "stream_blocks")
