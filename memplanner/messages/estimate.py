"""An estimate as it is printed by ``--json``, kept, and shown. All sizes are bytes."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.cost import Quality, StepTime
from memplanner.messages.device import Device
from memplanner.plan import Plan

Phase = Literal[
    "load", "forward", "backward", "optimizer_step", "between_steps", "prefill", "decode"
]
"""``prefill`` and ``decode`` are those of generation: the prompt, and a token after the other."""
Moment = Literal["peak", "end_of_forward", "optimizer_step", "own_maximum"]
Verdict = Literal["fits", "at_risk", "does_not_fit"]
"""``fits`` is promised for the high value, ``at_risk`` holds for the expected one only."""

CollectiveKind = Literal[
    "all_gather", "reduce_scatter", "all_reduce", "all_to_all", "broadcast", "send"
]
Link = Literal["card", "node"]
"""Between cards of one node, or between nodes."""

CATEGORIES = (
    "parameters",
    "gradients",
    "optimizer_state",
    "activations",
    "temporaries",
    "workspaces",
    "buffers",
    "inputs",
    "kv_cache",
    "communication",
)
"""The order of categories everywhere."""


class Categories(Message):
    """Bytes by what they are for."""

    parameters: int = 0
    gradients: int = 0
    optimizer_state: int = 0
    activations: int = 0
    temporaries: int = 0
    workspaces: int = 0
    buffers: int = 0
    inputs: int = 0
    kv_cache: int = 0
    """What generation keeps of earlier tokens: keys and values, or a state."""
    communication: int = 0
    """Of sharded training: gathered parameters, and gradients in buckets to be reduced."""

    @property
    def total_bytes(self) -> int:
        """The sum of all categories."""
        return sum(getattr(self, name) for name in CATEGORIES)


class ModelInfo(Message):
    """What was opened."""

    name: str
    class_name: str = Field(alias="class")
    source: str
    kind: str
    parameters: int
    trainable_parameters: int
    buffers: int
    weights: Literal["real", "random"]
    """What ``apply`` trains on: the source's weights, or random ones."""
    max_sequence_length: int | None = None
    """The longest sequence that the model's positions allow; None without a limit."""
    takes_sequence: bool = True


class OverheadRow(Message):
    """A part of what a device holds beside torch's allocator."""

    name: str
    low_bytes: int
    expected_bytes: int
    high_bytes: int
    source: str


class AllocationFailure(Message):
    """The allocation at which the run would end on this device."""

    step: int
    """Counted from 0."""
    phase: Phase
    module: str
    requested_bytes: int


class AllocatorFigures(Message):
    """torch's allocator where reserved memory is highest, in a run from its start."""

    segments: int
    inactive_split_bytes: int
    """Free, but stuck in segments that are partly in use."""
    fragmentation: float
    """The share of reserved memory that is not allocated then, 0 to 1."""
    steps: int
    """How many were replayed, until one left the allocator as it found it."""
    retries: int
    """Allocations for which all cached memory had to be given back."""
    fails: AllocationFailure | None
    """None where none does, or the device's memory is not known."""


class Peak(Message):
    """The highest moment of a steady training step."""

    allocated_bytes: int
    reserved_bytes: int | None
    device_bytes: int | None
    """What the whole device holds, as expected."""
    phase: Phase
    module: str
    by_category: Categories
    device_low_bytes: int | None = None
    """The margin of ``device_bytes``."""
    device_high_bytes: int | None = None
    calibrated_bytes: int | None = None
    """``device_bytes`` as runs on this very card correct it."""


class Layer(Message):
    """One module's own bytes at one moment; a parent's children are rows of their own.

    So the rows add up to the whole. The row with the name ``""`` holds what belongs to the root
    module or to none.
    """

    name: str
    type: str
    parameters: int = 0
    parameters_bytes: int = 0
    gradients_bytes: int = 0
    optimizer_state_bytes: int = 0
    activations_bytes: int = 0
    temporaries_bytes: int = 0
    workspaces_bytes: int = 0
    buffers_bytes: int = 0
    inputs_bytes: int = 0
    kv_cache_bytes: int = 0
    communication_bytes: int = 0
    kept_bytes: int = 0
    """What the module keeps for backward, at the end of a forward."""
    alike: int = 1
    """How many blocks like this one's block stand in a row, from this row's block on; 1 alone."""
    trainable_parameters: int = 0
    """How many of ``parameters`` are trained."""
    dtypes: tuple[str, ...] = ()
    """Of the module's own parameters, as torch names them (``bfloat16``), sorted by name."""


class Part(Message):
    """What one of the models that are trained together takes at the peak."""

    name: str
    size_bytes: int


