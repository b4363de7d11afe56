"""What the small engine of the window's tests finds when it searches: made up, and quick."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Iterator

from fake_figures import GIB, categories  # beside this file, which is a script's

from memplanner.messages import protocol
from memplanner.messages.cost import Quality, QualityReason, QualityRisk, StepTime, TimePart
from memplanner.messages.device import Device
from memplanner.messages.search import FoundPlan, PlanChange, SearchState, SmallestChange, Value
from memplanner.plan import Plan, difference

AXES: dict[str, tuple[tuple[str, Value, str], ...]] = {
    "activation_checkpointing": (
        ("activation_checkpointing.policy", "full", "every block"),
        ("activation_checkpointing.policy", "every_n", "every second block"),
    ),
    "loss": (("loss.method", "chunked", "loss in 8 chunks"),),
    "optimizer": (("optimizer.implementation", "bitsandbytes_8bit", "8-bit state"),),
    "training": (("training.batch_size", 4, "micro-batch 4"),),
    "precision": (("precision", "bf16_autocast", "bf16 autocast"),),
    "adapters": (("adapters.method", "lora", "adapters, rank 16"),),
}
_SAVES = {"full": 3, "every_n": 2, "chunked": 1, "bitsandbytes_8bit": 2, "lora": 5}
"""GiB."""
_SLOWER = {"full": 1.3, "every_n": 1.15, "bf16_autocast": 0.7, "lora": 0.75, 4: 0.9}
_RISKS: dict[Value, QualityRisk] = {
    "bitsandbytes_8bit": "small_change",
    "bf16_autocast": "small_change",
    "lora": "check_quality",
}
_ORDER = ("same_result", "small_change", "check_quality")


def time_of(plan: Plan, *, slower: float = 1.0) -> StepTime:
    training = plan.training
    tokens = training.batch_size * training.gradient_accumulation_steps * training.sequence_length
    seconds = tokens * slower / 6000
    return StepTime(
        seconds=seconds, low_seconds=seconds * 0.9, high_seconds=seconds * 1.1, unit="tokens",
        units=tokens, flops=10**15, moved_bytes=10**12, source="data_sheet", how="data sheet",
        parts=(TimePart(name="products", seconds=seconds),),
    )  # fmt: skip


def found_of(
    plan: Plan, changes: tuple[tuple[str, Value, str], ...], device: Device, *, best: bool = False
) -> FoundPlan:
    """A plan with ``changes``, each a key, a value and words."""
    changed = plan.with_values({key: value for key, value, _ in changes})
    parts = categories(changed)
    saved = sum(_SAVES.get(str(value), 0) for _, value, _ in changes) * GIB // 4
    parts = parts.model_copy(update={"optimizer_state": parts.optimizer_state - saved})
    size, memory = parts.total_bytes, device.memory_bytes or 0
    slower = 1.0
    for _, value, _ in changes:
        slower *= _SLOWER.get(value, 1.0)  # type: ignore[call-overload]  # text and numbers
    risk = max((_RISKS.get(value, "same_result") for _, value, _ in changes), key=_ORDER.index,
               default="same_result")  # fmt: skip
    words = {key: said for key, _, said in changes}
    spare = memory - size - device.used_bytes
    return FoundPlan(
        changes=tuple(
            PlanChange(key=one.key, before=one.before, after=one.after, words=words[one.key])
            for one in difference(plan, changed)
        ),
        device=device.selector,
        allocated_bytes=size,
        device_bytes=size,
        spare_bytes=spare,
        verdict="fits" if spare >= 0 else "does_not_fit",
        phase="backward",
        by_category=parts,
        time=time_of(changed, slower=slower),
        quality=Quality(
            risk=risk,
            reasons=()
            if risk == "same_result"
            else (QualityReason(section="optimizer", risk=risk, sentence="It rounds more."),),
        ),
        best=best,
    )


def search_of(
    request: protocol.SearchPlans, device: Device, waiting: queue.Queue[protocol.AnyRequest]
) -> Iterator[protocol.Reply]:
    """The replies to ``request``: a batch for each number of changes, until something is asked."""
    goal, plan = request.goal, request.plan
    allowed = [
        axis
        for section, axis in AXES.items()
        if (goal.techniques is None or section in goal.techniques)
        and not any(key in goal.pinned for key, _, _ in axis)
    ]
    lists: list[tuple[tuple[str, Value, str], ...]] = [()]
    for count in (1, 2, 3):
        for axes in itertools.combinations(allowed, count):
            lists += itertools.product(*axes)
    told: list[FoundPlan] = []
    stopped = False
    for start in range(0, len(lists), 12):
        batch = [
            found_of(plan, changes, device, best=place % 3 == 0)
            for place, changes in enumerate(lists[start : start + 12])
        ]
        kept = [one for one in batch
                if _ORDER.index(one.quality.risk) <= _ORDER.index(goal.worst_risk)]  # fmt: skip
        told += kept
        yield protocol.PlansFound(
            id=request.id, plans=tuple(kept), state=_state(told, len(lists), complete=False)
        )
        if not waiting.empty():
            if not isinstance(waiting.queue[0], protocol.StopSearch):
                yield protocol.Superseded(id=request.id)
                return
            stopped = True
            break
    fitting = [one for one in told if one.verdict == "fits" and one.time is not None]
    chosen = min(fitting, key=lambda one: one.time.seconds if one.time else 0.0, default=None)
    yield protocol.SearchEnded(
        id=request.id, state=_state(told, len(lists), complete=not stopped), chosen=chosen
    )


def _state(told: list[FoundPlan], possible: int, *, complete: bool) -> SearchState:
    fitting = sum(one.verdict == "fits" for one in told)
    return SearchState(
        tried=len(told), fitting=fitting, possible=possible, seconds=0.2, complete=complete
    )


def smallest_of(request: protocol.FindSmallestChange, device: Device) -> protocol.SmallestChanges:
    """Two changes; none where checkpointing is pinned."""
    plan = request.plan
    total = categories(plan).total_bytes
    fits = total <= (device.free_bytes or 0)
    checkpointing = AXES["activation_checkpointing"]
    if checkpointing[0][0] in request.goal.pinned:
        return protocol.SmallestChanges(id=request.id, changes=(), fits_already=fits)
    changes = (
        (checkpointing[1],),
        (checkpointing[0], AXES["loss"][0]),
    )
    return protocol.SmallestChanges(
        id=request.id,
        changes=tuple(
            SmallestChange(
                found=found_of(plan, one, device).model_copy(
                    update={"verdict": "fits", "spare_bytes": 5 * GIB}
                ),
                slower_by=-0.07 if fits else 0.15,
            )
            for one in changes
        ),
        fits_already=fits,
    )
