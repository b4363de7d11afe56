"""What the engine answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.device import Device
from memplanner.messages.effects import OptionEffect
from memplanner.messages.estimate import (
    DeviceFigures,
    Estimate,
    Layer,
    ModelInfo,
    ModuleDetail,
    Moment,
)
from memplanner.messages.history import KeptRun
from memplanner.messages.intention import RunIntention
from memplanner.messages.run import RunEvent
from memplanner.messages.search import FoundPlan, SearchState, SmallestChange
from memplanner.messages.sensitivity import BitAssignment, Sensitivity
from memplanner.messages.snapshot import Snapshot
from memplanner.plan import Plan


class Reply(Message):
    """Base of what the engine answers."""

    id: int


class EngineInfo(Reply):
    """Answers ``hello``."""

    kind: Literal["engine_info"] = "engine_info"
    schema_: int = Field(SCHEMA, alias="schema")
    version: str
    python: str
    interpreter: str
    process_id: int
    torch: str | None
    """The installed version, read without importing it; None when absent."""
    transformers: str | None
    host_memory_bytes: int
    host_free_bytes: int
    machine: str = ""
    """The name of the machine that it runs on."""


class Devices(Reply):
    """Answers ``list_devices``: this machine's first."""

    kind: Literal["devices"] = "devices"
    devices: tuple[Device, ...]


class Preset(Message):
    """A model that comes with the program."""

    name: str
    title: str
    class_name: str = Field(alias="class")
    family: str
    publisher: str
    parameters: int


class Presets(Reply):
    """Answers ``list_presets``."""

    kind: Literal["presets"] = "presets"
    presets: tuple[Preset, ...]


class Ready(Reply):
    """Answers ``warm_up`` and ``stop_run``."""

    kind: Literal["ready"] = "ready"
    seconds: float


class Opened(Reply):
    """Answers ``open_model``."""

    kind: Literal["opened"] = "opened"
    model: ModelInfo
    plan: Plan
    """A first plan for this model."""
    notes: tuple[str, ...] = ()


class FirstFigures(Reply):
    """Goes before ``rest_estimated`` where the device's figures take a while: all but those."""

    kind: Literal["first_figures"] = "first_figures"
    estimate: Estimate


class Estimated(Reply):
    """Answers ``make_estimate``."""

    kind: Literal["estimated"] = "estimated"
    estimate: Estimate


class RestEstimated(Reply):
    """Answers ``make_estimate`` after ``first_figures``: what that has not told."""

    kind: Literal["rest_estimated"] = "rest_estimated"
    figures: DeviceFigures


class Effect(Reply):
    """One of the effects that ``list_effects`` asked for."""

    kind: Literal["effect"] = "effect"
    effect: OptionEffect


class EffectsListed(Reply):
    """Answers ``list_effects``, after the last effect."""

    kind: Literal["effects_listed"] = "effects_listed"
    count: int
    complete: bool
    """False where some were left out: the effects of this model take too long, or one failed."""
    seconds: float
    """The time they took to compute."""


class ComparedPlan(Message):
    """One of the plans that were compared: its estimate, or why there is none."""

    estimate: Estimate | None = None
    sentence: str = ""


class PlansFound(Reply):
    """Some of the plans that ``search_plans`` has found, and how far it is.

    A plan that is told again, by the same changes and device, replaces what was told of it.
    """

    kind: Literal["plans_found"] = "plans_found"
    plans: tuple[FoundPlan, ...]
    state: SearchState


class SearchEnded(Reply):
    """Answers ``search_plans``, after the last plan."""

    kind: Literal["search_ended"] = "search_ended"
    state: SearchState
    chosen: FoundPlan | None = None
    """The plan that meets the goal best; None where none fits."""
    notes: tuple[str, ...] = ()


class SmallestChanges(Reply):
    """Answers ``find_smallest_change``; empty where nothing within the goal fits."""

    kind: Literal["smallest_changes"] = "smallest_changes"
    changes: tuple[SmallestChange, ...]
    fits_already: bool
    """Then the changes are what the plan leaves on the table: the same result, sooner."""


class Compared(Reply):
    """Answers ``compare_plans``, in the same order."""

    kind: Literal["compared"] = "compared"
    outcomes: tuple[ComparedPlan, ...]


class Superseded(Reply):
    """Answers a ``make_estimate`` or ``list_effects`` that a newer request replaced."""

    kind: Literal["superseded"] = "superseded"


