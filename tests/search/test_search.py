"""Searches: the same front as brute force, in slices, with goals; and the smallest change."""

from __future__ import annotations

from threading import Event

import pytest

from memplanner.errors import MemplannerError
from memplanner.estimate import estimate
from memplanner.hardware import find_device
from memplanner.hardware.overhead import driver_reserve
from memplanner.messages.device import Device
from memplanner.messages.search import FoundPlan, SearchGoal
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.answers import search, smallest_change
from memplanner.search.entry import units
from memplanner.search.front import Cost, front
from memplanner.search.search import Search
from memplanner.search.smallest_change import SmallestChanges
from memplanner.search.space import Space
from memplanner.tape.interruption import Interrupted, interruptible
from memplanner.techniques.target import Target
from memplanner.units import GIB

SOURCE = "preset:smollm2-135m"
PLAN = Plan.parse({"training": {"batch_size": 4, "sequence_length": 256}})
CARD = find_device("RTX 3060 12GB")
SMALL = ("loss", "activation_checkpointing")


@pytest.fixture(scope="module")
def model() -> Model:
    return load(SOURCE)


def small_card(gib: float) -> Device:
    """The card with less memory."""
    return CARD.model_copy(update={"name": "small card", "memory_bytes": round(gib * GIB)})


def plan_of(found: FoundPlan, start: Plan = PLAN) -> Plan:
    return start.with_values({change.key: change.after for change in found.changes})


def finished(running: Search) -> Search:
    while running.go_on():
        pass
    return running


@pytest.mark.slow
@pytest.mark.parametrize("device", [CARD, find_device("cpu")], ids=lambda one: one.kind)
def test_the_front_is_the_one_that_brute_force_finds(model: Model, device: Device) -> None:
    goal = SearchGoal(
        techniques=("loss", "activation_checkpointing", "adapters"),
        # what is chosen by the budget (test_by_budget.py) is no plan of the space
        pinned=("activation_checkpointing.modules", "activation_checkpointing.budget_mib"),
    )

    def seconds(plan: Plan) -> float:
        """A made-up cost in which every technique takes time."""
        slow = {"none": 1.0, "selective": 1.1, "every_n": 1.2, "full": 1.3}
        own = slow[plan.activation_checkpointing.policy] + (plan.loss.method != "whole") * 0.05
        own += (plan.adapters.method != "none") * -0.2
        return own * units(plan) + plan.training.gradient_accumulation_steps

    found = finished(Search(model, PLAN, device, goal, seconds=seconds))
    assert found.state.tried == found.state.possible == len(found.entries) == 16
    alone, costs, plans = load(SOURCE), [], []
    for plan in Space(PLAN, Target.of(device), goal).plans():
        risk = "check_quality" if plan.adapters.method != "none" else "same_result"
        whole = estimate(alone, plan, device)
        plans.append(plan)
        per_unit = float(f"{seconds(plan) / units(plan):.8g}")
        costs.append(Cost(whole.peak.allocated_bytes, per_unit, risk))
    expected = {(plans[place], costs[place]) for place in front(costs)}
    assert {(plan_of(one), entry_cost(found, one)) for one in found.best()} == expected


def entry_cost(running: Search, found: FoundPlan) -> Cost:
    return next(entry.cost for entry in running.entries if entry.changes == found.changes)


def test_what_is_chosen_is_what_an_estimate_says_of_it(model: Model) -> None:
    result = search(model, PLAN, CARD, SearchGoal(techniques=SMALL))
    assert result.chosen is not None
    assert result.chosen.verdict == "fits"
    for found in result.plans:
        peak = estimate(load(SOURCE), plan_of(found), CARD).peak
        assert found.allocated_bytes == peak.allocated_bytes
        assert found.by_category == peak.by_category
        assert found.phase == peak.phase
        if found.device_bytes is not None:
            assert found.device_bytes == peak.device_bytes
    assert result.state.complete


@pytest.mark.slow
def test_pinned_keys_and_the_worst_risk_hold(model: Model) -> None:
    goal = SearchGoal(worst_risk="same_result", pinned=("training", "loss"))
    found = finished(Search(model, PLAN, CARD, goal))
    assert {entry.plan.training for entry in found.entries} == {PLAN.training}
    assert {entry.plan.loss for entry in found.entries} == {PLAN.loss}
    assert {entry.quality.risk for entry in found.entries} == {"same_result"}
    assert {entry.plan.adapters.method for entry in found.entries} == {"none"}


def test_plans_are_told_as_they_come_and_again_when_more_is_known(model: Model) -> None:
    running = Search(model, PLAN, CARD, SearchGoal(techniques=("loss",)))
    assert running.go_on()
    (first,) = running.news()
    assert first.changes == ()
    assert running.news() == ()
    finished(running)
    told = running.news()
    assert {one.changes for one in told} >= {()}
    assert all(one.verdict is not None for one in told)


