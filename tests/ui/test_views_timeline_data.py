"""What the timeline draws is what the estimate says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memplanner.messages.estimate import Span
from memplanner_ui.views.timeline_data import (
    STACKED,
    bounds,
    columns,
    measured_at,
    measured_curves,
    step_of,
)
from memplanner_ui.views.timeline_table import rows
from tests.ui import sample
from tests.ui.timeline_sample import estimate, parameters_only, step


def test_the_step_is_the_estimates_without_loading() -> None:
    made, whole = step(), estimate().timeline
    assert made.events == 200
    assert made.total.tolist() == list(whole.allocated_bytes[20:])
    assert (made.parts.sum(axis=0) == made.total).all()
    assert (made.tops[-1] == made.total).all()
    assert made.peak == made.total.argmax()
    assert [one.title for one in made.micro_batches] == ["Micro-batch 1", "Micro-batches 2 to 8"]
    assert made.phases[0].left == 0
    assert made.phases[-1].right == made.events
    assert made.title_at(10) == "Forward, micro-batch 1"
    assert made.title_at(199) == "Optimizer step"


def test_what_is_always_there_lies_below_what_varies_each_in_the_fixed_order() -> None:
    made = step()
    fixed = [name for name, size in zip(STACKED, made.fixed, strict=True) if size]
    assert fixed == ["parameters", "optimizer_state", "overhead"]
    assert list(made.layers[: len(fixed)]) == fixed
    rest = [STACKED.index(name) for name in made.layers[len(fixed) :]]
    assert rest == sorted(rest)
    assert (np.ptp(made.tops[: len(fixed)], axis=1) == 0).all()


def test_what_hangs_from_the_card_is_what_the_bar_shows_beside_the_step() -> None:
    shown = estimate()
    made = step_of(shown)
    assert made is not None
    assert made.capacity_bytes == shown.device.memory_bytes
    overhead, other = made.beside_bytes
    assert other == shown.device.used_bytes
    reserved, spare = shown.peak.reserved_bytes, shown.spare_bytes
    assert reserved is not None
    assert spare is not None
    assert reserved + overhead + other == (made.capacity_bytes or 0) - spare


def test_a_source_with_parameters_only_has_no_step() -> None:
    assert step_of(parameters_only()) is None


@example(points=15, pixels=9, start=0.0, share=1.0)
@given(st.integers(2, 700), st.integers(1, 300), st.floats(0, 0.9), st.floats(0.05, 1))
def test_columns_keep_the_highest_and_are_a_pixel_wide_at_least(
    points: int, pixels: int, start: float, share: float
) -> None:
    made = step(points)
    left = start * made.events
    right = min(float(made.events), left + max(1.0, share * made.events))
    edges, chosen = columns(made, left, right, pixels)
    assert len(edges) == len(chosen) + 1 <= pixels + 1
    inside = (made.at >= left) & (made.at < right)
    if inside.any():
        assert made.total[chosen].max() >= made.total[inside].max()
    assert np.diff(edges).min() >= (right - left) / pixels * (1 - 1e-6)
    assert edges[0] == pytest.approx(left)
    assert edges[-1] == right


def test_the_axis_is_cut_only_where_the_fixed_part_is_large() -> None:
    made = step()
    bottom, top = bounds(made, 0.0, cut=True)
    assert 0 < bottom < sum(made.fixed)
    assert bounds(made, 0.0, cut=False) == (0.0, top)
    assert top > (made.capacity_bytes or 0)
    assert top > made.total.max()
    varied = made.parts - made.parts.min(axis=1, keepdims=True)
    nothing_fixed = step_of(
        estimate().model_copy(
            update={
                "timeline": estimate().timeline.model_copy(
                    update={
                        "allocated_bytes": tuple(np.append([0] * 20, varied.sum(axis=0)).tolist()),
                        "by_category": {},
                    }
                )
            }
        )
    )
    assert nothing_fixed is not None
    assert bounds(nothing_fixed, 0.0, cut=True)[0] == 0


def test_a_runs_curve_lies_in_the_phases_it_was_measured_in() -> None:
    made, figures = step(), sample.figures(1.02)
    curves = measured_curves(made, figures)
    assert len(curves) == len(made.phases)
    for (x, _), stretch in zip(curves, made.phases, strict=True):
        assert stretch.left <= x[0] <= x[-1] < stretch.right
    # the last recorded micro-batch stands for the last that ran
    last_forward = [i for i, phase in enumerate(figures.curve_phases) if phase == "forward"][-40:]
    assert curves[2][1].tolist() == [figures.curve_bytes[i] for i in last_forward]
    assert measured_at(curves, 0.0) == figures.curve_bytes[0]
    assert measured_at([], 3.0) is None
    broken = figures.model_copy(update={"curve_phases": figures.curve_phases[:-1]})
    assert measured_curves(made, broken) == []


def test_the_table_has_the_peak_first_and_each_phase_at_its_highest() -> None:
    made = step()
    listed = rows(made)
    assert listed[0].moment.is_peak
    assert listed[0].title.startswith("Peak: Backward")
    assert [row.title for row in listed[1:]] == [
        "Forward, micro-batch 1",
        "Backward, micro-batch 1",
        "Forward, micro-batches 2 to 8",
        "Backward, micro-batches 2 to 8",
        "Optimizer step",
    ]
    for row, stretch in zip(listed[1:], made.phases, strict=True):
        assert row.moment.total_bytes == made.total[stretch.left : stretch.right].max()
        assert sum(row.moment.parts) == row.moment.total_bytes


def test_a_generation_s_tokens_are_counted_and_measured_ones_lie_where_they_belong() -> None:
    spans = (
        Span("load", 0, 0, 20),
        Span("prefill", 0, 20, 80),
        Span("decode", 0, 80, 120),
        Span("decode", 6, 120, 130),
        Span("decode", 7, 130, 200),
        Span("between_steps", 0, 200, 220),
    )
    shown = estimate()
    timeline = shown.timeline.model_copy(update={"phases": spans})
    made = step_of(shown.model_copy(update={"timeline": timeline}))
    assert made is not None
    titles = ["Prefill", "Decode, token 2", "Decode, tokens 3 to 8", "Decode, token 9", "End"]
    assert [one.title for one in made.phases] == titles
    assert [one.decodes for one in made.phases[1:4]] == [(0, 1), (1, 7), (7, 8)]
    curve = tuple(range(80))
    figures = sample.figures().model_copy(
        update={"curve_bytes": curve, "curve_phases": ("decode",) * 80}
    )
    pieces = [y.tolist() for _, y in measured_curves(made, figures)]
    assert pieces == [list(range(10)), list(range(10, 70)), list(range(70, 80))]
