"""The space of plans: what techniques offer, multiplied out, within what a goal allows."""

from __future__ import annotations

import pytest

from memplanner.messages.search import SearchGoal
from memplanner.plan import Plan
from memplanner.plan.plan import keys
from memplanner.search.space import Space, possible
from memplanner.techniques.prepare import techniques
from memplanner.techniques.target import Target

CARD = Target("cuda", (8, 9))
PLAN = Plan()


def space(plan: Plan = PLAN, target: Target = CARD, **goal: object) -> Space:
    return Space(plan, target, SearchGoal.model_validate(goal))


def test_the_plan_itself_comes_first_and_no_plan_comes_twice() -> None:
    plans = list(space().plans())
    assert plans[0] == PLAN
    assert len(set(plans)) == len(plans) > 100


def test_every_plan_is_valid_and_has_no_conflict() -> None:
    for plan in space().plans():
        assert Plan.parse(plan.to_dict()) == plan
        assert possible(plan, CARD)


@pytest.mark.parametrize("target", [CARD, Target(), Target("cuda", (7, 5))])
def test_alternatives_name_keys_of_the_plan_and_have_words(target: Target) -> None:
    lora = PLAN.with_values({"adapters.method": "lora"})
    for technique in techniques():
        for plan in (PLAN, lora):
            for alternative in technique.alternatives(plan, target):
                for setting in alternative:
                    assert setting.key in keys()
                    assert setting.key.partition(".")[0] == technique.name
                    assert 0 < len(setting.words) <= 28


def test_what_is_pinned_stays_and_what_may_not_be_used_is_not() -> None:
    pinned = space(pinned=("optimizer.name", "loss"))
    assert {plan.optimizer.name for plan in pinned.plans()} == {"adamw"}
    assert {plan.loss for plan in pinned.plans()} == {PLAN.loss}
    only = space(techniques=("loss",))
    assert {plan.model_copy(update={"loss": PLAN.loss}) for plan in only.plans()} == {PLAN}
    assert len(list(only.plans())) == 2


def test_micro_batches_keep_the_samples_of_a_step() -> None:
    plan = PLAN.with_values({"training.batch_size": 4, "training.gradient_accumulation_steps": 3})
    sizes = {one.training.batch_size for one in space(plan).plans()}
    assert sizes == {1, 2, 3, 4, 6, 12}
    for one in space(plan).plans():
        training = one.training
        assert training.batch_size * training.gradient_accumulation_steps == 12
    fixed = space(plan, pinned=("training.batch_size",))
    assert {one.training for one in fixed.plans()} == {plan.training}


def test_changes_are_told_in_words_and_counted_by_section() -> None:
    whole = space()
    assert whole.changes(PLAN) == ()
    for count in (1, 2):
        for plan in whole.plans_that_change(count):
            sections = {change.key.partition(".")[0] for change in whole.changes(plan)}
            assert len(sections) == count
    plan = PLAN.with_values({"loss.method": "chunked", "training.sequence_length": 4096})
    list(whole.plans())
    assert [change.words for change in whole.changes(plan)] == [
        "4\u2009096 tokens",
        "loss in 8 chunks",
    ]


def test_nothing_is_varied_where_nothing_is_trained() -> None:
    assert list(space(PLAN.with_values({"inference.use": "forward"})).plans()) == [
        PLAN.with_values({"inference.use": "forward"})
    ]


def test_what_saves_memory_may_be_left_off_again() -> None:
    plan = PLAN.with_values(
        {"loss.method": "chunked", "activation_offload.to": "host", "offload.optimizer": "host"}
    )
    assert PLAN.with_values({"offload.optimizer": "none"}) in set(space(plan).plans())
