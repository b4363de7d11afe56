"""Distillation: a frozen teacher beside the module that is trained, and losses between the two.

Losses and students are in ``techniques/distilling``; which student a plan means is in
``techniques/distilled_model``, and the search for one in ``techniques/student_search``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.messages.cost import QualityReason
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan
from memplanner.plan.distillation import Distillation as Section
from memplanner.plan.quantization import Quantization
from memplanner.techniques.base import Situation, Technique, Told, reasons
from memplanner.techniques.distilled_model import lesson_of
from memplanner.techniques.distilling.pair import Distilled
from memplanner.techniques.host_memory import put_in_host_memory
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.low_bit.linear import quantize_layers
from memplanner.techniques.precision import STORED, autocast_type, stored_type
from memplanner.techniques.quantization import layer_names
from memplanner.techniques.streamed_blocks import stream_blocks
from memplanner.techniques.target import Target

_OWN_MEMORY = frozenset({"cuda", "rocm", "xpu"})
"""Kinds of devices whose memory is not the host's."""
FORMATS = {
    "linear_8": Format("linear", bits=8),
    "linear_4": Format("linear", bits=4),
    "nf4": Format("nf4"),
}


_QUALITY: Told = (
    "check_quality",
    "A smaller student is trained in place of the model (Hinton et al. 2015, arXiv:1503.02531).",
)


class Distillation(Technique):
    """Makes the teacher what the plan says; every other technique is applied to the student."""

    name = "distillation"
    order = 15
    """Before whatever changes the student; the teacher is no concern of theirs."""
    of_student = False

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """What contradicts itself, another section or the device."""
        section = plan.distillation
        return () if section.student == "none" else tuple(_conflicts(plan, section, target))

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """Another, smaller model."""
        return reasons("distillation", None if plan.distillation.student == "none" else _QUALITY)

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """Of a ``Distilled`` the teacher frozen, in its type, its weights packed and placed."""
        section = situation.plan.distillation
        if section.student == "none":
            return module
        if not isinstance(module, Distilled):
            raise TypeError("a plan with distillation is carried out on its planned_model")
        module.lesson, module.error = lesson_of(section), PlanError
        if module.hidden_loss is not None:
            module.hidden_loss.to(stored_type(situation.plan))
        if module.teacher is not None:
            prepare_teacher(module.teacher, situation)
        return module

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What it costs and what is compared."""
        section = plan.distillation
        if section.student == "none":
            return ()
        notes = []
        if section.teacher_logits == "ahead":
            notes.append(
                "The teacher's logits come with the batch: what computing them takes, once, before "
                "the first step, is not in the estimate, nor the host memory they lie in."
            )
        elif section.teacher_offload == "host":
            notes.append(
                "The teacher's blocks lie in host memory, and each crosses the bus in every "
                "forward."
            )
        if section.top_k:
            notes.append(
                f"The divergence is over the {section.top_k} likeliest classes and one more that "
                "holds the rest: a lower bound of the whole."
            )
        return notes


def prepare_teacher(teacher: nn.Module, situation: Situation) -> None:
    """The teacher in the plan's type, frozen, its weights packed and placed, in place."""
    section = situation.plan.distillation
    if situation.model.set_attention is not None:
        eager = situation.plan.attention.kernel == "eager"
        situation.model.set_attention(teacher, "eager" if eager else "sdpa")
    teacher.requires_grad_(False)
    teacher.to(teacher_type(situation.plan))
    if section.teacher_quantization != "none":
        names = layer_names(teacher, Quantization(method="linear"))
        quantize_layers(
            teacher,
            names,
            FORMATS[section.teacher_quantization],
            device=situation.device,
            compute_type=autocast_type(situation.plan),
        )
    if section.teacher_offload == "host" and section.teacher_logits == "live":
        stream_blocks(
            [
                block
                for blocks in block_lists(teacher)
                for block in teacher.get_submodule(blocks.path).children()
            ],
            _room_in_host_memory,
            situation.device,
        )


def _room_in_host_memory(tensor: torch.Tensor) -> torch.Tensor:
    room = torch.empty_like(tensor, device="meta" if tensor.is_meta else "cpu")
    put_in_host_memory(room)
    return room


def teacher_type(plan: Plan) -> torch.dtype:
    """The type of the teacher's parameters."""
    chosen = plan.distillation.teacher_precision
    return stored_type(plan) if chosen == "as_plan" else STORED[chosen]


def _conflicts(plan: Plan, section: Section, target: Target) -> Iterator[str]:
    terms = section.label_weight, section.logits_weight, section.hidden_weight
    if not any((*terms, section.attention_weight)):
        yield (
            "Every weight of distillation is 0, so nothing would be learned; set "
            "distillation.logits_weight above 0."
        )
    if section.attention_weight and plan.attention.kernel != "eager":
        yield (
            f"distillation.attention_weight compares attention maps, which attention.kernel="
            f"{plan.attention.kernel} never makes; choose attention.kernel=eager, or set the "
            "weight to 0."
        )
    if plan.sharding.ranks > 1:
        yield (
            f"Distillation is planned for one card, and sharding means {plan.sharding.ranks}; "
            "choose sharding.cards_per_node=1 and sharding.nodes=1, or distillation.student=none."
        )
    if plan.loss.method != "whole" and section.logits_weight:
        yield (
            f"loss.method={plan.loss.method} never makes the student's logits whole, and "
            "distillation compares them; choose loss.method=whole, with distillation.top_k to "
            "spare the teacher's."
        )
    if section.teacher_logits == "ahead":
        if section.compares_layers:
            yield (
                "distillation.teacher_logits=ahead brings no hidden states and no attention; set "
                "hidden_weight and attention_weight to 0, or choose live."
            )
        elif not section.logits_weight:
            yield (
                "distillation.teacher_logits=ahead with logits_weight=0 learns nothing of the "
                "teacher; set logits_weight above 0, or choose student=none."
            )
    elif section.teacher_offload == "host" and target.kind not in _OWN_MEMORY:
        yield (
            f"distillation.teacher_offload=host saves nothing on {target.kind}, whose memory is "
            "the host's; choose none, or teacher_quantization=nf4."
        )
