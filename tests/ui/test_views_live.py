from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memplanner.messages.device import Device
from memplanner.messages.run import RankRun, RunSample, RunStarted, RunStep
from memplanner.units import GIB
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.views.comparison import largest_difference, percent, rows
from memplanner_ui.views.live import LiveView
from memplanner_ui.views.live_data import LiveData, decimate, flat_left_out, prediction_of
from tests.ui import sample


def test_the_prediction_covers_a_step_in_order() -> None:
    made = prediction_of(sample.figures(), sample.MICRO_BATCHES)
    assert made.micro_batches == sample.MICRO_BATCHES
    assert made.stretches[0].left == 0
    assert made.stretches[-1].right == pytest.approx(1)
    for left, right in zip(made.stretches, made.stretches[1:], strict=False):
        assert left.right == pytest.approx(right.left)
    assert made.stretches[-1].phase == "optimizer_step"
    assert made.y.max() == max(sample.figures().curve_bytes)


def test_micro_batches_beyond_the_curve_repeat_its_last() -> None:
    whole = sample.figures()
    two = whole.model_copy(
        update={
            "curve_bytes": (*whole.curve_bytes[:160], *whole.curve_bytes[-12:]),
            "curve_phases": (*whole.curve_phases[:160], *whole.curve_phases[-12:]),
        }
    )
    made = prediction_of(two, sample.MICRO_BATCHES)
    assert made.stretches == prediction_of(whole, sample.MICRO_BATCHES).stretches


def test_without_a_curve_phases_are_as_high_as_predicted() -> None:
    bare = sample.figures().model_copy(update={"curve_bytes": (), "curve_phases": ()})
    made = prediction_of(bare, 1)
    assert [s.phase for s in made.stretches] == ["forward", "backward", "optimizer_step"]
    assert made.y.max() == bare.allocated_bytes


def _filled(steps: int = 3) -> LiveData:
    data = LiveData(sample.run_started(steps))
    for event in sample.run_samples(steps):
        if isinstance(event, RunSample):
            data.add(event)
    return data


def test_samples_lie_in_the_phase_they_were_taken_in() -> None:
    data = LiveData(sample.run_started(3))
    taken = [e for e in sample.run_samples(3) if isinstance(e, RunSample)]
    for event in taken:
        data.add(event)
    assert np.all(np.diff(data.x) >= 0)
    places = {(s.phase, s.micro_batch): s for s in data.prediction.stretches}
    for event, x in zip(taken, data.x, strict=True):
        stretch = places[(event.phase, event.micro_batch)]
        assert event.step - 1 + stretch.left - 1e-9 <= x <= event.step - 1 + stretch.right + 1e-9


def test_a_step_that_is_counted_early_stays_in_order() -> None:
    data = LiveData(sample.run_started(3))
    taken = [e for e in sample.run_samples(2) if isinstance(e, RunSample)]
    second = next(place for place, e in enumerate(taken) if e.step == 2)
    early = taken[second - 1].model_copy(update={"step": 2})
    assert early.phase == "optimizer_step"
    for event in (*taken[:second], early, *taken[second:]):
        data.add(event)
    assert np.all(np.diff(data.x) >= 0)
    assert data.x[second] <= 1.0
    assert data.step == 2


