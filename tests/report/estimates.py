"""Estimates made of messages alone, for what is written about them."""

from __future__ import annotations

from memplanner.messages.cost import StepTime, TimePart
from memplanner.messages.device import Device
from memplanner.messages.estimate import (
    CATEGORIES,
    Categories,
    Estimate,
    Layer,
    ModelInfo,
    OverheadRow,
    Peak,
    Span,
    Timeline,
)
from memplanner.messages.run import RunFigures, RunResult
from memplanner.plan import Plan
from memplanner.units import GIB, MIB

CARD = Device(name="H100 80GB", kind="cuda", memory_bytes=80 * GIB, used_bytes=GIB // 2)
PLAN = Plan.parse({"training": {"batch_size": 1, "sequence_length": 128}})
BLOCKS = 3


def layers(scale: int = 1) -> tuple[Layer, ...]:
    """A table of an embedding, three blocks and a head; activations grow with ``scale``."""
    blocks = [
        Layer(
            name=f"model.layers.{index}.mlp",
            type="MLP",
            parameters=GIB,
            parameters_bytes=2 * GIB,
            gradients_bytes=2 * GIB,
            activations_bytes=scale * GIB,
            kept_bytes=scale * GIB,
            alike=BLOCKS - index,
        )
        for index in range(BLOCKS)
    ]
    return (
        Layer(name="", type="Small", temporaries_bytes=300 * MIB, inputs_bytes=4096),
        Layer(name="model.embed", type="Embedding", parameters=7, parameters_bytes=GIB),
        *blocks,
        Layer(name="head", type="Linear", parameters=9, parameters_bytes=GIB, workspaces_bytes=77),
    )


def figures(rows: tuple[Layer, ...]) -> Categories:
    sums = {name: sum(getattr(row, f"{name}_bytes") for row in rows) for name in CATEGORIES}
    return Categories(**sums)


def timeline(parts: Categories) -> Timeline:
    """A forward that fills activations, a backward that empties them, and an optimizer step."""
    fixed = parts.parameters + parts.gradients
    rest = parts.total_bytes - fixed
    shares = (0, 2, 4, 6, 8, 10, 7, 4, 2, 1, 1)
    totals = tuple(fixed + rest * share // 10 for share in shares)
    return Timeline(
        events=len(shares),
        event=tuple(range(len(shares))),
        allocated_bytes=totals,
        by_category={
            "parameters": (parts.parameters,) * len(shares),
            "gradients": (parts.gradients,) * len(shares),
            "activations": tuple(total - fixed for total in totals),
        },
        phases=(
            Span("forward", 0, 0, 5),
            Span("backward", 0, 5, 9),
            Span("optimizer_step", 0, 9, 11),
        ),
        peak_event=5,
        reserved_bytes=tuple(total + 100 * MIB for total in totals),
    )


def time(seconds: float, units: int = 128) -> StepTime:
    return StepTime(
        seconds=seconds,
        low_seconds=seconds * 0.8,
        high_seconds=seconds * 1.3,
        unit="tokens",
        units=units,
        flops=10**12,
        moved_bytes=GIB,
        parts=(TimePart(name="products", seconds=seconds),),
        source="data_sheet",
        how="Rates of the data sheet.",
    )


def estimate(
    scale: int = 1,
    plan: Plan = PLAN,
    *,
    name: str = "small",
    seconds: float | None = None,
    notes: tuple[str, ...] = (),
) -> Estimate:
    rows = layers(scale)
    parts = figures(rows)
    allocated = parts.total_bytes
    reserved = allocated + 100 * MIB
    whole = reserved + 500 * MIB + CARD.used_bytes
    capacity = CARD.memory_bytes or 0
    return Estimate(
        model=ModelInfo(
            name=name,
            class_name="Small",
            source="preset:small",
            kind="preset",
            parameters=3 * GIB,
            trainable_parameters=3 * GIB,
            buffers=0,
            weights="random",
        ),
        device=CARD,
        plan=plan,
        peak=Peak(
            allocated_bytes=allocated,
            reserved_bytes=reserved,
            device_bytes=whole,
            device_low_bytes=whole - GIB,
            device_high_bytes=whole + GIB,
            phase="backward",
            module="head",
            by_category=parts,
        ),
        layers=rows,
        timeline=timeline(parts),
        fits=whole + GIB <= capacity,
        spare_bytes=capacity - whole,
        verdict="fits" if whole + GIB <= capacity else "does_not_fit",
        overhead=(
            OverheadRow(
                name="CUDA context",
                low_bytes=400 * MIB,
                expected_bytes=500 * MIB,
                high_bytes=600 * MIB,
                source="the catalogue",
            ),
        ),
        method="recorded on meta tensors",
        notes=notes,
        seconds=0.31,
        time=None if seconds is None else time(seconds),
    )


def run(made: Estimate, measured_share: float = 1.0) -> RunResult:
    """A run of an estimate's plan that took a share of what was predicted."""

    def told(share: float) -> RunFigures:
        parts = made.peak.by_category
        moved = parts.model_copy(update={"activations": round(parts.activations * share)})
        return RunFigures(
            allocated_bytes=moved.total_bytes,
            phase="backward",
            by_category=moved,
            by_phase={"forward": moved.total_bytes - MIB, "backward": moved.total_bytes},
        )

    predicted, measured = told(1.0), told(measured_share)
    return RunResult(
        outcome="finished",
        sentence="3 steps ran as planned.",
        model=made.model,
        device=made.device,
        plan=made.plan,
        predicted=predicted,
        measured=measured,
        error=predicted.allocated_bytes / measured.allocated_bytes - 1,
        steps=3,
        losses=(3.0, 2.0, 1.0),
        step_seconds=(1.0, 1.0, 1.0),
        seconds=4.0,
    )
