"""Ladders: steps that save memory, one after the other, and how each changes a published peak."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

import memplanner
from benchmarks.reference.outcome import EXPLAINED, Outcome, predict
from benchmarks.reference.rows import Reference, RowsError
from memplanner.plan import Plan
from memplanner.units import parse_bytes

LADDERS = Path(__file__).with_name("ladders.yaml")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Entry):
    """One step of a ladder."""

    name: str
    row: str = ""
    """The row of the reference table that it is."""
    measured: float = 0.0
    load: str = ""
    """Another model than the ladder's, from this step on."""
    changes: dict[str, Any] = {}
    apart: bool = False
    """Whether the next step goes on without its changes."""
    cause: str = ""
    not_yet: str = ""

    @model_validator(mode="after")
    def _measured_once(self) -> Self:
        if bool(self.row) == bool(self.measured):
            raise ValueError(f"{self.name} needs either a row or what was measured")
        return self


class Ladder(_Entry):
    """Steps on one model and card."""

    name: str
    file: str = ""
    reading: str = ""
    load: str = ""
    inputs: tuple[str, ...] = ()
    device: str = ""
    unit: str = "GiB"
    plan: dict[str, Any] = {}
    steps: tuple[Step, ...]

    def plans(self) -> Iterable[tuple[Step, Plan | None]]:
        """Each step with its plan; None for a row, and where a plan cannot say it."""
        reached = Plan.parse(self.plan, origin=self.name)
        for step in self.steps:
            if step.row or step.not_yet:
                yield step, None
                continue
            plan = reached.with_values(step.changes)
            yield step, plan
            reached = reached if step.apart else plan


class _File(_Entry):
    ladders: tuple[Ladder, ...]


@dataclass(frozen=True, slots=True)
class Rung:
    """A step with its peaks; None for one that is not predicted."""

    step: Step
    predicted_bytes: int | None
    measured_bytes: int

    @property
    def error(self) -> float | None:
        """Predicted over measured, less one."""
        if self.predicted_bytes is None:
            return None
        return self.predicted_bytes / self.measured_bytes - 1


@dataclass(frozen=True, slots=True)
class Climb:
    """A ladder with its rungs."""

    ladder: Ladder
    rungs: tuple[Rung, ...]

    def changes(self) -> Iterable[tuple[Rung, int | None, int | None]]:
        """Each rung with the change from the last that is predicted: predicted, then measured."""
        last: Rung | None = None
        for rung in self.rungs:
            known = last is not None and rung.predicted_bytes is not None
            if last is None or rung.predicted_bytes is None or last.predicted_bytes is None:
                yield rung, None, None
            elif known:
                yield (
                    rung,
                    rung.predicted_bytes - last.predicted_bytes,
                    rung.measured_bytes - last.measured_bytes,
                )
            if rung.predicted_bytes is not None and not rung.step.apart:
                last = rung


def read_ladders(path: Path = LADDERS) -> tuple[Ladder, ...]:
    """The ladders of the YAML file ``path``. Raises ``RowsError`` with the place of a mistake."""
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return _File.model_validate(values).ladders
    except (OSError, YAMLError, ValidationError) as error:
        raise RowsError(f"{path}: {error}") from error


def climb(ladder: Ladder, reference: Reference, known: Sequence[Outcome] = ()) -> Climb:
    """The ladder's peaks, allocated ones where it has plans of its own.

    Rows whose outcome is ``known`` are not predicted again. Raises ``MemplannerError``.
    """
    rows = {row.id: row for row in reference.rows}
    outcomes = {one.row.id: one for one in known}
    rungs = []
    source = ladder.load
    for step, plan in ladder.plans():
        source = step.load or source
        if step.row:
            outcome = outcomes.get(step.row) or predict(rows[step.row])
            rungs.append(Rung(step, outcome.predicted_bytes, outcome.row.measured_bytes))
            continue
        measured = parse_bytes(f"{step.measured} {ladder.unit}")
        predicted = None
        if plan is not None:
            model = memplanner.load(source, inputs=ladder.inputs, trust_code=True)
            predicted = memplanner.estimate(model, plan, ladder.device).peak.allocated_bytes
        rungs.append(Rung(step, predicted, measured))
    return Climb(ladder, tuple(rungs))


def part(climbs: Iterable[Climb]) -> str:
    """The document's part."""
    texts = [
        "## Ladders",
        "Steps that save memory, one after the other on one model: the peak at each, and its "
        "change from the step before that is predicted. Steps marked † stand apart: the next goes "
        "on without them.",
    ]
    for one in climbs:
        texts.append(f"### {one.ladder.name}")
        if one.ladder.file:
            texts += [f"`{one.ladder.file}`", one.ladder.reading]
        texts.append(_table(one))
        remarks = [
            f"- {rung.step.name}: {rung.step.not_yet or rung.step.cause or 'unexplained'}"
            for rung in one.rungs
            if rung.step.not_yet or (rung.error is not None and abs(rung.error) > EXPLAINED)
        ]
        texts += ["\n".join(remarks)] if remarks else []
    return "\n\n".join(text.strip() for text in texts)


def _table(one: Climb) -> str:
    lines = [
        "| step | predicted | measured | change predicted | change measured |",
        "|---|---:|---:|---:|---:|",
    ]
    for rung, predicted, measured in one.changes():
        cells = (
            rung.step.name + (" †" if rung.step.apart else ""),
            _gib(rung.predicted_bytes),
            _gib(rung.measured_bytes),
            _gib(predicted, signed=True),
            _gib(measured, signed=True),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _gib(size_bytes: int | None, *, signed: bool = False) -> str:
    if size_bytes is None:
        return "–"
    text = f"{size_bytes / 2**30:{'+' if signed else ''}.2f} GiB"
    return text.replace("-", "−")