def _two_ranks() -> tuple[RunStarted, list[RunSample]]:
    """A run whose second rank is predicted to take half of the first's, and does."""
    started = sample.run_started(2)
    half = sample.figures().model_copy(
        update={
            "allocated_bytes": started.predicted.allocated_bytes // 2,
            "curve_bytes": tuple(value // 2 for value in started.predicted.curve_bytes),
        }
    )
    ranks = (RankRun(rank=0, predicted=half), RankRun(rank=1, predicted=started.predicted))
    taken = [e for e in sample.run_samples(2) if isinstance(e, RunSample)]
    events = [
        event.model_copy(
            update={
                "rank": rank,
                "allocated_bytes": event.allocated_bytes // (2 - rank),
                "highest_bytes": event.highest_bytes // (2 - rank),
            }
        )
        for event in taken
        for rank in (0, 1)
    ]
    return started.model_copy(update={"ranks": ranks}), events


def test_every_rank_has_a_curve_over_its_prediction(qtbot: QtBot) -> None:
    view = LiveView()
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    started, events = _two_ranks()
    view.handle(started)
    for event in events:
        view.handle(event)
    view.ranges.choose("run")
    view.plot.refresh()
    words = view.plot.accessibleDescription()
    assert "rank 1 " in words
    assert "rank 0 " in words
    lines = view.plot._others
    assert [each.rank for each in lines.ranks] == [0]
    assert lines.ranks[0].data.count == len(events) // 2
    high = [float(np.max(curve.yData)) for curve in (lines._measured[0], view.plot._allocated)]
    assert high[0] == pytest.approx(high[1] / 2, rel=0.01)
    assert len(lines._predicted[0].yData) > 0
    view.plot.set_line("allocated", False)
    assert "rank" not in view.plot.accessibleDescription()


def test_the_table_names_every_rank() -> None:
    started, _ = _two_ranks()
    result = sample.run_result().model_copy(update={"ranks": started.ranks})
    *_, heading, first, second = rows(result)
    assert heading.heading
    assert [first.title, second.title] == ["Rank 0", "Rank 1"]
    assert second.predicted_bytes == started.predicted.allocated_bytes
    assert second.measured_bytes is None


def test_samples_outgrow_no_array() -> None:
    data = _filled(30)
    assert data.count == 30 * 17 * 20
    assert np.isfinite(data.allocated).all()


def test_what_comes_before_the_first_step_has_no_place() -> None:
    data = LiveData(sample.run_started())
    first = next(e for e in sample.run_samples(1) if isinstance(e, RunSample))
    data.add(first.model_copy(update={"phase": "load", "step": 0}))
    assert data.count == 0


@given(
    st.lists(st.floats(0, 1e12), min_size=1, max_size=400),
    st.integers(1, 60),
)
def test_decimation_keeps_extremes_in_two_points_a_pixel(values: list[float], pixels: int) -> None:
    y = np.array(values)
    x = np.linspace(0, 1, len(y))
    dx, dy = decimate(x, y, y, 0.0, 1.0, pixels)
    assert len(dx) == len(dy) <= 2 * (pixels + 2)
    assert dy.min() == y.min()
    assert dy.max() == y.max()
    assert np.all(np.diff(dx) >= 0)


@given(st.lists(st.integers(0, 3), max_size=60))
def test_the_same_line_is_drawn_without_points_in_level_stretches(values: list[int]) -> None:
    x, y = np.arange(float(len(values))), np.array(values, np.float64)
    fx, fy = flat_left_out(x, y)
    assert np.array_equal(np.interp(x, fx, fy) if len(x) else fy, y)
    assert not any(a == b == c for a, b, c in zip(fy, fy[1:], fy[2:], strict=False))


def test_a_prediction_is_repeated_once_for_many_frames() -> None:
    data = LiveData(sample.run_started())
    first = data.predicted_between(0.0, 3.0, 400)
    assert data.predicted_between(0.0, 3.0, 400) is first
    other = data.predicted_between(0.0, 2.0, 400)
    assert other[0].max() <= 2.0 < first[0].max()


def test_decimation_leaves_out_what_is_not_known() -> None:
    y = np.array([np.nan, 2.0, np.nan, 4.0])
    _, dy = decimate(np.arange(4.0), y, y, 0.0, 3.0, 100)
    assert dy.tolist() == [2.0, 4.0]


@pytest.fixture
def view(qtbot: QtBot, qapp: QApplication) -> LiveView:
    apply_theme(qapp, "light")
    made = LiveView()
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    return made


def test_a_whole_run_ends_in_a_table(qtbot: QtBot, view: LiveView) -> None:
    for event in sample.run_events(2):
        view.handle(event)
    assert view.plot.accessibleDescription().startswith("Step 2 of 2, device 75.4 GiB")
    table = {view.table.text_of(row, 0): row for row in range(view.table.model().rowCount())}
    assert view.table.text_of(table["Parameters"], 4) == "0.0 %"
    assert view.table.text_of(table["Activations"], 4) == "−1.5 %"
    assert view.table.text_of(table["Activations"], 3) == "+146 MiB"
    assert {"Allocated at the peak", "Forward", "Backward", "Optimizer step"} <= table.keys()
    assert view.table.isVisible()


def test_curves_follow_the_samples_and_toggles(qtbot: QtBot, view: LiveView) -> None:
    view.start(sample.run_started())
    events = list(sample.run_samples(2))
    for event in events:
        view.handle(event)
    curve = view.plot._allocated

    def highest() -> float:
        ys = curve.getData()[1]
        return 0.0 if ys is None or not len(ys) else float(ys.max())

    measured = max(e.highest_bytes for e in events if isinstance(e, RunSample) and e.step == 2)
    qtbot.waitUntil(lambda: highest() == measured)
    view.plot.set_line("allocated", False)
    assert highest() == 0
    assert "allocated" not in view.plot.accessibleDescription()


def test_what_is_below_the_allocated_curve_is_tinted(qtbot: QtBot, view: LiveView) -> None:
    view.start(sample.run_started(1))
    for event in sample.run_samples(1):
        view.handle(event)
    view.show()
    view._draw(force=True)
    qtbot.wait(50)
    plot = view.plot
    image = plot._plot.grab().toImage()
    curve = plot._allocated
    x, y = curve.getData()
    middle = len(x) // 2
    at = plot._box.mapViewToDevice(QPointF(float(x[middle]), float(y[middle])))
    tint = image.pixelColor(round(at.x()), image.height() - 40)
    assert tint != image.pixelColor(round(at.x()), round(at.y()) - 12)
    plot.set_line("allocated", False)
    bare = plot._plot.grab().toImage()
    assert bare.pixelColor(round(at.x()), image.height() - 40) != tint


def test_drawing_costs_two_points_a_pixel_at_most(qtbot: QtBot, view: LiveView) -> None:
    view.start(sample.run_started())
    for event in sample.run_samples(30):
        view.handle(event)
    view.ranges.choose("run")
    view._draw(force=True)
    for curve in (view.plot._allocated, view.plot._predicted, view.plot._reserved):
        assert len(curve.getData()[0]) <= 2 * (view.width() + 2)


def test_the_cpu_has_a_process_and_no_reserved(qtbot: QtBot, view: LiveView) -> None:
    device = Device(name="cpu", kind="cpu", memory_bytes=16 * GIB)
    view.start(sample.run_started().model_copy(update={"device": device}))
    one = next(e for e in sample.run_samples(1) if isinstance(e, RunSample))
    view.handle(one.model_copy(update={"reserved_bytes": None}))
    view._draw(force=True)
    words = view.plot.accessibleDescription()
    assert "process" in words
    assert "reserved" not in words


def test_clear_forgets_and_stops_drawing(qtbot: QtBot, view: LiveView) -> None:
    for event in sample.run_events(1):
        view.handle(event)
    view.clear()
    assert view.plot.accessibleDescription() == "No run yet"
    assert view.table.model().rowCount() == 0
    assert not view.table.isVisible()
    assert not view._timer.isActive()


def test_a_run_that_failed_early_shows_what_is_known(qtbot: QtBot, view: LiveView) -> None:
    view.start(sample.run_started())
    lost = sample.run_result().model_copy(
        update={"outcome": "out_of_memory", "measured": None, "error": None}
    )
    view.handle(lost)
    assert view.table.text_of(0, 2) == "–"
    assert view.table.text_of(0, 4) == "–"
    assert largest_difference(lost) is None


def test_the_largest_difference_is_by_bytes() -> None:
    worst = largest_difference(sample.run_result())
    assert worst is not None
    assert worst.title == "Activations"


def test_sums_of_the_table_are_those_of_the_figures() -> None:
    result = sample.run_result()
    parts = [row for row in rows(result) if row.part]
    assert sum(row.predicted_bytes or 0 for row in parts) == result.predicted.allocated_bytes
    assert result.measured is not None
    assert sum(row.measured_bytes or 0 for row in parts) == result.measured.allocated_bytes


@pytest.mark.parametrize(
    ("error", "text"),
    [(None, "–"), (0.0, "0.0 %"), (-0.0004, "0.0 %"), (0.0314, "+3.1 %"), (-0.118, "−11.8 %")],
)
def test_errors_carry_their_sign(error: float | None, text: str) -> None:
    assert percent(error) == text


def test_steps_are_not_samples() -> None:
    assert sum(isinstance(event, RunStep) for event in sample.run_samples(3)) == 3
