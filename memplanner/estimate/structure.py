"""Plans of one structure: their steps are the same but for sizes, which follow forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memplanner.plan import Plan
from memplanner.plan.compilation import Compilation
from memplanner.plan.pruning import Pruning
from memplanner.techniques.distilled_model import with_same_terms

_THRESHOLDS = ("window", "chunk", "original_max_position", "block_size")


def named_lengths(config: Mapping[str, Any]) -> Iterator[int]:
    """The lengths that a configuration, or one inside it, names as borders."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from named_lengths(value)
        elif type(value) is int and value > 0 and any(word in key for word in _THRESHOLDS):
            yield value


def sizes_follow_forms(plan: Plan, batch: int, length: int) -> bool:
    """Whether sizes at this batch and length follow those at others."""
    # chunks that are not all alike follow no form: such a point is a structure of its own
    alike = plan.loss.method == "whole" or batch * length % plan.loss.chunks == 0
    # what a budget of activations is spent on depends on every size
    alike = alike and plan.activation_checkpointing.policy != "budget"
    # and so does what a compiled block keeps
    return alike and plan.compilation.mode == "none"


def structure_of(plan: Plan, batch: int, length: int) -> Plan:
    """The plan at a batch and a length, with every value that changes no structure made one."""
    accumulated = plan.training.gradient_accumulation_steps
    training = plan.training.model_copy(
        update={
            "batch_size": batch,
            "sequence_length": length,
            "gradient_accumulation_steps": (
                accumulated
                if plan.sharding.pipeline > 1  # each has its buffers
                else min(accumulated, 2)
            ),
        }
    )
    optimizer = plan.optimizer.model_copy(
        update={
            "learning_rate": 1e-5,
            "weight_decay": 0.01 if plan.optimizer.weight_decay else 0.0,
            "momentum": 0.9 if plan.optimizer.momentum else 0.0,
            "update_gap": 200,
            "scale": 0.25,
        }
    )
    compiled = plan.compilation.mode != "none"
    return plan.model_copy(
        update={
            "training": training,
            "optimizer": optimizer,
            "compilation": plan.compilation if compiled else Compilation(),
            "pruning": _pruning_of_structure(plan.pruning),
            "distillation": with_same_terms(plan.distillation),
            "sharding": plan.sharding.model_copy(update={"card_link": None, "node_link": None}),
        }
    )


def _pruning_of_structure(section: Pruning) -> Pruning:
    """The section without what decides how many zeros dense weights have, and when."""
    if section.structure != "unstructured" or section.kept_as == "packed":
        return section
    order = (section.last_step > section.first_step) - (section.last_step < section.first_step)
    return section.model_copy(
        update={
            "ratio": 0.5,
            "threshold": 0.5,
            "first_step": 1,
            "last_step": 1 + order,  # a schedule that ends before it begins is refused
            "every": 1,
            "exponent": 3.0,
        }
    )
