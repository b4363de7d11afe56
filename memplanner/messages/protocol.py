"""The protocol between the window and its engine: one JSON object a line each way.

Every request carries an ``id``; every reply repeats it. A request gets any number of ``progress``,
``first_figures``, ``effect`` and ``run`` replies and then exactly one that ends it: its result, or
``failure``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.device import Device
from memplanner.messages.effects import OptionEffect
from memplanner.messages.estimate import Estimate, Layer, ModelInfo, ModuleDetail, Moment
from memplanner.messages.run import RunEvent
from memplanner.messages.sensitivity import BitAssignment, Sensitivity
from memplanner.plan import Plan


class Request(Message):
    """Base of what the window asks."""

    id: int


class Hello(Request):
    """Asks who the engine is. Answered before torch is imported."""

    kind: Literal["hello"] = "hello"
    schema_: int = Field(SCHEMA, alias="schema")


class ListDevices(Request):
    """Asks for this machine's devices and the card catalogue."""

    kind: Literal["list_devices"] = "list_devices"


class ListPresets(Request):
    """Asks for the presets."""

    kind: Literal["list_presets"] = "list_presets"


class WarmUp(Request):
    """Imports torch and transformers, so that the first estimate does not wait for them."""

    kind: Literal["warm_up"] = "warm_up"


class OpenModel(Request):
    """Opens a source; the engine keeps the last one open."""

    kind: Literal["open_model"] = "open_model"
    source: str
    inputs: tuple[str, ...] = ()
    """For an importable: ``name=2x128:int64``."""
    trust_code: bool = False
    """The user has agreed to run code that comes with this model."""


class MakeEstimate(Request):
    """Asks for the estimate of the open model under a plan. A newer one replaces a waiting one."""

    kind: Literal["make_estimate"] = "make_estimate"
    plan: Plan
    device: str
    rank: int | None = None
    """Of a plan over several cards; None for the fullest."""


class ListEffects(Request):
    """Asks what each option of a plan would change; answered in idle moments, one by one.

    A newer one replaces it, and so does an estimate of another plan or device.
    """

    kind: Literal["list_effects"] = "list_effects"
    plan: Plan
    device: str
    first: tuple[str, ...] = ()
    """Keys of options whose effects are wanted first."""


class ListLayers(Request):
    """Asks for the last estimate's layers at another moment."""

    kind: Literal["list_layers"] = "list_layers"
    moment: Moment


class DescribeModule(Request):
    """Asks for the detail of one module of the last estimate."""

    kind: Literal["describe_module"] = "describe_module"
    name: str


class ApplyPlan(Request):
    """Runs the plan; answered by ``run`` replies, the last of which holds the result."""

    kind: Literal["apply_plan"] = "apply_plan"
    plan: Plan
    device: str
    steps: int = 3
    data: str | None = None
    """A text file to train on; None for generated data."""
    force: bool = False
    """Start although the estimate exceeds the free memory."""
    quality: bool = True
    """Judge what compressing real weights costs."""
    save: str | None = None
    """A new folder for the compressed model."""


class MeasureSensitivity(Request):
    """Measures what layers lose in few bits, as a run of its own; ``stop_run`` ends it at once."""

    kind: Literal["measure_sensitivity"] = "measure_sensitivity"
    plan: Plan
    device: str
    data: str | None = None
    """A text file to measure on; None for the one that comes along."""
    candidates: tuple[str, ...] = ("8", "4", "3", "2", "nf4")


class AssignBits(Request):
    """Asks for bits within a budget, by the sensitivity that was measured last."""

    kind: Literal["assign_bits"] = "assign_bits"
    budget_bytes: int
    """For all parameters and buffers of the model."""
    exact: bool = False


class StopRun(Request):
    """Stops a run: after its step, or now."""

    kind: Literal["stop_run"] = "stop_run"
    now: bool = False


class ExportPlan(Request):
    """Writes the plan for a target; without ``output`` it is only rendered."""

    kind: Literal["export_plan"] = "export_plan"
    target: str
    plan: Plan
    output: str | None = None


class ListTargets(Request):
    """Asks for the export targets."""

    kind: Literal["list_targets"] = "list_targets"


class Shutdown(Request):
    """Ends the engine."""

    kind: Literal["shutdown"] = "shutdown"


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
    """Goes before ``estimated`` where the device's figures take a while: all but those."""

    kind: Literal["first_figures"] = "first_figures"
    estimate: Estimate


class Estimated(Reply):
    """Answers ``make_estimate``."""

    kind: Literal["estimated"] = "estimated"
    estimate: Estimate


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


class Exported(Reply):
    """Answers ``export_plan``."""

    kind: Literal["exported"] = "exported"
    target: str
    files: tuple[ExportedFile, ...]
    cannot_say: tuple[str, ...]
    """What of the plan this target has no words for."""
    written: tuple[str, ...]
    """Paths written; empty when only rendered."""


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


AnyRequest = Annotated[
    Hello | ListDevices | ListPresets | WarmUp | OpenModel | MakeEstimate | ListEffects | ListLayers
    | DescribeModule | ApplyPlan | MeasureSensitivity | AssignBits | StopRun
    | ExportPlan | ListTargets | Shutdown,
    Field(discriminator="kind"),
]  # fmt: skip
AnyReply = Annotated[
    EngineInfo | Devices | Presets | Ready | Opened | FirstFigures | Estimated | Superseded
    | Effect | EffectsListed | Layers | Described | Run | SensitivityMeasured
    | BitsAssigned | Targets | Exported | Progress | Failure,
    Field(discriminator="kind"),
]  # fmt: skip

read_request: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)
read_reply: TypeAdapter[AnyReply] = TypeAdapter(AnyReply)
