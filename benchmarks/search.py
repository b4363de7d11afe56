"""How long a search takes, and how much of it is shared between plans.

    python -m benchmarks.search [--device "RTX 4090 24GB"] [--large]

The engine is warm: torch, transformers and the model's class are imported, the model is open and
the plan as it is has been estimated, as when a user opens the search. Processor time is told
beside the clock's, since a machine with other work stretches the one alone.
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
from memplanner.messages.search import SearchGoal
from memplanner.model.first_plan import default_plan
from memplanner.model.hugging_face import warm_up
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.search.search import Search
from memplanner.techniques.target import Target

SMALL, CARD = "preset:llama-3.1-8b", "RTX 4090 24GB"
LARGE, CARDS = "preset:llama-3.1-70b", "H100 80GB"
ON_CARDS = {"sharding.cards_per_node": 8, "sharding.data": "zero_3"}
T = TypeVar("T")


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
    tried: int
    on_front: int
    recordings: int
    one_estimate: Taken
    """An estimate of a plan that is not recorded yet, the device's part with it."""


def measure(source: str, device: str, values: dict[str, object]) -> Figures:
    """One search from a warm engine."""
    card, model = find_device(device), memplanner.load(source)
    plan = default_plan(model).with_values(values)
    _ = memplanner.estimate(model, plan, device=card).message()
    other = plan.with_values({"training.zero_grad": "before_forward"})
    one, _ = timed(lambda: memplanner.estimate(model, other, device=card).message())
    recordings = _count_recordings(model)
    clock, processor = perf_counter(), process_time()

    def since() -> Taken:
        return Taken(perf_counter() - clock, process_time() - processor)

    search = Search(model, plan, card, SearchGoal())
    more, fitting = search.go_on(), None
    told = search.news()
    first = since()
    while more:
        more = search.go_on()
        if fitting is None and search.chosen is not None:
            fitting = since()
    assert told
    return Figures(
        first, fitting, since(), search.state.tried, len(search.best()), recordings(), one
    )


def _count_recordings(model: Model) -> Callable[[], int]:
    """Counts the recordings from now on."""
    records = recorder(model)._recordings
    record, count = records.record, 0

    def counted(*args: object, **options: object) -> object:
        nonlocal count
        count += 1
        return record(*args, **options)  # type: ignore[arg-type]  # handed through

    records.record = counted  # type: ignore[assignment,method-assign]  # for this process
    return lambda: count


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


def rows(what: str, figures: Figures, goal: str) -> list[tuple[str, str, str]]:
    """The lines of one search."""
    times = figures.front.processor / figures.one_estimate.processor
    return [
        (f"{what}: a plan is told", figures.first.words, "< 0.2 s"),
        (f"{what}: one that fits is known", figures.fitting.words if figures.fitting else "–", ""),
        (f"{what}: all tried, the front's figures are the device's", figures.front.words, goal),
        (
            f"{what}: plans, on the front, recordings",
            f"{figures.tried}, {figures.on_front}, {figures.recordings}",
            "",
        ),
        (f"{what}: as many estimates of new plans", f"{times:.0f}", ""),
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
    lines = rows("8B", measure(SMALL, asked.device, {}), "< 2 s")
    clock, processor = plans_a_second(SMALL, asked.device)
    lines.append(("plans a second, once recorded", f"{clock:,.0f} ({processor:,.0f})", "≥ 20,000"))
    if asked.large:
        lines += rows("70B on 8 cards", measure(LARGE, CARDS, dict(ON_CARDS)), "< 10 s")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


if __name__ == "__main__":
    main()
