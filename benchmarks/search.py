"""How long a search takes, and how much of it is shared between plans.

    python -m benchmarks.search [--device "RTX 4090 24GB"] [--large] [--any-sharding] [--verify]

The engine is open in both searches: torch, transformers and the model's class are imported, the
model is open and the plan as it is has been estimated, as when a user opens the search. ``cold`` is
a search that begins then, with nothing else recorded. ``warm`` is one that begins when the engine
has had the time to look ahead, as it does when nothing is asked of it
(``memplanner/server/ahead_work.py``, which gives itself thirty seconds); that time is a line of its
own. Processor time is told beside the clock's, since a machine with other work stretches both, the
clock's by far more. At the end each plan of the front is estimated once more by a model of its own,
by the full path, and its bytes are compared (``--verify``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from time import perf_counter, process_time
from typing import NamedTuple, TypeVar

from rich.console import Console

import memplanner
from benchmarks.speed import POINTS
from memplanner.estimate import recorder
from memplanner.estimate.step_time import seconds_at
from memplanner.hardware import find_device
from memplanner.messages.search import SearchGoal
from memplanner.model.first_plan import default_plan
from memplanner.model.hugging_face import warm_up
from memplanner.plan import Plan
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


class Searched(NamedTuple):
    """What is searched."""

    name: str
    source: str
    device: str
    values: dict[str, object]
    pinned: tuple[str, ...]
    goal: str


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
    recordings_of_front: int
    recordings: int


def measure(searched: Searched, ahead: bool, *, verify: bool) -> Iterator[Line]:
    """The lines of one search; with ``ahead`` of one that was looked ahead to."""
    card, model = find_device(searched.device), memplanner.load(searched.source)
    plan = default_plan(model).with_values(searched.values)
    goal = SearchGoal(pinned=searched.pinned)
    _ = memplanner.estimate(model, plan, device=card).message()
    before = Search(model, plan, card, goal)

    def look_ahead() -> None:
        while before.look_ahead():
            pass

    if ahead:
        taken, _ = timed(look_ahead)
        made = recorder(model)._recordings.made
        yield f"looking ahead, {made} recordings", taken.words, ""
    evaluation = before.evaluation if ahead else None
    figures, search = _search(Search(model, plan, card, goal, evaluation=evaluation))
    yield from _rows(figures, searched.goal)
    if verify:
        yield "front estimated anew, the same bytes", _verified(searched.source, search), "all"


def _verified(source: str, search: Search) -> str:
    """Of how many plans, of the front or told with a verdict, another estimate has the same bytes.

    Raises ``AssertionError`` for one that differs.
    """
    model = memplanner.load(source)
    front = search._front()
    told = [
        entry
        for place, entry in enumerate(search.entries)
        if place in front or entry.on_device is not None
    ]
    for entry in told:
        peak = memplanner.estimate(model, entry.plan, device=search.device).peak
        assert peak.allocated_bytes == entry.figures.allocated_bytes, entry.plan
    return f"{len(told)} of {len(told)}"


def _search(search: Search) -> tuple[Figures, Search]:
    recordings = recorder(search.evaluation.model)._recordings
    made = recordings.made
    clock, processor = perf_counter(), process_time()

    def since() -> Taken:
        return Taken(perf_counter() - clock, process_time() - processor)

    more = search.go_on()
    assert search.news()
    first, fitting, front, made_for_front = since(), None, None, None
    while more:
        more = search.go_on()
        if fitting is None and search.chosen is not None:
            fitting = since()
        if front is None and search.is_settled:
            front = since()
        if made_for_front is None and search.is_settled:
            made_for_front = recordings.made - made
    whole = since()
    return Figures(
        first, fitting, front or whole, whole, search.state.tried, len(search.best()),
        made_for_front or 0, recordings.made - made,
    ), search  # fmt: skip


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


def _rows(figures: Figures, goal: str) -> list[Line]:
    fitting = "–" if figures.fitting is None else figures.fitting.words
    counts = f"{figures.tried}, {figures.on_front}"
    made = f"{figures.recordings_of_front}, {figures.recordings}"
    return [
        ("first answer: a plan is told", figures.first.words, "< 0.2 s"),
        ("one that fits is known", fitting, ""),
        ("front complete, with the device's figures", figures.front.words, goal),
        ("refinement by the budget complete", figures.whole.words, ""),
        ("plans tried, on the front", counts, ""),
        ("recordings until the front, until the end", made, ""),
    ]


def main() -> None:
    """Prints a table, each line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default=CARD)
    parser.add_argument("--large", action="store_true", help="70B on 8 cards by ZeRO-3, too")
    parser.add_argument("--any-sharding", action="store_true", help="the same, by any ZeRO stage")
    parser.add_argument("--cold", action="store_true", help="cold searches alone")
    parser.add_argument("--verify", action="store_true", help="estimate the front anew")
    asked = parser.parse_args()
    warm_up()
    console = Console(width=120)
    searches = [Searched("8B on 24 GB", SMALL, asked.device, {}, (), "< 2 s")]
    shared = Searched("70B on 8 cards", LARGE, CARDS, dict(ON_CARDS), ("sharding",), "< 10 s")
    if asked.large:
        searches.append(shared._replace(name=f"{shared.name}, ZeRO-3"))
    if asked.any_sharding:
        searches.append(shared._replace(name=f"{shared.name}, any ZeRO", pinned=()))
    for searched in searches:
        for ahead in (False,) if asked.cold else (False, True):
            kind = "warm" if ahead else "cold"
            for what, taken, aim in measure(searched, ahead, verify=asked.verify and not ahead):
                console.print(f"{f'{searched.name}, {kind}: {what}':<72}{taken:>24}  {aim}")
    clock, processor = plans_a_second(SMALL, asked.device)
    told = f"{clock:,.0f} ({processor:,.0f})"
    console.print(f"{'plans a second, once recorded':<72}{told:>24}  ≥ 20,000")


if __name__ == "__main__":
    main()
