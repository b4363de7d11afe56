"""Laws of replays, on made-up steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from memplanner.estimate.allocator import AllocatorSettings, replay, training_loop
from memplanner.estimate.allocator.caching import UNIT_BYTES
from memplanner.estimate.allocator.rounding import round_sizes
from memplanner.tape.tape import Tape
from memplanner.units import KIB, MIB
from tests.estimate.allocator.programs import settings_of
from tests.estimate.periodic_tapes import Step, steps

GIB = 1024 * MIB


def scaled(step: Step, periods: int, factor: int) -> Tape:
    tape = step.tape(periods)
    return replace(tape, size_bytes=tape.size_bytes * factor)


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(1, 5))
def test_small_requests_are_allocated_to_the_byte(step: Step, periods: int) -> None:
    """In units of 512 bytes nothing is rounded, and small blocks are always split to size."""
    tape = scaled(step, periods, UNIT_BYTES)
    found = replay(training_loop(tape))
    start = tape.phases[0].stop
    last = len(tape.events) - 1  # what a step leaves without counterpart is exchanged there
    assert found.step_allocated_bytes[start:last].tolist() == tape.curve_bytes[start:last].tolist()
    assert found.allocated_bytes >= tape.curve_bytes.max()


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(1, 5), st.sampled_from([7 * KIB, 90 * KIB, MIB]), settings_of)
def test_reserved_is_never_below_allocated_nor_allocated_below_what_is_asked(
    step: Step, periods: int, factor: int, chosen: AllocatorSettings
) -> None:
    tape = scaled(step, periods, factor)
    found = replay(training_loop(tape), chosen, device_bytes=64 * GIB)
    rounded = replace(tape, size_bytes=round_sizes(tape.size_bytes, chosen)).curve_bytes
    start = tape.phases[0].stop
    assert (found.step_reserved_bytes >= found.step_allocated_bytes).all()
    assert (found.step_allocated_bytes[start:-1] >= rounded[start:-1]).all()
    assert found.reserved_bytes >= found.allocated_bytes >= rounded.max()
    assert found.peak.unused_bytes >= found.peak.inactive_split_bytes >= 0
    assert 0 <= found.peak.fragmentation < 1
    again = replay(training_loop(tape), chosen, device_bytes=64 * GIB)
    assert (again.peak, again.end, again.steps) == (found.peak, found.end, found.steps)


@settings(max_examples=100, deadline=None)
@given(steps, st.integers(1, 4), st.integers(1, 4000), settings_of)
def test_it_fits_or_says_where_not(
    step: Step, periods: int, limit_mib: int, chosen: AllocatorSettings
) -> None:
    tape = scaled(step, periods, MIB)
    loop = training_loop(tape)
    limit_bytes = limit_mib * MIB
    found = replay(loop, chosen, limit_bytes=limit_bytes, device_bytes=64 * GIB)
    assert found.reserved_bytes <= limit_bytes
    free = replay(loop, chosen, device_bytes=64 * GIB)
    if free.reserved_bytes <= limit_bytes:
        assert (found.failure, found.reserved_bytes) == (None, free.reserved_bytes)
    if found.failure is not None:
        failure = found.failure
        assert failure.reserved_bytes + failure.segment_bytes > limit_bytes
        assert failure.requested_bytes == loop.size_bytes[failure.storage]
        assert 0 <= failure.event < len(tape.events)
        assert np.abs(tape.events).max() > failure.storage