class RankFigures(Message):
    """The ranks of one pipeline stage: what each of them takes at its own peak, at most."""

    first: int
    """The one that was recorded: none of the others holds more."""
    count: int
    stage: int
    """Along the pipeline, counted from 0."""
    allocated_bytes: int
    reserved_bytes: int | None = None
    device_bytes: int | None = None
    device_high_bytes: int | None = None
    verdict: Verdict | None = None
    phase: Phase
    by_category: Categories
    parameters: int = 0
    """Elements of the parameters that these ranks have, whole ones, shared out or not."""
    blocks: tuple[tuple[int, int], ...] = ()
    """Of each of their stages: the first repeated block and the one after the last."""


class Traffic(Message):
    """What a rank sends in one optimizer step by one kind of collective, over one kind of link."""

    kind: CollectiveKind
    link: Link
    calls: int
    sent_bytes: int
    seconds: float | None = None
    """An estimate: the time it takes at the link's full rate; None where the rate is not known."""


class Span(NamedTuple):
    """A phase of the timeline: events ``start`` to ``stop`` (exclusive)."""

    phase: Phase
    micro_batch: int
    start: int
    stop: int


class Timeline(Message):
    """One steady step as a curve over allocation events.

    ``event[i]`` is the event's index; the value holds until the next one. When there are more
    events than points asked for, each point is the highest of its stretch.
    """

    events: int
    event: tuple[int, ...]
    allocated_bytes: tuple[int, ...]
    by_category: dict[str, tuple[int, ...]]
    phases: tuple[Span, ...]
    peak_event: int
    reserved_bytes: tuple[int, ...] = ()
    """The highest that torch's allocator reserves in each point's stretch; empty: not modelled."""


class Estimate(Message):
    """The answer to: what does a training step of this model under this plan take?"""

    schema_: int = Field(SCHEMA, alias="schema")
    model: ModelInfo
    device: Device
    plan: Plan
    peak: Peak
    layers: tuple[Layer, ...]
    timeline: Timeline
    fits: bool | None
    """Whether the verdict is ``fits``; None when the device's memory is not known."""
    spare_bytes: int | None
    """Memory left over on the device at the expected peak; negative: what is missing."""
    method: str
    notes: tuple[str, ...]
    seconds: float
    verdict: Verdict | None = None
    overhead: tuple[OverheadRow, ...] = ()
    """What the device holds beside torch's allocator."""
    allocator: AllocatorFigures | None = None
    """None where the device's allocator is not modelled."""
    host_bytes: int | None = None
    """The most that the plan puts into the host's memory; None where it puts nothing there."""
    rank: int = 0
    """Which rank these figures are of: the fullest, or the one that was asked for."""
    ranks: tuple[RankFigures, ...] = ()
    """All ranks of a sharded plan; empty on one card."""
    traffic: tuple[Traffic, ...] = ()
    """What this rank sends in an optimizer step."""
    states: tuple[Part, ...] = ()
    """DeepSpeed's own estimate of model states, and what leads from it to what is allocated.

    They add up to that; empty where DeepSpeed has no estimate.
    """
    parts: tuple[Part, ...] = ()
    """Teacher, student and their logits, where a plan distils; they add up to what is allocated."""
    time: StepTime | None = None
    """None where the device's rates are not known."""
    quality: Quality | None = None


class DeviceFigures(Message):
    """What the allocator and the device make of a step, apart from the rest of its estimate."""

    peak: Peak
    reserved_bytes: tuple[int, ...]
    """Along the timeline's points."""
    fits: bool | None
    spare_bytes: int | None
    verdict: Verdict | None
    overhead: tuple[OverheadRow, ...]
    allocator: AllocatorFigures | None
    host_bytes: int | None
    ranks: tuple[RankFigures, ...]
    traffic: tuple[Traffic, ...]
    time: StepTime | None
    notes: tuple[str, ...]

    def added_to(self, first: Estimate) -> Estimate:
        """The whole estimate, of which ``first`` has everything else."""
        curve = {"reserved_bytes": self.reserved_bytes}
        figures = {name: getattr(self, name) for name in type(self).model_fields}
        del figures["reserved_bytes"]
        timeline = first.timeline.model_copy(update=curve)
        return first.model_copy(update={**figures, "timeline": timeline})


class KeptTensor(Message):
    """A tensor that a module keeps for backward."""

    operation: str
    shape: tuple[int, ...]
    dtype: str
    size_bytes: int


class ParameterInfo(Message):
    """A parameter or buffer of a module."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    size_bytes: int
    trainable: bool


class ModuleDetail(Message):
    """What the panel of a selected module shows."""

    name: str
    type: str
    alike: int
    parameters: tuple[ParameterInfo, ...]
    kept: tuple[KeptTensor, ...]
    input_shapes: tuple[tuple[int, ...], ...] = ()
    output_shapes: tuple[tuple[int, ...], ...] = ()
    layer: Layer
    """The module with all that is below it, at the peak."""
    trains: bool = True
    """Whether anything can be kept for backward."""
