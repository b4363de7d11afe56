"""Effects of options: the same figures that a full estimate of the changed plan has."""

from __future__ import annotations

import random
import re
from threading import Event

import pytest

from memplanner.errors import MemplannerError
from memplanner.estimate import estimate
from memplanner.hardware import find_device
from memplanner.messages.effects import OptionEffect
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.plan.offers import Offer, offers
from memplanner.search.effects import Effects
from memplanner.tape.interruption import Interrupted, interruptible

SOURCE = "preset:smollm2-135m"
PLAN = Plan.parse({"training": {"batch_size": 1, "sequence_length": 64}})
SECTIONS = ("training", "optimizer", "activation_checkpointing", "loss", "quantization", "adapters")


class CountingEvent(Event):
    """Set from the ``count``-th time on that somebody looks at it."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._left = count

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def effect_of(effects: Effects, key: str, value: object) -> OptionEffect:
    return effects.of(next(one for one in effects.offers if (one.key, one.value) == (key, value)))


@pytest.mark.slow
@pytest.mark.parametrize(("device", "place"), [("cpu", 0), ("H100 80GB", 1)])
def test_an_effect_is_the_difference_of_two_full_estimates(device: str, place: int) -> None:
    """Each option on one of the two, a key's values in turn."""
    known = find_device(device)
    effects = Effects(load(SOURCE), PLAN, known)
    alone = load(SOURCE)  # with nothing remembered of what the effects recorded
    before = estimate(alone, PLAN, known)
    told = 0
    offered = [one for one in effects.offers if one.key.partition(".")[0] in SECTIONS]
    for offer in sorted(offered, key=lambda one: one.key)[place::2]:
        effect = effects.of(offer)
        if effect.kind == "refused":
            with pytest.raises(MemplannerError, match=re.escape(effect.refused[:60])):
                estimate(alone, PLAN.with_values({offer.key: offer.value}), known)
            continue
        after = estimate(alone, PLAN.with_values({offer.key: offer.value}), known)
        told += 1
        assert effect.allocated_bytes == after.peak.allocated_bytes, offer
        difference = after.peak.allocated_bytes - before.peak.allocated_bytes
        assert effect.allocated_difference_bytes == difference
        assert effect.device_bytes == after.peak.device_bytes
        assert effect.verdict == after.verdict
        kinds = {"takes"} if difference > 0 else {"saves"} if difference < 0 else None
        assert effect.kind in (kinds or {"same", "same_peak", "numerics_only"})
    assert told > 12


def test_a_refused_option_says_why_and_what_it_needs() -> None:
    effects = Effects(load(SOURCE), PLAN, find_device("cpu"))
    effect = effect_of(effects, "quantization.method", "nf4")
    assert effect.kind == "refused"
    assert "freezes the weights" in effect.refused
    assert effect.needs == "adapters.method=lora"
    both = PLAN.with_values({"quantization.method": "nf4", "adapters.method": "lora"})
    known = estimate(load(SOURCE), both, "cpu").peak.allocated_bytes
    assert effect.allocated_bytes == known
    assert effect.runs_on is None


def test_what_only_a_card_can_do_is_told_as_such() -> None:
    effects = Effects(load(SOURCE), PLAN, find_device("cpu"))
    effect = effect_of(effects, "attention.kernel", "cudnn")
    assert (effect.kind, effect.runs_on) == ("refused", "gpu")
    assert effect.refused.endswith(".")


def test_of_a_plan_that_cannot_be_carried_out_each_option_says_whether_it_mends_it() -> None:
    plan = PLAN.with_values({"quantization.method": "nf4"})
    effects = Effects(load(SOURCE), plan, find_device("cpu"))
    assert effect_of(effects, "adapters.method", "lora").kind == "possible"
    assert effect_of(effects, "quantization.method", "none").kind == "possible"
    assert effect_of(effects, "precision", "fp32").kind == "refused"


def test_options_that_are_wanted_first_come_first() -> None:
    wanted = ("loss.method", "precision")
    effects = Effects(load(SOURCE), PLAN, find_device("cpu"), first=wanted)
    head = [one.key for one in effects.offers if one.key in wanted]
    assert [one.key for one in effects.offers[: len(head)]] == head
    places = [place for place, one in enumerate(effects.offers) if not one.leads]
    assert min(places) > len(head)


@pytest.mark.slow
def test_work_that_was_given_up_anywhere_leaves_nothing_behind() -> None:
    plans = [
        PLAN,
        PLAN.with_values({"activation_checkpointing.policy": "full"}),
        PLAN.with_values({"optimizer.update": "in_backward"}),
        PLAN.with_values({"adapters.method": "lora", "quantization.method": "nf4"}),
    ]
    device = find_device("H100 80GB")
    model, chance = load(SOURCE), random.Random(7)  # noqa: S311  (places to give up at)
    given_up = 0
    for plan in plans:
        for count in (0, 1, *(chance.randrange(2, 2500) for _ in range(4))):
            try:
                with interruptible(CountingEvent(count)):
                    estimate(model, plan, device).prepare_changes()
            except Interrupted:
                given_up += 1
        mine, fresh = estimate(model, plan, device), estimate(load(SOURCE), plan, device)
        assert mine.figures() == fresh.figures()
        longer = plan.with_values({"training.sequence_length": 96})
        again = estimate(load(SOURCE), longer, device)
        assert estimate(model, longer, device).figures() == again.figures()
    assert given_up > len(plans)


def test_outside_of_interruptible_work_nothing_is_given_up() -> None:
    event = Event()
    event.set()
    with pytest.raises(Interrupted), interruptible(event):
        estimate(load(SOURCE), PLAN, "cpu")
    assert estimate(load(SOURCE), PLAN, "cpu").peak.allocated_bytes > 0


def test_a_plan_offers_every_other_choice_of_what_matters() -> None:
    found = offers(PLAN)
    assert Offer in {type(one) for one in found}
    by_key: dict[str, set[object]] = {}
    for one in found:
        by_key.setdefault(one.key, set()).add(one.value)
    assert {"fp32", "fp16"} <= by_key["precision"]
    assert "bf16" not in by_key["precision"]
    assert 1 not in by_key["training.batch_size"]
    assert {2, 4} <= by_key["training.batch_size"]
    assert "quantization.bits" not in by_key  # nothing is quantized
    assert not any(key.endswith("target_modules") for key in by_key)
    pruned = {one.value for one in offers(PLAN.with_values({"pruning.structure": "unstructured"}))
              if one.key == "pruning.ratio"}  # fmt: skip
    assert pruned == {0.1, 0.25, 0.75, 0.9}
    for one in found:
        if not one.key.startswith("sharding."):  # degrees depend on each other
            PLAN.with_values({one.key: one.value})
