"""From allocated memory to what the device will show: the allocator, and what lies beside it.

What torch's allocator reserves comes from a replay of the whole training loop; what the context,
libraries and other programs hold beside it are rows of a catalogue or of a measurement. Their sum
is a margin, and the verdict keeps its promise for the margin's high end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memplanner.errors import PlanError
from memplanner.estimate.allocator import (
    AllocatorSettings,
    LoopReplay,
    OutOfMemory,
    replay,
    training_loop,
)
from memplanner.estimate.allocator.growth import with_tokens
from memplanner.hardware.communication import communication
from memplanner.hardware.deepspeed_streams import deepspeed_streams
from memplanner.hardware.generated_kernels import generated_kernels
from memplanner.hardware.kernels import convolution_bytes
from memplanner.hardware.margin import Margin
from memplanner.hardware.overhead import driver_reserve, overhead, total
from memplanner.messages.device import Device
from memplanner.messages.estimate import OverheadRow, Verdict
from memplanner.messages.history import CalibrationRecord
from memplanner.plan import Plan
from memplanner.tape.tape import Tape
from memplanner.techniques.compilation import computes_again

REPLAYED_KINDS = frozenset({"cuda", "rocm"})
"""Of devices whose allocator is the one that is modelled (ROCm's is the same source)."""
RESERVED_SPREAD = 0.03
"""How far reserved memory may lie from the replay, as a part of it.

Kernels of other versions, workspaces that no rule states, loops that hold a tensor longer. It is
above the largest error of the public runs whose conditions are known (1.7 %, ``docs/accuracy.md``).
"""
_WHERE_IT_GROWS = (
    "Reserved memory is for the tokens that were recorded: what a growing cache splits the "
    "allocator's segments into between them is not replayed; a static cache has none of it."
)
_CONVOLUTION = "aten.convolution.default"
_CONVOLUTION_BACKWARD = "aten.convolution_backward.default"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDevice:
    """A step on a device: what is reserved, what lies beside it, and whether it fits."""

    replayed: LoopReplay | None
    """None where the device's allocator is not modelled."""
    overhead: tuple[OverheadRow, ...]
    device: Margin | None
    """What the whole device holds at the peak, other programs included."""
    capacity_bytes: int | None
    """What there is of the device's memory for all programs together."""
    verdict: Verdict | None
    calibrated_bytes: int | None
    """The expected figure as runs on this very card correct it; None without such runs."""
    failure: OutOfMemory | None = None
    """The allocation that fails on this device, all cached memory given back."""
    notes: tuple[str, ...] = ()
    """What is wrong with the run's settings, each in a sentence."""

    @property
    def reserved_bytes(self) -> int | None:
        """The highest that torch's allocator reserves."""
        return None if self.replayed is None else self.replayed.reserved_bytes


def on_device(
    tape: Tape,
    allocated_bytes: int,
    plan: Plan,
    device: Device,
    environment: Mapping[str, str],
    calibration: CalibrationRecord | None = None,
) -> OnDevice:
    """What ``device`` shows of the steady step ``tape`` and of the loop around it.

    ``environment`` is the run's: torch reads settings from it. Where they are malformed the
    figures are for torch's defaults, and a note says so.
    """
    memory = device.memory_bytes
    if device.kind not in REPLAYED_KINDS:
        return _by_allocated(allocated_bytes, device)
    measured = () if calibration is None else calibration.overhead
    rows = overhead(
        device, eager_loading=environment.get("CUDA_MODULE_LOADING") == "EAGER", measured=measured
    )
    rows += communication(plan.sharding)
    rows += deepspeed_streams(plan, int(tape.numel[tape.trainable].sum()))
    if plan.compilation.mode != "none" and plan.compilation.backend == "inductor":
        rows += (generated_kernels(allocated_bytes, recomputes=computes_again(plan)),)
    beside = total(rows)
    capacity_bytes = None if memory is None else memory - driver_reserve(device).high_bytes
    settings, notes = _settings(environment)
    loop = training_loop(
        tape,
        states_from_start=plan.optimizer.name == "adagrad",
        states_in_backward=plan.optimizer.update == "in_backward",
    )
    loop, filled = with_tokens(loop, tape)
    if not filled:
        notes = (*notes, _WHERE_IT_GROWS)
    replayed = replay(loop, settings, device_bytes=memory)
    failure = None
    if (
        capacity_bytes is not None
        and replayed.reserved_bytes + beside.expected_bytes > capacity_bytes
    ):
        limited = replay(
            loop,
            settings,
            limit_bytes=max(0, capacity_bytes - beside.expected_bytes),
            device_bytes=memory,
        )
        failure = limited.failure
        if failure is None:  # by giving cached memory back
            replayed = limited
    own = _spread(replayed.reserved_bytes, allocated_bytes, _convolution_scratch_bytes(tape))
    whole = own.plus(beside)
    correction = None if calibration is None else calibration.correction
    return OnDevice(
        replayed=replayed,
        overhead=rows,
        device=whole,
        capacity_bytes=capacity_bytes,
        verdict=_verdict(whole, capacity_bytes, retries=replayed.retries),
        calibrated_bytes=None
        if correction is None
        else correction.applied(replayed.reserved_bytes) + beside.expected_bytes,
        failure=failure,
        notes=notes,
    )


def _settings(environment: Mapping[str, str]) -> tuple[AllocatorSettings, tuple[str, ...]]:
    """The allocator's settings, or torch's defaults and why."""
    try:
        settings = AllocatorSettings.from_environment(environment)
    except PlanError as error:
        return AllocatorSettings(), (f"{error} Until then reserved memory is for its defaults.",)
    if settings.backend == "native":
        return settings, ()
    return settings.model_copy(update={"backend": "native"}), (
        f"What {settings.backend} reserves is not modelled; reserved memory is for torch's own "
        "allocator.",
    )


def _spread(reserved_bytes: int, allocated_bytes: int, scratch_bytes: int) -> Margin:
    """``scratch_bytes`` more at the high end, for what kernels may take and no rule states."""
    more = round(RESERVED_SPREAD * reserved_bytes)
    low = max(min(allocated_bytes, reserved_bytes), reserved_bytes - more)
    return Margin(low, reserved_bytes, reserved_bytes + more + scratch_bytes)


def _convolution_scratch_bytes(tape: Tape) -> int:
    """The most that one convolution may take inside itself (``hardware.kernels``).

    Its input and weight are as large as what its backward makes, its output is its forward's; of
    all convolutions the largest of each stand in for the largest one.
    """
    largest = {_CONVOLUTION: 0, _CONVOLUTION_BACKWARD: 0}
    for info, size in zip(tape.storages, tape.size_bytes.tolist(), strict=False):
        if info.operation in largest:
            largest[info.operation] = max(largest[info.operation], size)
    made, given = largest[_CONVOLUTION], largest[_CONVOLUTION_BACKWARD]
    return convolution_bytes(given, 0, made, channels_last=False, tensor_cores=True).high_bytes


def _verdict(whole: Margin, capacity_bytes: int | None, *, retries: int) -> Verdict | None:
    if capacity_bytes is None:
        return None
    if whole.expected_bytes > capacity_bytes:
        return "does_not_fit"
    return "fits" if whole.high_bytes <= capacity_bytes and not retries else "at_risk"


def _by_allocated(allocated_bytes: int, device: Device) -> OnDevice:
    """A CPU has no allocator of its own; of the rest what they hold beside tensors is not known."""
    free = device.free_bytes
    verdict: Verdict | None
    if free is None:
        verdict = None
    elif allocated_bytes > free:
        verdict = "does_not_fit"
    else:
        verdict = "fits" if device.kind == "cpu" else "at_risk"
    return OnDevice(
        replayed=None,
        overhead=(),
        device=None,
        capacity_bytes=device.memory_bytes,
        verdict=verdict,
        calibrated_bytes=None,
    )
