"""How long a search takes, and how much of it is shared between plans.

    python -m benchmarks.search [--device "RTX 4090 24GB"] [--large]

The engine is warm in both searches: torch, transformers and the model's class are imported, the
model is open and the plan as it is has been estimated, as when a user opens the search. ``at once``
is a search that begins then. ``looked ahead`` is one that begins when the engine has had the time
to record what a search would, as it does when nothing is asked of it
(``memplanner/server/ahead_work.py``); that time is a line of its own. Processor time is told beside
the clock's, since a machine with other work stretches the one alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter, process_time
from typing import NamedTuple, TypeVar

from rich.console import Console
from rich.table import Table

import memplanner
from benchmarks.speed import POINTS
from memplanner.estimate import recorder
from memplanner.estimate.step_time import seconds_at
from memplanner.hardware import find_device
from memplanner.messages.device import Device
from memplanner.messages.search import SearchGoal
from memplanner.model.first_plan import default_plan
from memplanner.model.hugging_face import warm_up
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.evaluation import Evaluation
from memplanner.search.search import Search
from memplanner.techniques.target import Target

SMALL, CARD = "preset:llama-3.1-8b", "RTX 4090 24GB"
LARGE, CARDS = "preset:llama-3.1-70b", "H100 80GB"
ON_CARDS = {"sharding.cards_per_node": 8, "sharding.data": "zero_3"}
T = TypeVar("T")
Line = tuple[str, str, str]
"""What is measured, what it took, and the goal."""


class Taken(NamedTuple):
    """Seconds by the clock, and those of the processor."""

    clock: float
    processor: float

    @property
    def words(self) -> str:
        """Both, such as ``1.20 s (0.80 s)``."""
        return f"{self.clock:.2f} s ({self.processor:.2f} s)"


def timed(work: Callable[[], T]) -> tuple[Taken, T]:
    """What ``work`` takes and gives."""
    clock, processor = perf_counter(), process_time()
    made = work()
    return Taken(perf_counter() - clock, process_time() - processor), made


class Figures(NamedTuple):
    """Of one search."""

    first: Taken
    """Until a plan is told."""
    fitting: Taken | None
    """Until one that fits is known."""
    front: Taken
    """Until all are tried and those of the front have the device's figures."""
    whole: Taken
    """Until what fits is refined by the budget of memory that is left."""
    tried: int
    on_front: int
    recordings: int


def measure(source: str, device: str, values: dict[str, object], *, ahead: bool) -> list[Line]:
    """The lines of one search; with ``ahead`` of one that was looked ahead to."""
    card, model = find_device(device), memplanner.load(source)
    plan = default_plan(model).with_values(values)
    _ = memplanner.estimate(model, plan, device=card).message()
    before = Search(model, plan, card)

    def look_ahead() -> None:
        while before.look_ahead():
            pass

    lines = []
    if ahead:
        taken, _ = timed(look_ahead)
        made = recorder(model)._recordings.made
        lines.append((f"looking ahead, {made} recordings", taken.words, ""))
    figures = _search(model, plan, card, before.evaluation if ahead else None)
    return [*lines, *_rows(figures)]


def _search(model: Model, plan: Plan, card: Device, known: Evaluation | None) -> Figures:
    recordings = recorder(model)._recordings
    made = recordings.made
    clock, processor = perf_counter(), process_time()

    def since() -> Taken:
        return Taken(perf_counter() - clock, process_time() - processor)

    search = Search(model, plan, card, SearchGoal(), evaluation=known)
    more = search.go_on()
    assert search.news()
    first, fitting, front = since(), None, None
    while more:
        more = search.go_on()
        if fitting is None and search.chosen is not None:
            fitting = since()
        if front is None and search.is_settled:
            front = since()
    whole = since()
    return Figures(
        first, fitting, front or whole, whole, search.state.tried, len(search.best()),
        recordings.made - made,
    )  # fmt: skip


def plans_a_second(source: str, device: str) -> tuple[float, float]:
    """Batch sizes and sequence lengths a second, memory and time together: clock, processor."""
    card, model = find_device(device), memplanner.load(source)
    plan = Plan.parse({"training": {"batch_size": 2, "sequence_length": 2048}})
    records, target = recorder(model), Target.of(card)
    records.peaks_bytes(plan, target, POINTS[:100])
    seconds_at(records, plan, card, POINTS[:100])

    def both() -> None:
        records.peaks_bytes(plan, target, POINTS)
        seconds_at(records, plan, card, POINTS)

    taken, _ = timed(both)
    return len(POINTS) / taken.clock, len(POINTS) / taken.processor


def _rows(figures: Figures) -> list[Line]:
    fitting = "–" if figures.fitting is None else figures.fitting.words
    counts = f"{figures.tried}, {figures.on_front}, {figures.recordings}"
    return [
        ("a plan is told", figures.first.words, "< 0.2 s"),
        ("one that fits is known", fitting, ""),
        ("all tried, the front's figures are the device's", figures.front.words, "goal"),
        ("the same, with what is refined by the budget", figures.whole.words, ""),
        ("plans, on the front, recordings", counts, ""),
    ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default=CARD)
    parser.add_argument("--large", action="store_true", help="search 70B on 8 cards, too")
    asked = parser.parse_args()
    warm_up()
    table = Table(box=None)
    for title in ("What", "Clock (processor)", "Goal"):
        table.add_column(title)
    searches = [("8B", SMALL, asked.device, {}, "< 2 s")]
    if asked.large:
        searches.append(("70B on 8 cards", LARGE, CARDS, dict(ON_CARDS), "< 10 s"))
    for name, source, device, values, goal in searches:
        for ahead in (False, True):
            kind = "looked ahead" if ahead else "at once"
            for what, taken, aim in measure(source, device, values, ahead=ahead):
                table.add_row(f"{name}, {kind}: {what}", taken, goal if aim == "goal" else aim)
    clock, processor = plans_a_second(SMALL, asked.device)
    table.add_row("plans a second, once recorded", f"{clock:,.0f} ({processor:,.0f})", "≥ 20,000")
    Console().print(table)


if __name__ == "__main__":
    main()
