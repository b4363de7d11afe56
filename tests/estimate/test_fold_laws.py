"""Laws of unfolding, on tapes made up by a program that can run any number of periods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.estimate.fold import unfold
from memplanner.estimate.periods import KEPT, Cut
from memplanner.tape.tape import Tape
from tests.estimate.periodic_tapes import Step, steps, steps_with_work_between
from tests.estimate.recordings import differences


def unfolded(step: Step, periods: int) -> Tape | None:
    return unfold(step.tape(KEPT), Cut("blocks", step.before, step.period, periods))


@settings(max_examples=200, deadline=None)
@given(steps, st.integers(KEPT, 9))
def test_unfolding_gives_the_tape_of_the_longer_program(step: Step, periods: int) -> None:
    longer = unfolded(step, periods)
    assert longer is not None
    assert differences(longer, step.tape(periods)) == []


@settings(max_examples=100, deadline=None)
@given(steps_with_work_between, st.integers(KEPT + 1, 9))
def test_work_of_the_parent_between_periods_is_unfolded_right_or_not_at_all(
    step: Step, periods: int
) -> None:
    longer = unfolded(step, periods)
    assert longer is None or differences(longer, step.tape(periods)) == []


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(KEPT, 9))
def test_every_storage_lives_once_and_memory_never_falls_below_nothing(
    step: Step, periods: int
) -> None:
    tape = unfolded(step, periods)
    assert tape is not None
    births = tape.events[tape.events > 0]
    deaths = -tape.events[tape.events < 0]
    assert sorted(births) == list(range(1, len(tape.size_bytes) + 1))
    assert len(set(deaths.tolist())) == len(deaths)
    place = {int(event): index for index, event in enumerate(tape.events)}
    assert all(place[int(death)] < place[-int(death)] for death in deaths)
    assert tape.curve_bytes.min() >= 0
    assert tape.phases[0].start == 0
    assert tape.phases[-1].stop == len(tape.events)
    assert all(
        before.stop == after.start
        for before, after in zip(tape.phases, tape.phases[1:], strict=False)
    )


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(KEPT + 1, 8), st.integers(KEPT + 1, 8))
def test_each_more_period_adds_the_same(step: Step, fewer: int, more: int) -> None:
    one, other = unfolded(step, fewer), unfolded(step, more)
    assert one is not None
    assert other is not None
    first = unfolded(step, KEPT)
    assert first is not None
    parts = [
        np.bincount(tape.category, weights=tape.size_bytes, minlength=8)
        for tape in (first, one, other)
    ]
    each = (parts[1] - parts[0]) / (fewer - KEPT)
    assert np.array_equal(parts[2] - parts[0], each * (more - KEPT))


@settings(max_examples=100, deadline=None)
@given(steps, st.sampled_from([1, 2]), st.integers(1, 5))
def test_periods_that_differ_are_noticed(step: Step, period: int, more: int) -> None:
    recorded = step.tape(KEPT, changed=(period, more))
    assert unfold(recorded, Cut("blocks", step.before, step.period, 8)) is None


@settings(max_examples=100, deadline=None)
@given(steps, st.data())
def test_a_death_out_of_place_is_noticed_or_unfolded_as_it_stands(
    step: Step, data: st.DataObject
) -> None:
    """Moving one death in one middle period makes the two middle periods differ."""
    recorded = step.tape(KEPT)
    cut = Cut("blocks", step.before, step.period, 8)
    middle = [
        index
        for index in range(len(recorded.events) - 1)
        if recorded.events[index] < 0 < recorded.events[index + 1]
        and _period(recorded, cut, index) == _period(recorded, cut, index + 1) == 1
    ]
    if not middle:
        return
    index = data.draw(st.sampled_from(middle))
    events, context = recorded.events.copy(), recorded.context.copy()
    events[[index, index + 1]] = events[[index + 1, index]]
    context[[index, index + 1]] = context[[index + 1, index]]
    assert unfold(replace(recorded, events=events, context=context), cut) is None


def _period(tape: Tape, cut: Cut, index: int) -> int:
    name = tape.module_names[int(tape.context[index])]
    if not name.startswith("blocks."):
        return -1
    return (int(name.split(".")[1]) - cut.start) // cut.period