class Layers(Reply):
    """Answers ``list_layers``."""

    kind: Literal["layers"] = "layers"
    moment: Moment
    layers: tuple[Layer, ...]


class Described(Reply):
    """Answers ``describe_module``."""

    kind: Literal["described"] = "described"
    detail: ModuleDetail


class Run(Reply):
    """One event of a run; ``apply_plan`` ends with the one whose event is the result."""

    kind: Literal["run"] = "run"
    event: RunEvent


class SensitivityMeasured(Reply):
    """Answers ``measure_sensitivity``."""

    kind: Literal["sensitivity_measured"] = "sensitivity_measured"
    sensitivity: Sensitivity


class BitsAssigned(Reply):
    """Answers ``assign_bits``."""

    kind: Literal["bits_assigned"] = "bits_assigned"
    assignment: BitAssignment


class SnapshotRead(Reply):
    """Answers ``read_snapshot``."""

    kind: Literal["snapshot_read"] = "snapshot_read"
    snapshot: Snapshot


class Target(Message):
    """An export target."""

    name: str
    title: str
    explanation: str
    file_name: str


class Targets(Reply):
    """Answers ``list_targets``."""

    kind: Literal["targets"] = "targets"
    targets: tuple[Target, ...]


class ExportedFile(Message):
    """One file of an export."""

    name: str
    text: str


class RunsAs(Message):
    """What a target really runs where it cannot say the whole plan."""

    plan: Plan
    allocated_bytes: int | None = None
    """The peak of tensors; None where the step cannot be estimated, which ``sentence`` tells."""
    device_bytes: int | None = None
    sentence: str
    """Such as ``runs with a peak of 69.7 GiB, 5.6 GiB less than the plan``."""


class Exported(Reply):
    """Answers ``export_plan``."""

    kind: Literal["exported"] = "exported"
    target: str
    files: tuple[ExportedFile, ...]
    cannot_say: tuple[str, ...]
    """What of the plan this target has no words for."""
    written: tuple[str, ...]
    """Paths written; empty when only rendered."""
    runs_as: RunsAs | None = None
    """None where the target says all that decides memory, or leaves the rest to a script."""


class Imported(Reply):
    """Answers ``import_plan``."""

    kind: Literal["imported"] = "imported"
    title: str
    """Of the trainer whose file it is; ``memplanner`` for a plan of ours."""
    plan: Plan
    model: str | None
    """As the file names it."""
    source: str | None
    """What ``open_model`` takes for that model."""
    no_place: tuple[str, ...]
    """Sentences: what of the file a plan has no place for."""
    aside: tuple[str, ...]
    """Keys that memory does not depend on."""
    notes: tuple[str, ...]


class Runs(Reply):
    """Answers ``list_runs``."""

    kind: Literal["runs"] = "runs"
    runs: tuple[KeptRun, ...]
    """The latest first."""
    total: int
    """How many are kept, beyond the limit and those that cannot be read, too."""
    unreadable: int
    """Of those that were looked at, how many make no sense to this version."""
    cards: dict[str, str]
    """By the selector of each of this machine's devices, what ``RunRecord.card`` has for it."""
    notice: str = ""
    """What happened to the history's file, as a sentence: its copy is used, for one."""


class RunDescribed(Reply):
    """Answers ``describe_run``."""

    kind: Literal["run_described"] = "run_described"
    intention: RunIntention


class Progress(Reply):
    """Something is being done."""

    kind: Literal["progress"] = "progress"
    text: str
    fraction: float | None = None


class Failure(Reply):
    """The request could not be met."""

    kind: Literal["failure"] = "failure"
    error: str
    """The error's class name, such as ``SourceError``; ``Defect`` for a bug of ours."""
    sentence: str
    trust_needed: bool = False
    """The source has code that runs only when the user agrees."""


AnyReply = Annotated[
    EngineInfo | Devices | Presets | Ready | Opened | FirstFigures | Estimated | RestEstimated
    | Superseded | Effect | EffectsListed | PlansFound | SearchEnded | SmallestChanges | Compared
    | Layers | Described | Run | SensitivityMeasured | BitsAssigned | SnapshotRead | Targets
    | Exported | Imported | Runs | RunDescribed | Progress | Failure,
    Field(discriminator="kind"),
]  # fmt: skip
