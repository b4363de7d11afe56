"""What the window asks its engine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memplanner.messages.base import SCHEMA, Message
from memplanner.messages.estimate import Moment
from memplanner.messages.search import SearchGoal
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


class SearchPlans(Request):
    """Searches the plans near one; answered by ``plans_found`` replies as they come.

    ``stop_search`` ends it, and so does a newer one. Estimates go before it.
    """

    kind: Literal["search_plans"] = "search_plans"
    plan: Plan
    device: str
    goal: SearchGoal = SearchGoal()


class StopSearch(Request):
    """Ends the search that goes on, which is then answered with what it has found."""

    kind: Literal["stop_search"] = "stop_search"


class FindSmallestChange(Request):
    """Asks for the shortest lists of changes with which a plan fits; best first."""

    kind: Literal["find_smallest_change"] = "find_smallest_change"
    plan: Plan
    device: str
    goal: SearchGoal = SearchGoal()


class ComparePlans(Request):
    """Asks for the estimates of several plans of the open model; the last estimate stays."""

    kind: Literal["compare_plans"] = "compare_plans"
    plans: tuple[Plan, ...]
    device: str


class ListLayers(Request):
    """Asks for the last estimate's layers at another moment."""

    kind: Literal["list_layers"] = "list_layers"
    moment: Moment


class DescribeModule(Request):
    """Asks for the detail of one module of the last estimate."""

    kind: Literal["describe_module"] = "describe_module"
    name: str


class RunSettings(Message):
    """A plan to run, and how."""

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


class ApplyPlan(RunSettings, Request):
    """Runs the plan; answered by ``run`` replies, the last of which holds the result."""

    kind: Literal["apply_plan"] = "apply_plan"


class DescribeRun(RunSettings, Request):
    """Asks what ``apply_plan`` with the same values would do; nothing is started."""

    kind: Literal["describe_run"] = "describe_run"


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


class ReadSnapshot(Request):
    """Reads a memory snapshot of torch, in a process of its own; ``stop_run`` ends it."""

    kind: Literal["read_snapshot"] = "read_snapshot"
    path: str


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


class ImportPlan(Request):
    """Reads a trainer's file back into a plan; answered before torch is imported."""

    kind: Literal["import_plan"] = "import_plan"
    path: str
    plan: Plan
    """For what the file leaves to others, such as how many cards there are."""


class ListTargets(Request):
    """Asks for the export targets."""

    kind: Literal["list_targets"] = "list_targets"


class ListRuns(Request):
    """Asks for what is kept of past runs, the latest first; answered before torch is imported."""

    kind: Literal["list_runs"] = "list_runs"
    device: str | None = None
    """Only those of one device, as ``make_estimate`` names it."""
    limit: int = Field(500, gt=0)


class Shutdown(Request):
    """Ends the engine."""

    kind: Literal["shutdown"] = "shutdown"


AnyRequest = Annotated[
    Hello | ListDevices | ListPresets | WarmUp | OpenModel | MakeEstimate | ListEffects
    | SearchPlans | StopSearch | FindSmallestChange | ComparePlans | ListLayers | DescribeModule
    | ApplyPlan | MeasureSensitivity | AssignBits | ReadSnapshot | StopRun | ExportPlan | ImportPlan
    | DescribeRun | ListTargets | ListRuns | Shutdown,
    Field(discriminator="kind"),
]  # fmt: skip
