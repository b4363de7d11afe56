"""How figures were made: every part that is told adds up to the figure, and all is said."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from memplanner.messages.cost import Quality, QualityReason, StepTime, TimePart
from memplanner.messages.effects import OptionEffect
from memplanner.messages.estimate import Estimate
from memplanner.messages.search import FoundPlan, PlanChange
from memplanner.messages.sensitivity import BitsChoice, LayerSensitivity, Sensitivity
from memplanner.plan import Plan
from memplanner.report.explained import (
    Explanation,
    Row,
    as_text,
    cost,
    explanations,
    found,
    memory,
    parts,
    runs,
)
from memplanner.report.parts import around_rows, margin_bytes, whole_peak_bytes
from memplanner.units import GIB, MIB, THIN_SPACE, format_bytes, parse_bytes
from tests.ui import sample
from tests.ui.fake_history import kept_run

TIME = StepTime(
    seconds=1.5,
    low_seconds=1.2,
    high_seconds=2.0,
    unit="tokens",
    units=4096,
    flops=2 * 10**14,
    moved_bytes=300 * GIB,
    parts=(
        TimePart(name="products", seconds=0.9),
        TimePart(name="other_kernels", seconds=0.6),
        TimePart(name="launches", seconds=1e-6),
    ),
    source="data_sheet",
    how="Rates of the card by its data sheet.",
    energy_joules=1050.0,
)


@pytest.fixture(scope="module")
def estimate() -> Estimate:
    quality = Quality(
        risk="small_change",
        reasons=(QualityReason(section="precision", risk="small_change", sentence="A paper."),),
    )
    made = sample.estimate()
    return made.model_copy(update={"time": TIME, "quality": quality, "host_bytes": 3 * GIB})


def exact_bytes(rows: Sequence[Row]) -> int:
    """The sum of the bytes that notes tell exactly."""
    told = [row.note.removesuffix(" bytes") for row in rows if row.note.endswith(" bytes")]
    return sum(int(words.replace(THIN_SPACE, "")) for words in told)


def test_what_is_around_the_tensors_makes_up_the_peak(estimate: Estimate) -> None:
    told = memory.of_peak(estimate)
    assert told.figure == format_bytes(whole_peak_bytes(estimate))
    around = [row for row in around_rows(estimate) if row.size_bytes]
    assert [row.title for row in told.rows] == ["Tensors", *(row.title for row in around)]
    whole = exact_bytes(told.rows[:1]) + sum(row.size_bytes for row in around)
    assert whole == whole_peak_bytes(estimate)
    low, high = margin_bytes(estimate) or (0, 0)
    assert f"{format_bytes(low)} low" in told.margin
    assert f"{format_bytes(high)} high" in told.margin
    assert f"CUDA context: {estimate.overhead[0].source}" in told.sources


def test_figures_before_the_allocator_is_replayed_say_what_they_leave_out(
    estimate: Estimate,
) -> None:
    nothing = dict.fromkeys(
        ("reserved_bytes", "device_bytes", "device_low_bytes", "device_high_bytes")
    )
    peak = estimate.peak.model_copy(update=nothing)
    first = estimate.model_copy(
        update={"peak": peak, "overhead": (), "spare_bytes": None, "verdict": None}
    )
    told = memory.of_verdict(first)
    assert "not known" in told.figure
    assert "not known" in told.margin
    assert told.rows[1].title == "What tensors take at the peak"
    on_cpu = first.model_copy(update={"device": first.device.model_copy(update={"kind": "cpu"})})
    assert memory.of_peak(on_cpu).margin.startswith("none")


@pytest.mark.parametrize("name", ["parameters", "gradients", "optimizer_state", "activations"])
def test_kinds_of_modules_make_up_a_category(estimate: Estimate, name: str) -> None:
    told = memory.of_category(estimate, name)
    size_bytes = getattr(estimate.peak.by_category, name)
    assert told.figure == format_bytes(size_bytes)
    kinds = [row for row in told.rows if not row.title.startswith("For each")]
    step = GIB // 10  # of what is printed
    total = sum(parse_bytes(row.value) for row in kinds)
    assert abs(total - size_bytes) <= len(kinds) * step / 2
    assert "none of its own" in told.margin


def test_bytes_a_parameter_are_those_of_its_type(estimate: Estimate) -> None:
    row = memory.of_category(estimate, "parameters").rows[-1]
    assert row.value == "2.00 B"  # bf16


def test_every_figure_of_an_estimate_is_told_with_its_margin(estimate: Estimate) -> None:
    told = explanations(estimate)
    assert [one.title for one in told[:2]] == [
        "Verdict",
        "Peak on H100 80GB, in backward of lm_head",
    ]
    held = memory.categories_held(estimate)
    assert len(told) == 2 + len(held) + 3  # and the host, the time, the quality
    for one in told:
        assert one.how
        assert one.margin
        assert one.page
    text = as_text(told)
    assert all(one.heading in text for one in told)
    assert "arXiv" not in text or "Source" in text


def test_parts_of_a_step_make_up_its_time_and_what_is_nothing_is_left_out() -> None:
    told = cost.of_step(TIME)
    assert told.figure == "1.5 s"
    assert [row.note for row in told.rows[:2]] == ["60 %", "40 %"]
    assert all(row.title != "Starting kernels" for row in told.rows)
    assert "1.2 s low, 1.5 s expected, 2.0 s high" in told.margin
    assert told.sources == (TIME.how,)
    measured = cost.of_step(TIME.model_copy(update={"source": "measured"}))
    assert "median of the steps that ran here" in measured.how


def test_an_effect_is_the_difference_of_the_two_peaks_it_names() -> None:
    effect = OptionEffect(
        key="training.batch_size",
        value=2,
        kind="takes",
        allocated_bytes=12 * GIB,
        allocated_difference_bytes=2 * GIB,
        time_change=0.07,
    )
    told = cost.of_effect(effect, "Micro-batch: 2")
    assert told.figure == "+2.0 GiB"
    assert [row.value for row in told.rows] == ["10.0 GiB", "12.0 GiB", "+7.0 %"]
    refused = effect.model_copy(
        update={"kind": "refused", "refused": "it cannot be", "needs": "adapters.method=lora"}
    )
    assert "adapters.method=lora" in cost.of_effect(refused, "x").how


def test_a_comparison_says_the_error_that_its_numbers_have() -> None:
    told = runs.of_comparison("Parameters", 103 * MIB, 100 * MIB, sample.card())
    assert told.figure == "+3.0 %"
    assert [row.value for row in told.rows] == ["103 MiB", "100 MiB",
                                                "−3 MiB", "+3.0 %"]  # fmt: skip
    assert "allocator" in told.how
    on_cpu = runs.how_measured(sample.card().model_copy(update={"kind": "cpu"}))
    assert "storages alive" in on_cpu
    unknown = runs.of_comparison("Reserved", None, 5, sample.card())
    assert unknown.figure == "–"


def test_a_past_run_tells_how_its_prediction_was_made() -> None:
    run = kept_run(1)
    told = runs.of_past_run(run)
    assert format_bytes(run.predicted.allocated_bytes) in told.text()
    assert format_bytes(run.measured.allocated_bytes) in told.text()
    assert run.model in told.how
    if run.method:
        assert any("Prediction" in source for source in told.sources)


def test_a_found_plan_without_a_replay_says_that_the_device_holds_more(estimate: Estimate) -> None:
    plan = FoundPlan(
        changes=(PlanChange(key="precision", before="bf16", after="fp32", words="fp32"),),
        device="H100 80GB",
        allocated_bytes=estimate.peak.allocated_bytes,
        phase="backward",
        by_category=estimate.peak.by_category,
        quality=Quality(risk="same_result"),
    )
    told = found.of_found(plan, plan.allocated_bytes)
    assert told.title == "Peak with fp32"
    assert "≥" in told.how
    assert exact_bytes(told.rows) == plan.allocated_bytes


def test_a_layer_s_bits_are_told_with_what_they_lose() -> None:
    layer = LayerSensitivity(
        name="mlp",
        weights=1000,
        choices=(BitsChoice(value="4", size_bytes=500, output_error=0.05, loss_rise=0.01),),
    )
    measured = Sensitivity(
        data="alice.txt", unit="tokens", count=64, loss=3.0, other_bytes=0, layers=(layer,),
        seconds=1.0,
    )  # fmt: skip
    (row,) = found.of_sensitivity(measured, layer).rows
    assert (row.title, row.value, row.note) == ("4", "500 B", "output error 0.05, loss +0.01")


def test_a_moment_is_the_sum_of_its_parts(estimate: Estimate) -> None:
    told = parts.of_moment(estimate, "Forward", 7, [("Parameters", GIB), ("Inputs", 0)],
                           is_peak=False)  # fmt: skip
    assert told.figure == "1.0 GiB"
    assert [row.title for row in told.rows] == ["Parameters"]


def test_what_a_step_takes_in_is_the_product_of_what_the_plan_says() -> None:
    plan = Plan().with_values({"training.batch_size": 2, "training.sequence_length": 100})
    told = cost.of_intake(plan, "tokens", 200)
    assert [row.value for row in told.rows] == ["2", "100", "1", "1"]


def test_text_has_every_row_and_source() -> None:
    one = Explanation("A", "1", "Counted.", (Row("part", "1", "noted"),), "none.", ("here",))
    assert one.text() == "A: 1\nCounted.\n  part  1  noted\nMargin: none.\nSource: here"
