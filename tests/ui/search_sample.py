"""Plans that a search might have found, for the tests of its views."""

from __future__ import annotations

from memplanner.messages.cost import Quality, QualityRisk, StepTime
from memplanner.messages.device import Device
from memplanner.messages.estimate import Categories, Verdict
from memplanner.messages.search import FoundPlan, PlanChange
from memplanner.plan import Plan
from memplanner.units import GIB
from memplanner_ui.views.search_data import FoundPlans

CARD = Device(name="card", kind="cuda", memory_bytes=24 * GIB, architecture="9.0")
FULL = ("activation_checkpointing.policy", "none", "full", "every block")
CHUNKS = ("loss.method", "whole", "chunked", "loss in 8 chunks")
BATCH = ("training.batch_size", 1, 4, "micro-batch 4")


def step(seconds: float, units: int = 2048) -> StepTime:
    return StepTime(
        seconds=seconds, low_seconds=seconds, high_seconds=seconds, unit="tokens", units=units,
        flops=1, moved_bytes=1, parts=(), source="data_sheet", how="",
    )  # fmt: skip


def plan_found(
    *changes: tuple[str, object, object, str],
    gib: float,
    seconds: float | None = 1.0,
    units: int = 2048,
    risk: QualityRisk = "same_result",
    best: bool = True,
    settled: bool = True,
) -> FoundPlan:
    size = round(gib * GIB)
    verdict: Verdict = "fits" if size <= 24 * GIB else "does_not_fit"
    return FoundPlan(
        changes=tuple(
            PlanChange(key=key, before=before, after=after, words=said)  # type: ignore[arg-type]  # values of a plan
            for key, before, after, said in changes
        ),
        device="card",
        allocated_bytes=size - GIB,
        device_bytes=size if settled else None,
        spare_bytes=24 * GIB - size if settled else None,
        verdict=verdict if settled else None,
        phase="backward",
        by_category=Categories(parameters=size - 2 * GIB, activations=GIB),
        time=None if seconds is None else step(seconds, units),
        quality=Quality(risk=risk),
        best=best,
    )


OWN = plan_found(gib=30, seconds=2.0)
PLANS = (
    plan_found(FULL, gib=20, seconds=2.6),
    plan_found(FULL, CHUNKS, gib=18, seconds=2.8),
    plan_found(CHUNKS, gib=27, seconds=2.1, best=False),
    plan_found(FULL, gib=12, seconds=1.5, risk="check_quality").model_copy(
        update={
            "changes": (
                PlanChange(key="adapters.method", before="none", after="lora", words="adapters"),
            )
        }
    ),
)


def found_plans(*plans: FoundPlan) -> FoundPlans:
    found = FoundPlans()
    found.begin(Plan(), CARD, OWN)
    found.add(plans or PLANS)
    return found
