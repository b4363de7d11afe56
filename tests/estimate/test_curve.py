"""The timeline's reserved curve: aligned with its points, and nothing of it lost to thinning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.estimate import estimate
from memplanner.estimate.curve import highest_in_stretches
from memplanner.messages.device import Device
from memplanner.units import GIB
from tests.estimate.recordings import planned, tiny

CARD = Device(name="a card", kind="cuda", memory_bytes=80 * GIB, architecture="9.0")
CPU = Device(name="CPU", kind="cpu", memory_bytes=80 * GIB, local=True)


@given(st.lists(st.integers(0, 2**50), min_size=1, max_size=300), st.integers(1, 60))
def test_thinning_keeps_the_highest_and_the_number_of_points(
    values: list[int], points: int
) -> None:
    thinned = highest_in_stretches(np.array(values), points)
    assert len(thinned) == min(len(values), points)
    assert max(thinned) == max(values)
    assert thinned == tuple(values) or len(values) > points


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_reserved_goes_along_with_the_timeline(micro_batches: int) -> None:
    plan = planned(2, 24, training__gradient_accumulation_steps=micro_batches)
    prediction = estimate(tiny("llama"), plan, CARD)
    drawn = prediction.message().timeline
    assert len(drawn.reserved_bytes) == len(drawn.event) == len(drawn.allocated_bytes)
    load = drawn.phases[0].stop
    pairs = zip(drawn.event, drawn.allocated_bytes, drawn.reserved_bytes, strict=True)
    step = [(allocated, reserved) for event, allocated, reserved in pairs if event >= load]
    assert all(allocated <= reserved for allocated, reserved in step)
    highest = {
        span.phase: max(
            reserved
            for event, reserved in zip(drawn.event, drawn.reserved_bytes, strict=True)
            if span.start <= event < span.stop
        )
        for span in drawn.phases
        if span.micro_batch == 0 and span.phase in ("optimizer_step", "between_steps")
    }
    by_phase = prediction.reserved_by_phase()
    for phase, reserved in highest.items():
        assert reserved <= by_phase[phase]
    assert max(drawn.reserved_bytes) == max(by_phase.values())
    assert max(drawn.reserved_bytes) <= (prediction.peak.reserved_bytes or 0)


def test_what_is_not_modelled_has_no_reserved_curve() -> None:
    prediction = estimate(tiny("llama"), planned(2, 24), CPU)
    assert prediction.message().timeline.reserved_bytes == ()
    assert prediction.first_message().timeline.reserved_bytes == ()