@pytest.mark.slow
def test_an_interrupted_search_goes_on_to_the_same_end(model: Model) -> None:
    class CountingEvent(Event):
        def __init__(self, count: int) -> None:
            super().__init__()
            self._left = count

        def is_set(self) -> bool:
            self._left -= 1
            return self._left < 0

    goal = SearchGoal(techniques=("loss", "activation_checkpointing"))
    running, count, interrupted = Search(load(SOURCE), PLAN, CARD, goal), 40, 0
    more = True
    while more:
        try:
            with interruptible(CountingEvent(count)):
                more = running.go_on()
        except Interrupted:
            interrupted += 1
            count *= 2
    assert interrupted
    straight = finished(Search(model, PLAN, CARD, goal))

    def told(search: Search) -> set[tuple[Plan, int]]:
        return {(one.plan, one.figures.allocated_bytes) for one in search.entries}

    assert told(running) == told(straight)
    assert running.best() == straight.best()


@pytest.mark.slow
@pytest.mark.parametrize("prefer", ["largest_micro_batch", "longest_sequence"])
def test_the_largest_that_fits_is_one_below_what_does_not(model: Model, prefer: str) -> None:
    device = small_card(6)
    goal = SearchGoal.model_validate(
        {"prefer": prefer, "techniques": ("activation_checkpointing",)}
    )
    running = finished(Search(model, PLAN, device, goal))
    assert running.chosen is not None
    plan = running.chosen.plan
    key = "batch_size" if prefer == "largest_micro_batch" else "sequence_length"
    size = getattr(plan.training, key)
    assert estimate(model, plan, device).verdict == "fits"
    if prefer == "largest_micro_batch" or size < (model.max_sequence_length or 0):
        larger = plan.with_values({f"training.{key}": size + 1})
        assert estimate(model, larger, device).verdict != "fits"


@pytest.mark.slow
def test_the_smallest_change_is_one_that_fits_and_none_shorter_does(model: Model) -> None:
    device = small_card(4)
    plan = PLAN.with_values({"training.batch_size": 8, "precision": "fp32"})
    result = smallest_change(model, plan, device)
    assert not result.fits_already
    assert result.changes
    lengths = [sections(one.found) for one in result.changes]
    assert lengths == sorted(lengths)
    for one in result.changes:
        assert estimate(model, plan_of(one.found, plan), device).verdict == "fits"
    for shorter in range(1, lengths[0]):
        space = Space(plan, Target.of(device), SearchGoal())
        for other in space.plans_that_change(shorter):
            assert verdict(model, other, device) != "fits"


def sections(found: FoundPlan) -> int:
    return len({change.key.partition(".")[0] for change in found.changes})


def verdict(model: Model, plan: Plan, device: Device) -> str | None:
    try:
        return estimate(model, plan, device).verdict
    except MemplannerError:
        return None


def test_a_plan_that_fits_is_told_what_it_leaves_on_the_table(model: Model) -> None:
    plan = PLAN.with_values({"activation_checkpointing.policy": "full"})
    result = smallest_change(model, plan, CARD, SearchGoal(techniques=SMALL))
    assert result.fits_already
    best = result.changes[0]
    assert best.slower_by is not None
    assert best.slower_by < 0
    assert best.found.quality.risk == "same_result"
    assert estimate(model, plan_of(best.found, plan), CARD).verdict == "fits"


def test_nothing_is_offered_where_nothing_fits(model: Model) -> None:
    looking = SmallestChanges(
        model, PLAN, small_card(0.7), SearchGoal(techniques=("loss",), worst_risk="same_result")
    )
    while looking.go_on():
        pass
    assert looking.found() == ()
    assert not looking.fits_already


@pytest.mark.slow
def test_the_cheapest_card_is_the_smallest_that_a_plan_fits(model: Model) -> None:
    goal = SearchGoal(where="cheapest_card", techniques=("loss",))
    result = search(model, PLAN, CARD, goal)
    assert result.chosen is not None
    card = find_device(result.chosen.device)
    assert estimate(model, plan_of(result.chosen), card).verdict == "fits"
    assert (card.memory_bytes or 0) <= (CARD.memory_bytes or 0)


@pytest.mark.slow
def test_the_fewest_cards_are_those_with_one_fewer_of_which_nothing_fits(model: Model) -> None:
    plan = PLAN.with_values({"precision": "fp32", "training.batch_size": 1})
    shared = {"sharding.cards_per_node": 2, "sharding.data": "zero_3"}
    one, two = (
        estimate(model, asked, small_card(12)).peak.device_high_bytes or 0
        for asked in (plan, plan.with_values(shared))
    )
    assert two < one
    reserve = driver_reserve(small_card(3)).high_bytes
    device = small_card(((one + two) / 2 + reserve) / GIB)
    goal = SearchGoal(where="fewest_cards", techniques=("sharding",), worst_risk="same_result")
    result = search(model, plan, device, goal)
    assert result.chosen is not None
    assert result.chosen.cards == 2
    assert estimate(model, plan_of(result.chosen, plan), device).verdict == "fits"
    assert estimate(model, plan, device).verdict != "fits"
