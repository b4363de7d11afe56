"""Inference: a model prepared for use. ``techniques/generating`` has generation itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from memplanner.errors import PlanError
from memplanner.messages.cost import QualityReason
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.inference import ONLY_TRAINING, ONLY_TRAINING_KEYS
from memplanner.techniques.base import Situation, Technique, Told, reasons
from memplanner.techniques.target import Target
from memplanner.units import format_count

_QUALITY: Told = (
    "check_quality",
    "Keys and values are kept in few bits: what is written may differ (Liu et al. 2024, "
    "arXiv:2402.02750).",
)


class Inference(Technique):
    """Puts the module into evaluation mode."""

    name = "inference"
    order = 90

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """What generation cannot do together."""
        section = plan.inference
        if section.use == "generation" and section.cache == "static" and section.beams > 1:
            return (
                "inference.cache=static with inference.beams above 1 is not planned; choose "
                "inference.cache=dynamic.",
            )
        return ()

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """Keys and values in few bits."""
        section = plan.inference
        packed = section.use == "generation" and section.cache == "quantized"
        return reasons("inference", _QUALITY if packed else None)

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module for use. Raises ``PlanError`` where it cannot generate."""
        section = situation.plan.inference
        if section.use == "training":
            return module
        if section.use == "generation":
            check_generates(module, situation.model, situation.plan)
        # Weights keep requires_grad, as those of from_pretrained do: torch folds a product of three
        # dimensions into one of two only then (aten/native/LinearAlgebra.cpp: should_fold).
        return module.eval()

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What of the plan has no effect."""
        if plan.inference.use == "training":
            return ()
        idle = idle_sections(plan)
        if not idle:
            return ()
        return (f"Nothing is trained, so {_listed(idle)} of the plan has no effect.",)


def trains(plan: Plan) -> bool:
    """Whether the plan is for training."""
    return plan.inference.use == "training"


def idle_sections(plan: Plan) -> list[str]:
    """Keys and sections that are set otherwise than by default, and do nothing here."""
    usual = Plan()
    idle = [
        key
        for key in ONLY_TRAINING_KEYS
        if getattr(plan.training, name := key.partition(".")[2]) != getattr(usual.training, name)
    ]
    return idle + [
        name
        for name, section in plan.sections()
        if name in ONLY_TRAINING and section != getattr(usual, name)
    ]


def sequence_length(model: Model, plan: Plan) -> int:
    """What the model takes of the plan's sequence: its positions limit it.

    A prompt leaves room for the new tokens, unless an encoder reads it. Raises ``PlanError`` where
    there is none.
    """
    length = plan.training.sequence_length
    limit = model.max_sequence_length
    if limit is None:
        return length
    section = plan.inference
    if section.use == "generation":
        if not model.config.get("is_encoder_decoder"):
            limit -= section.new_tokens
        elif section.new_tokens >= limit:
            limit = 0
        if limit < 1:
            positions = model.max_sequence_length or 1
            raise PlanError(
                f"{model.name} has positions for {format_count(positions)} tokens, prompt and new "
                f"ones together; choose inference.new_tokens of at most {positions - 1}."
            )
    return min(length, limit)


def check_generates(module: Any, model: Model, plan: Plan) -> None:
    """Raises ``PlanError`` where ``module`` cannot generate, or not with the plan's cache."""
    can = getattr(module, "can_generate", None)
    if can is None or not can():
        raise PlanError(
            f"{model.name} does not generate ({type(module).__name__} has no generate); choose "
            "inference.use=forward."
        )
    section = plan.inference
    if section.beams > 1 and module.config.is_encoder_decoder:
        raise PlanError(
            f"inference.beams above 1 is not planned for {model.name}, whose decoder reads an "
            "encoder; choose inference.beams=1."
        )
    if section.cache in {"static", "quantized"} and not module._supports_default_dynamic_cache():
        raise PlanError(
            f"{model.name} keeps a state of its own instead of keys and values; choose "
            "inference.cache=dynamic."
        )
    if section.cache == "quantized":
        size = _head_size(module.config)
        if size is not None and size % section.cache_group:
            raise PlanError(
                f"inference.cache_group={section.cache_group} does not divide the {size} numbers "
                f"of a head of {model.name}; choose {_nearest_divisor(size, section.cache_group)}."
            )


def _head_size(config: Any) -> int | None:
    """Numbers of a key of one head; None where the configuration does not say."""
    text = config.get_text_config(decoder=True)
    for name in ("head_dim", "d_kv"):
        if isinstance(size := getattr(text, name, None), int):
            return size
    hidden = getattr(text, "hidden_size", None)
    heads = getattr(text, "num_attention_heads", None)
    return hidden // heads if isinstance(hidden, int) and isinstance(heads, int) else None


def _nearest_divisor(size: int, wanted: int) -> int:
    divisors = [part for part in range(8, size + 1) if size % part == 0] or [size]
    return min(divisors, key=lambda part: abs(part - wanted))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
