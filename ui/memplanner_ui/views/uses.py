"""Words for what a plan does again and again: a step of training, a generation, a forward."""

from __future__ import annotations

from memplanner.plan import Plan
from memplanner.plan.inference import Round
from memplanner_ui.language import plural, translatable, translate


def trains(plan: Plan) -> bool:
    """Whether the plan is for training."""
    return plan.inference.use == "training"


def round_of(plan: Plan) -> Round:
    """What is done again and again, in a word."""
    return plan.inference.round


_WORDS: dict[Round, tuple[str, str]] = {
    "step": (translatable("Views", "step"), translatable("Views", "Steps")),
    "generation": (translatable("Views", "generation"), translatable("Views", "Generations")),
    "forward": (translatable("Views", "forward"), translatable("Views", "Forwards")),
}


def one(round_: Round) -> str:
    """Its word inside a sentence: ``step``."""
    return translate("Views", _WORDS[round_][0])


def several(round_: Round) -> str:
    """Its word for a number of them: ``Steps``."""
    return translate("Views", _WORDS[round_][1])


def rounds(count: int, round_: Round) -> str:
    """Such as ``1 step``, ``3 generations``."""
    words = {
        "step": plural("Views", "{count} steps", "{count} step", count),
        "generation": plural("Views", "{count} generations", "{count} generation", count),
        "forward": plural("Views", "{count} forwards", "{count} forward", count),
    }
    return words[round_].format(count=count)


def intake(plan: Plan, *, takes_sequence: bool) -> tuple[str, int, str]:
    """A heading, how much one round takes in or writes over all ranks, and of what."""
    training, section = plan.training, plan.inference
    samples = training.batch_size
    if section.use == "training":
        samples *= training.gradient_accumulation_steps * plan.sharding.data_degree
    heading = {
        "step": translate("Views", "One optimizer step"),
        "generation": translate("Views", "One generation writes"),
    }
    above = heading.get(round_of(plan), translate("Views", "One forward"))
    if section.use == "generation":
        return above, samples * section.new_tokens, translate("Views", "tokens")
    if takes_sequence:
        return above, samples * training.sequence_length, translate("Views", "tokens")
    return above, samples, plural("Views", "samples", "sample", samples)
