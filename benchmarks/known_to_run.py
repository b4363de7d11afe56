"""Plans that public tables show running: neither an estimate nor a search may call one impossible.

    python -m benchmarks.known_to_run [--table llm-foundry] [--fullest]

It needs no card. The rows are those of ``reference/rows.yaml``, of ``ladders.yaml`` and, with the
model that really ran (``reference/models/mpt.py``), of ``throughput.csv``: every one of them ran
on its card. ``--fullest`` takes those alone that lie nearest to what their card holds.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track
from rich.table import Table

import memplanner
from benchmarks.reference.ladders import read_ladders
from benchmarks.reference.models.mpt import INPUTS
from benchmarks.reference.rows import read_rows
from benchmarks.throughput import ROWS
from memplanner.hardware import find_device
from memplanner.hardware.overhead import driver_reserve
from memplanner.messages.device import Device
from memplanner.messages.estimate import Verdict
from memplanner.messages.search import SearchGoal
from memplanner.plan import Plan
from memplanner.plan.plan import keys
from memplanner.search.answers import search
from memplanner.search.limits import Limits
from memplanner.units import format_bytes


@dataclass(frozen=True, slots=True)
class Ran:
    """A step that ran on a card."""

    table: str
    name: str
    load: str
    inputs: tuple[str, ...]
    device: Device
    plan: Plan
    filled: float
    """What orders the rows of a table by how full the card was: bytes, or tokens at once."""
    alike: str = ""
    """Of the rows of a table that have this in common the fullest stands for all."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is said of a step that ran."""

    ran: Ran
    expected_bytes: int
    """Of the whole card at the peak."""
    capacity_bytes: int
    verdict: Verdict
    searched: Verdict | None
    """What a search says of the plan in which everything is pinned."""
    ruled_out: bool
    """Whether its bounds call the plan impossible without an estimate."""

    @property
    def possible(self) -> bool:
        """Whether nothing calls it impossible."""
        fits = self.expected_bytes <= self.capacity_bytes
        said = "does_not_fit" in (self.verdict, self.searched)
        return fits and not said and not self.ruled_out


def known() -> Iterator[Ran]:
    """Every step of the tables that a plan can say."""
    for row in read_rows().predicted:
        device = find_device(row.device)
        if row.card_gb:
            device = device.model_copy(update={"memory_bytes": row.card_gb * 10**9})
        yield Ran(row.source, row.id, row.load, row.inputs, device, row.as_plan(),
                  row.measured_bytes / (device.memory_bytes or 1))  # fmt: skip
    for ladder in read_ladders():
        load = ladder.load
        for step, plan in ladder.plans():
            load = step.load or load
            if plan is not None:
                yield Ran(ladder.name, step.name, load, ladder.inputs, find_device(ladder.device),
                          plan, step.measured)  # fmt: skip
    with ROWS.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            yield _trained(line)


def _trained(line: dict[str, str]) -> Ran:
    size, length = line["model"].removeprefix("MPT "), int(line["sequence_length"])
    batch = int(line["batch_size"])
    plan = Plan().with_values(
        {
            "training.batch_size": batch,
            "training.sequence_length": length,
            "training.gradient_accumulation_steps": int(line["accumulation"]),
            "precision": "bf16_mixed",
            "sharding.cards_per_node": int(line["cards"]),
            "sharding.data": "zero_3",
            "activation_checkpointing.policy": line["checkpointing"],
        }
    )
    return Ran(
        line["source"],
        f"{line['model']}, {batch} × {length}",
        f"benchmarks.reference.models.mpt:mpt_{size}_{length}",
        INPUTS,
        find_device(line["card"]),
        plan,
        batch * length,
        f"{line['model']} {line['checkpointing']}",
    )


def fullest(rows: Iterable[Ran]) -> list[Ran]:
    """Of each table, and of what is alike in it, the step that left the least."""
    chosen: dict[tuple[str, str], Ran] = {}
    for row in rows:
        key = row.table, row.alike
        if key not in chosen or row.filled > chosen[key].filled:
            chosen[key] = row
    return list(chosen.values())


def ask(ran: Ran) -> Found:
    """What an estimate and a search say. Raises ``MemplannerError``."""
    model = memplanner.load(ran.load, inputs=ran.inputs, trust_code=True)
    made = memplanner.estimate(model, ran.plan, ran.device)
    expected, verdict, memory = made.peak.device_bytes, made.verdict, ran.device.memory_bytes
    assert expected is not None
    assert verdict is not None
    assert memory is not None
    found = search(model, ran.plan, ran.device, SearchGoal(pinned=tuple(keys())))
    (alone,) = found.plans
    holds = Limits.of(ran.device, 0).holds_bytes
    return Found(
        ran,
        expected_bytes=expected,
        capacity_bytes=memory - driver_reserve(ran.device).high_bytes,
        verdict=verdict,
        searched=alone.verdict,
        ruled_out=holds is not None and made.peak.allocated_bytes > holds,
    )


def main() -> None:
    """Prints a line for each step; the exit code is 1 where one is called impossible."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--table", help="steps of this source alone")
    parser.add_argument("--fullest", action="store_true", help="the fullest of each table alone")
    options = parser.parse_args()
    rows = [row for row in known() if options.table in (None, row.table)]
    if options.fullest:
        rows = fullest(rows)
    progress = Console(stderr=True)
    found = [ask(row) for row in track(rows, "Asking", console=progress, transient=True)]
    table = Table()
    for heading in ("table", "step", "card", "there is", "expected", "verdict"):
        table.add_column(
            heading, justify="right" if heading in ("there is", "expected") else "left"
        )
    for one in found:
        share, size = one.expected_bytes / one.capacity_bytes, format_bytes(one.capacity_bytes)
        ran = one.ran
        table.add_row(ran.table, ran.name, ran.device.name, size, f"{share:.1%}", one.verdict)
    console = Console(width=max(120, Console().width))
    console.print(table)
    wrong = [one for one in found if not one.possible]
    for one in wrong:
        console.print(f"{one.ran.table}, {one.ran.name} ran, and is called impossible.")
    console.print(f"{len(found) - len(wrong)} of {len(found)} steps that ran are called possible.")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
