"""``memplanner search``: plans that fit. ``memplanner fit``: the smallest change that makes one."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from memplanner.cli.arguments import (
    AsJson,
    BatchSize,
    DeviceName,
    Inputs,
    PlanFile,
    SequenceLength,
    Sets,
    Source,
    TrustCode,
    device_named,
    load_source,
)
from memplanner.cli.changes import PlanChanges
from memplanner.cli.commands import app
from memplanner.cli.tables import bold, console_of, table_of
from memplanner.cli.words import said
from memplanner.messages.cost import QualityRisk
from memplanner.messages.search import FoundPlan, Prefer, SearchGoal, Where
from memplanner.units import NOTHING, format_bytes, format_count

Goal = Annotated[Prefer, typer.Option("--goal", help="What the plan is to be.")]
Anywhere = Annotated[Where, typer.Option("--where", help="This device, or which card would do.")]
Pins = Annotated[
    list[str] | None,
    typer.Option("--pin", metavar="KEY", help="Leaves a key or section as it is; repeatable."),
]
Techniques = Annotated[
    list[str] | None,
    typer.Option("--try", metavar="SECTION", help="Changes these sections only; repeatable."),
]
WorstRisk = Annotated[QualityRisk, typer.Option("--risk", help="The greatest risk to quality.")]
MarginMib = Annotated[int, typer.Option("--margin-mib", min=0, help="MiB to be left over.")]
HostGib = Annotated[
    float | None,
    typer.Option(
        "--host-gib", min=0, help="GiB of the machine's memory; if this one, what is free now."
    ),
]
All = Annotated[bool, typer.Option("--all", help="Shows plans that do not fit, too.")]
_RISKS = {
    "same_result": "same result",
    "small_change": "small change",
    "check_quality": "check quality",
}


@app.command()
def search(
    source: Source,
    plan: PlanFile = None,
    sets: Sets = None,
    batch_size: BatchSize = None,
    sequence_length: SequenceLength = None,
    device: DeviceName = "auto",
    goal: Goal = "fastest",
    where: Anywhere = "this_device",
    pins: Pins = None,
    techniques: Techniques = None,
    risk: WorstRisk = "check_quality",
    margin_mib: MarginMib = 0,
    host_gib: HostGib = None,
    show_all: All = False,
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Find plans that fit: of each risk the smallest, the fastest, and what lies between."""
    with redirect_stdout(sys.stderr):
        chosen, changes = device_named(device), PlanChanges(plan, sets, batch_size, sequence_length)
        wanted = SearchGoal(
            prefer=goal,
            where=where,
            margin_bytes=margin_mib * 2**20,
            host_memory_bytes=None if host_gib is None else round(host_gib * 2**30),
            worst_risk=risk,
            pinned=_known(pins),
            techniques=None if not techniques else _known(techniques),
            fits_only=not show_all,
        )
        from memplanner.run.keeping import known_calibration
        from memplanner.search.answers import search as find

        model = load_source(source, inputs, trust_code)
        found = find(
            model,
            changes.plan(model),
            chosen,
            wanted,
            calibration=known_calibration(chosen)[0],
        )
    if as_json:
        print(found.model_dump_json(by_alias=True))
        return
    console = console_of()
    console.print(bold(f"{model.name} on {found.device.name}"))
    _print(found.plans, found.chosen)
    state = found.state
    console.print(
        f"{format_count(state.tried)} plans tried, {format_count(state.fitting)} known to fit, "
        f"in {state.seconds:.1f} s"
    )
    for note in found.notes:
        console.print(note)
    if found.chosen is None:
        console.print(
            "No plan that was tried fits; allow more with --risk, or choose a larger card."
        )


def _known(names: list[str] | None) -> tuple[str, ...]:
    """The keys or sections. Raises ``PlanError`` for one that no plan has."""
    from memplanner.errors import PlanError
    from memplanner.plan.plan import keys

    known = {*keys(), *(key.partition(".")[0] for key in keys())}
    for name in names or ():
        if name not in known:
            raise PlanError(f"A plan has no {name}; name a key such as training.batch_size.")
    return tuple(names or ())


def _print(plans: tuple[FoundPlan, ...], chosen: FoundPlan | None) -> None:
    on_host = any(plan.host_bytes for plan in plans)
    table = table_of(
        "Changes", "Quality", "Peak", "Device, at most", *(["Host"] if on_host else ()), "Step",
        "Device",
    )  # fmt: skip
    for plan in plans:
        table.add_row(
            ("→ " if plan == chosen else "") + (said(plan) or "this plan"),
            _RISKS[plan.quality.risk],
            format_bytes(plan.allocated_bytes),
            NOTHING if plan.device_high_bytes is None else format_bytes(plan.device_high_bytes),
            *([_on_host(plan)] if on_host else ()),
            NOTHING if plan.time is None else f"{plan.time.seconds:.3g} s",
            plan.device if plan.cards == 1 else f"{plan.cards} × {plan.device}",
        )
    console_of().print(table)


def _on_host(plan: FoundPlan) -> str:
    """What it takes of the host's memory, and whether that is too much."""
    if plan.host_bytes is None:
        return NOTHING
    size, left = format_bytes(plan.host_bytes), plan.host_spare_bytes
    return size if left is None or left >= 0 else f"{size}, {format_bytes(-left)} missing"


@app.command()
def fit(
    source: Source,
    plan: PlanFile = None,
    sets: Sets = None,
    batch_size: BatchSize = None,
    sequence_length: SequenceLength = None,
    device: DeviceName = "auto",
    pins: Pins = None,
    techniques: Techniques = None,
    risk: WorstRisk = "check_quality",
    margin_mib: MarginMib = 0,
    host_gib: HostGib = None,
    inputs: Inputs = None,
    trust_code: TrustCode = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a plan fits, and the smallest change with which it does (exit code 1)."""
    with redirect_stdout(sys.stderr):
        chosen, changes = device_named(device), PlanChanges(plan, sets, batch_size, sequence_length)
        wanted = SearchGoal(
            margin_bytes=margin_mib * 2**20,
            host_memory_bytes=None if host_gib is None else round(host_gib * 2**30),
            worst_risk=risk,
            pinned=_known(pins),
            techniques=None if not techniques else _known(techniques),
        )
        from memplanner.run.keeping import known_calibration
        from memplanner.search.answers import smallest_change

        model = load_source(source, inputs, trust_code)
        found = smallest_change(
            model,
            changes.plan(model),
            chosen,
            wanted,
            calibration=known_calibration(chosen)[0],
        )
    if as_json:
        print(found.model_dump_json(by_alias=True))
    else:
        console = console_of()
        if found.fits_already:
            console.print(bold(f"{model.name} fits {chosen.name}."))
            if found.changes:
                console.print("It leaves on the table, with the same result:")
        else:
            console.print(bold(f"{model.name} does not fit {chosen.name} for sure."))
            console.print("The smallest changes with which it does:" if found.changes
                          else "No change of up to three sections makes it fit.")  # fmt: skip
        if found.changes:
            table = table_of("Changes", "Quality", "Peak", "Device, at most", "Time")
            for one in found.changes:
                plan_found = one.found
                high = plan_found.device_high_bytes
                slower = one.slower_by
                table.add_row(
                    said(plan_found),
                    _RISKS[plan_found.quality.risk],
                    format_bytes(plan_found.allocated_bytes),
                    NOTHING if high is None else format_bytes(high),
                    NOTHING if slower is None else f"{100 * slower:+.0f} %".replace("-", "−"),
                )
            console.print(table)
    raise typer.Exit(0 if found.fits_already else 1)
