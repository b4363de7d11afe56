"""The plan a model opens with: a sensible first step, not a search."""

from __future__ import annotations

from memplanner.model.loaded import Model
from memplanner.model.positions import stated_positions
from memplanner.plan import Plan

SEQUENCE_LENGTH = 2048
UNKNOWN_SEQUENCE_LENGTH = 512
"""Where nothing says how long a sequence the model takes."""
SOUND_FRAMES = 500
"""Ten seconds of sound in wav2vec2's frames of 20 ms."""
PICTURES = 8


def default_plan(model: Model) -> Plan:
    """One sequence of up to 2048 tokens in bf16; eight samples in fp32 where there is no sequence.

    The sequence is never longer than the model's positions allow or its configuration states.
    """
    if model.parameters_only:
        return Plan.model_validate({})
    if not model.takes_sequence:
        return Plan.model_validate({"training": {"batch_size": PICTURES}, "precision": "fp32"})
    return Plan.model_validate(
        {"training": {"batch_size": 1, "sequence_length": _sequence_length(model)}}
    )


def _sequence_length(model: Model) -> int:
    if "inputs_to_logits_ratio" in model.config:
        return SOUND_FRAMES
    limits = [
        limit
        for limit in (model.max_sequence_length, stated_positions(model.config))
        if limit is not None
    ]
    return min([SEQUENCE_LENGTH, *limits]) if limits else UNKNOWN_SEQUENCE_LENGTH
