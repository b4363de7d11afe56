"""What is recomputed, or kept on the host, beyond need: the highest rung that fits, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.estimate import estimate
from memplanner.hardware import find_device
from memplanner.hardware.overhead import driver_reserve
from memplanner.messages.estimate import Categories
from memplanner.messages.search import SearchGoal
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import ActivationCheckpointing
from memplanner.search.by_budget import HighestThatFits, Ladder, Rung, block_names, ladders
from memplanner.search.evaluation import Evaluation
from memplanner.search.figures import DeviceFigures, Figures
from memplanner.search.search import Search
from memplanner.search.smallest_change import SmallestChanges
from memplanner.techniques.target import Target
from tests.estimate.recordings import planned, tiny

CARD = find_device("RTX 4090 24GB")
RECOMPUTED = {"activation_checkpointing__policy": "full"}
OFFLOADED = {"activation_offload__to": "host"}


def everything(key: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("name", "values", "kinds"),
    [
        ("long llama", RECOMPUTED, ["budget", "named"]),
        ("long llama", OFFLOADED, ["host"]),
        ("long llama", {"activation_checkpointing__policy": "selective"}, ["budget", "named"]),
        ("t5", RECOMPUTED, ["budget", "named"]),
        ("long llama", {"loss__method": "chunked"}, []),
    ],
)
def test_memory_does_not_fall_along_a_ladder(
    name: str, values: dict[str, Any], kinds: list[str]
) -> None:
    model, plan = tiny(name), planned(8, 64, **values)
    evaluation = Evaluation(model, CARD)
    found = ladders(plan, evaluation, everything)
    for ladder, kind in zip(found, kinds, strict=True):
        plans = [ladder.plan(plan, place) for place in range(-1, len(ladder.rungs))]
        chosen = plans[:: max(1, len(plans) // 4)]
        sizes = [one.allocated_bytes for one in evaluation.figures(chosen)]
        assert sizes == sorted(sizes), kind
        assert sizes[-1] > sizes[0]
        section = ladder.rungs[0].section
        assert kind in (getattr(section, "policy", ""), getattr(section, "to", ""))
        assert all(rung.words for rung in ladder.rungs)


@dataclass
class FakeEvaluation:
    """Sizes by the number of the budget, as an evaluation tells them."""

    sizes: list[int]
    target = Target("cuda", (9, 0))

    def on_device(self, plan: Plan) -> DeviceFigures:
        section = plan.activation_checkpointing
        place = section.budget_mib if section.policy == "budget" else -1
        size = self.sizes[place + 1]
        figures = Figures(size, "backward", Categories(), 1.0)
        return DeviceFigures(figures, size, size, 0, "fits")


@given(
    sizes=st.lists(st.integers(0, 10**6), min_size=2, max_size=80).map(sorted),
    thought=st.lists(st.integers(0, 10**6), min_size=80, max_size=80).map(sorted),
    most=st.integers(0, 10**6),
)
def test_the_border_is_the_one_that_trying_all_finds(
    sizes: list[int], thought: list[int], most: int
) -> None:
    """However wrong what memory is thought to be."""
    sections = [ActivationCheckpointing(policy="budget", budget_mib=n) for n in range(80)]
    count = len(sizes) - 1
    rungs = tuple(Rung(sections[n], str(n), thought[n]) for n in range(count))
    ladder = Ladder("activation_checkpointing", ActivationCheckpointing(policy="full"), rungs)
    climbing = HighestThatFits(
        ladder, Plan(), cast("Any", FakeEvaluation(sizes)),
        lambda known: (known.device_high_bytes or 0) <= most, most,
    )  # fmt: skip
    while not climbing.done:
        climbing.go_on()
    held = [n for n in range(count) if sizes[n + 1] <= most]
    expected = held[-1] if held and sizes[0] <= most else None
    assert (None if climbing.found is None else int(climbing.found.words)) == expected
    assert climbing.probes <= 6 + log2(count + 1)


def test_what_tensors_alone_rule_out_is_not_replayed(model: Model) -> None:
    evaluation = Evaluation(model, CARD)
    known = evaluation.on_device(PLAN, promises_bytes=2**20)
    assert (known.verdict, known.device_bytes) == (None, None)
    assert known.taken_bytes == known.figures.allocated_bytes
    shown = evaluation.on_device(PLAN)
    assert shown.verdict == "fits"
    assert shown.figures == known.figures


def test_blocks_are_named_in_the_order_of_forward() -> None:
    assert block_names(tiny("llama")) == tuple(f"model.layers.{n}" for n in range(6))
    names = block_names(tiny("t5"))
    assert (names[0], names[6], len(names)) == ("encoder.block.0", "decoder.block.0", 13)


@pytest.fixture(scope="module")
def model() -> Model:
    return load("preset:smollm2-135m")


PLAN = Plan.parse({"training": {"batch_size": 4, "sequence_length": 256}})
OF_BLOCKS = ("activation_checkpointing",)


def between(model: Model, **goal: Any) -> tuple[Search, SearchGoal]:
    """A search on a card that holds half of what the blocks keep."""
    sizes = [
        estimate(model, plan, CARD).peak.device_high_bytes or 0
        for plan in (PLAN, PLAN.with_values({"activation_checkpointing.policy": "full"}))
    ]
    memory = (3 * sizes[0] + sizes[1]) // 4 + driver_reserve(CARD).high_bytes
    small = CARD.model_copy(update={"memory_bytes": memory})
    wanted = SearchGoal(
        techniques=OF_BLOCKS, worst_risk="same_result", pinned=("training",), **goal
    )
    return Search(model, PLAN, small, wanted), wanted


@pytest.mark.slow
def test_a_search_gives_back_what_the_card_can_hold(model: Model) -> None:
    running, goal = between(model)
    while running.go_on():
        pass
    assert running.chosen is not None
    policies = {entry.plan.activation_checkpointing.policy for entry in running.entries}
    assert policies == {"none", "full", "every_n", "selective", "named", "budget"}
    for entry in running.entries:
        section = entry.plan.activation_checkpointing
        if section.policy not in ("named", "budget"):
            continue
        alone = estimate(load("preset:smollm2-135m"), entry.plan, running.device)
        assert alone.peak.allocated_bytes == entry.figures.allocated_bytes
        assert alone.verdict == "fits"
        found = running.found(entry)
        assert found.time is not None
        assert len({change.words for change in found.changes}) == 1
        if section.policy == "named":
            fewer = section.model_copy(update={"modules": section.modules[:-1]})
            more = entry.plan.model_copy(update={"activation_checkpointing": fewer})
            assert estimate(model, more, running.device).verdict != "fits"
            assert f"recompute {len(section.modules)} of 30 blocks" in found.changes[0].words
    others = [e for e in running.entries if running.fits(e) and e is not running.chosen]
    assert all(running.preference(running.chosen) <= running.preference(one) for one in others)

    pinned = goal.model_copy(update={"pinned": (*goal.pinned, "activation_checkpointing.modules")})
    assert not any(
        ladder.rungs[0].words.endswith("blocks")
        for ladder in ladders(
            running.chosen.plan.with_values({"activation_checkpointing.policy": "full"}),
            running.evaluation,
            lambda key: key not in pinned.pinned,
        )
    )


@pytest.mark.slow
def test_the_smallest_change_is_told_with_no_more_than_it_takes(model: Model) -> None:
    running, goal = between(model)
    looking = SmallestChanges(model, PLAN, running.device, goal)
    while looking.go_on():
        pass
    changes = looking.found()
    slower = [one.slower_by for one in changes if one.slower_by is not None]
    assert slower == sorted(slower)
    first = {change.key for change in changes[0].found.changes}
    assert first & {"activation_checkpointing.modules", "activation_checkpointing.budget_mib"}
