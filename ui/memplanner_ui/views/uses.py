"""Words for what a plan does again and again: a step of training, a generation, a forward."""

from __future__ import annotations

from memplanner.plan import Plan
from memplanner.plan.inference import Round


def trains(plan: Plan) -> bool:
    """Whether the plan is for training."""
    return plan.inference.use == "training"


def round_of(plan: Plan) -> Round:
    """What is done again and again, in a word."""
    return plan.inference.round


def rounds(count: int, word: str) -> str:
    """Such as ``1 step``, ``3 generations``."""
    return f"1 {word}" if count == 1 else f"{count} {word}s"


def intake(plan: Plan, *, takes_sequence: bool) -> tuple[str, int, str]:
    """A heading, how much one round takes in or writes over all ranks, and of what."""
    training, section = plan.training, plan.inference
    samples = training.batch_size
    if section.use == "training":
        samples *= training.gradient_accumulation_steps * plan.sharding.data_degree
    heading = {"step": "One optimizer step", "generation": "One generation writes"}
    above = heading.get(round_of(plan), "One forward")
    if section.use == "generation":
        return above, samples * section.new_tokens, "tokens"
    if takes_sequence:
        return above, samples * training.sequence_length, "tokens"
    return above, samples, "sample" if samples == 1 else "samples"
