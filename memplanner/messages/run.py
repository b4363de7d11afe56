"""What ``apply`` says while it runs, one message a line, and its result at the end."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.device import Device
from memplanner.messages.estimate import Categories, ModelInfo, Phase
from memplanner.plan import Plan

Outcome = Literal["finished", "stopped", "out_of_memory", "failed"]


class RunStarted(Message):
    """The worker is up; the prediction it will be held against."""

    kind: Literal["started"] = "started"
    model: ModelInfo
    device: Device
    plan: Plan
    steps: int
    process_id: int
    data: str
    """What it trains on, in words: ``notes.txt, 12 800 tokens`` or ``generated tokens``."""
    predicted: RunFigures
    """Over several cards that of the fullest rank."""
    ranks: tuple[RankRun, ...] = ()
    """Every rank, in order, of a plan over several cards."""


class RunProgress(Message):
    """Something was done: a line of the progress list."""

    kind: Literal["progress"] = "progress"
    seconds: float
    title: str
    detail: str = ""


class RunSample(Message):
    """Memory at one moment, from the sampler."""

    kind: Literal["sample"] = "sample"
    seconds: float
    """Since the worker started."""
    allocated_bytes: int
    """CUDA: torch's counter. CPU: storages alive, seen by a dispatch mode."""
    highest_bytes: int
    """The highest allocated since the last sample."""
    reserved_bytes: int | None
    """CUDA only."""
    device_bytes: int | None
    """CUDA: used on the whole device (NVML). CPU: the process's resident memory."""
    phase: Phase
    step: int
    micro_batch: int
    rank: int = 0
    """Of the cards that the plan shards over."""


class RunStep(Message):
    """An optimizer step ended."""

    kind: Literal["step"] = "step"
    seconds: float
    step: int
    loss: float | None
    """None where nothing is trained."""
    step_seconds: float
    peak_bytes: int
    per_second: float | None = None
    """Tokens written, or samples taken, where nothing is trained."""
    terms: dict[str, float] = Field(default_factory=dict)
    """What the loss is the weighted sum of, before it is weighed; empty for one term."""
    rank: int = 0
    """Over several cards the fullest; the loss is the mean over ranks that have one."""
    rank_peaks_bytes: tuple[int, ...] = ()
    """Every rank's, in order, over several cards."""


class RunFigures(Message):
    """A peak and its parts, predicted or measured."""

    allocated_bytes: int
    reserved_bytes: int | None = None
    device_bytes: int | None = None
    phase: Phase
    by_category: Categories
    by_phase: dict[Phase, int]
    """The highest allocated in each phase."""
    curve_bytes: tuple[int, ...] = ()
    """Allocated along one steady step, at most some thousand points."""
    curve_phases: tuple[Phase, ...] = ()
    """The phase of each point of the curve."""


class RankRun(Message):
    """One rank of a run over several cards: predicted against measured."""

    rank: int
    stage: int = 0
    """Along the pipeline, counted from 0."""
    process_id: int | None = None
    """While it runs."""
    predicted: RunFigures
    measured: RunFigures | None = None
    error: float | None = None
    """(predicted − measured) / measured of the allocated peak."""


class LayerQuality(Message):
    """One layer that compression has changed."""

    name: str
    type: str
    """Of the layer as it is now."""
    output_error: float
    """‖y′ − y‖ / ‖y‖ of its outputs for the inputs it had in the uncompressed model."""
    before_bytes: int
    """What its own tensors take."""
    after_bytes: int


class QualityFigures(Message):
    """The model before or after compression."""

    loss: float | None
    """The mean over all that was judged; None for a model that has none."""
    perplexity: float | None
    """exp(loss); None where the loss is not that of the next token."""
    memory_bytes: int
    """Parameters and buffers, each storage once."""
    disk_bytes: int
    """Its safetensors file, header included."""
    per_second: float | None
    """Tokens or samples, forward alone; None where it was not on the run's device."""


class QualityReport(Message):
    """What compression costs and saves, on the source's own weights, before training goes on."""

    data: str
    """What it was judged on, in words."""
    unit: Literal["tokens", "samples"]
    count: int
    """How many of the unit were judged."""
    before: QualityFigures
    after: QualityFigures
    layers: tuple[LayerQuality, ...]
    """The layers that changed but kept their shape, in the model's order; empty where some went."""
    seconds: float


class RunResult(Message):
    """The end of a run: predicted against measured."""

    kind: Literal["result"] = "result"
    schema_: int = Field(SCHEMA, alias="schema")
    outcome: Outcome
    sentence: str
    """What happened, and for anything but ``finished`` what to change."""
    model: ModelInfo
    device: Device
    plan: Plan
    predicted: RunFigures
    measured: RunFigures | None
    """None when no step came to an end."""
    error: float | None
    """(predicted − measured) / measured of the allocated peak."""
    steps: int
    losses: tuple[float, ...]
    step_seconds: tuple[float, ...]
    missing_bytes: int | None = None
    """Out of memory: what the failed allocation lacked."""
    where: str = ""
    """Out of memory: phase and module."""
    notes: tuple[str, ...] = ()
    seconds: float
    quality: QualityReport | None = None
    """Of a plan that compresses real weights."""
    saved: str | None = None
    """The folder that the compressed model was written to."""
    ranks: tuple[RankRun, ...] = ()
    """Over several cards every rank, in order; ``predicted`` and ``measured`` are the fullest's."""


RunEvent = Annotated[
    RunStarted | RunProgress | RunSample | RunStep | RunResult, Field(discriminator="kind")
]

RunStarted.model_rebuild()
