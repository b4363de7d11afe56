"""Steps laid over each other: nothing is higher than the peak, and the peak is in its phase."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from memplanner.messages.estimate import Estimate, Phase, Span, Timeline
from memplanner.report.alignment import aligned
from memplanner.report.charts import spread
from memplanner.report.parts import whole_peak_bytes
from tests.report.estimates import estimate


@st.composite
def stepped(draw: st.DrawFn) -> Estimate:
    """An estimate with a step of any shape whose highest point is its peak."""
    made = estimate(seconds=draw(st.floats(0.1, 9.0)))
    phases: list[Phase] = ["load", "forward", "backward", "optimizer_step"]
    lengths = draw(
        st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(lambda n: sum(n[1:]))
    )
    spans, start = [], 0
    for phase, length in zip(phases, lengths, strict=True):
        spans.append(Span(phase, 0, start, start + length))
        start += length
    sizes = draw(st.lists(st.integers(0, 1000), min_size=start, max_size=start))
    first = lengths[0]
    peak = max(range(first, start), key=lambda at: sizes[at])
    top = sizes[peak]
    sizes = [min(size, top) for size in sizes]
    line = Timeline(
        events=start,
        event=tuple(range(start)),
        allocated_bytes=tuple(sizes),
        by_category={},
        phases=tuple(spans),
        peak_event=peak,
    )
    told = made.peak.model_copy(update={"allocated_bytes": top, "phase": spans[-1].phase})
    return made.model_copy(update={"timeline": line, "peak": told})


@given(st.lists(st.one_of(st.none(), stepped()), min_size=1, max_size=3))
def test_curves_stay_inside_and_reach_their_peak(estimates: list[Estimate | None]) -> None:
    for made in (aligned(estimates), aligned(estimates, "time")):
        assert len(made.curves) == len(estimates)
        for curve, one in zip(made.curves, estimates, strict=True):
            if one is None:
                assert curve is None
                continue
            assert curve is not None
            assert list(curve.x) == sorted(set(curve.x))
            assert curve.x[0] >= 0
            assert curve.x[-1] <= 1
            drawn = [at for first, stop, _ in curve.pieces for at in range(first, stop)]
            assert drawn == list(range(len(curve.x)))
            assert max(curve.whole_bytes) == whole_peak_bytes(one) == curve.peak[1]
            assert 0 <= curve.peak[0] <= 1


@given(st.lists(stepped(), min_size=1, max_size=3))
def test_bands_follow_each_other_over_the_whole_width(estimates: list[Estimate]) -> None:
    bands = aligned(list(estimates)).bands
    assert bands[0].left == 0
    assert abs(bands[-1].right - 1) < 1e-9
    for one, after in pairwise(bands):
        assert one.right == after.left
        assert one.right > one.left


def test_the_peak_is_drawn_in_its_phase() -> None:
    made = aligned([estimate()])
    (curve,) = made.curves
    assert curve is not None
    band = next(one for one in made.bands if one.title == "Backward")
    assert band.left <= curve.peak[0] <= band.right


def test_a_slower_step_is_wider_where_times_are_known() -> None:
    slow, fast = aligned([estimate(seconds=4.0), estimate(seconds=1.0)], "time").curves
    assert slow is not None
    assert fast is not None
    assert (slow.end, fast.end) == (1.0, 0.25)


def test_a_plan_draws_nothing_in_a_phase_that_it_has_not() -> None:
    trained = estimate()
    kept = (Span("forward", 0, 0, 5), Span("between_steps", 0, 9, 11))
    line = trained.timeline.model_copy(update={"phases": kept, "peak_event": 4})
    used = trained.model_copy(update={"timeline": line})
    made = aligned([trained, used])
    whole, parted = made.curves
    assert whole is not None
    assert parted is not None
    assert len(whole.pieces) == 1
    assert len(parted.pieces) == 2
    forward, backward = made.bands[:2]
    first, second = parted.pieces
    assert first[2] == forward.right
    assert parted.x[second[0]] >= backward.right - 1 / 100
    assert first[1] == second[0]


def test_a_phase_without_events_keeps_its_level() -> None:
    """As of an 8-bit optimizer, whose kernels work in place."""
    trained = estimate()
    line = trained.timeline
    at = next(span for span in line.phases if span.phase == "optimizer_step")
    empty = tuple(span._replace(stop=span.start) if span is at else span for span in line.phases)
    until = bisect_left(line.event, at.start)
    level = line.allocated_bytes[until - 1]
    line = line.model_copy(
        update={
            "phases": empty,
            "events": at.start,
            "event": line.event[:until],
            "allocated_bytes": line.allocated_bytes[:until],
        }
    )
    in_place = trained.model_copy(update={"timeline": line})
    made = aligned([trained, in_place])
    curve = made.curves[1]
    assert curve is not None
    assert len(curve.pieces) == 1
    band = next(one for one in made.bands if one.title == "Optimizer")
    inside = [size for x, size in zip(curve.x, curve.whole_bytes, strict=True) if x > band.left]
    beside = whole_peak_bytes(in_place) - in_place.peak.allocated_bytes
    assert set(inside) == {level + beside}
    alone = aligned([in_place])
    assert "Optimizer" not in [one.title for one in alone.bands]


def test_without_times_the_axis_says_what_it_counts() -> None:
    assert "counted" in aligned([estimate(), estimate(seconds=1.0)], "time").caption


@given(st.lists(st.floats(0, 300), max_size=6), st.floats(1, 40))
def test_labels_stand_apart(places: list[float], least: float) -> None:
    moved = sorted(spread(places, least, 0))
    assert all(b - a >= least - 1e-6 for a, b in pairwise(moved))
    assert all(new >= old for new, old in zip(spread(places, least, 0), places, strict=True))
