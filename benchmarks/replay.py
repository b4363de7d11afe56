"""How long the allocator's replay takes, and what it says of some models.

    python -m benchmarks.replay [--device "H100 80GB"]

First 100,000 events made up like a deep model's steps, then real tapes from process start until the
steps repeat. Of three runs the quickest counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from memplanner import estimate, load
from memplanner.estimate.allocator import AllocatorSettings, replay, training_loop
from memplanner.estimate.allocator.caching import UNIT_BYTES
from memplanner.estimate.allocator.expandable import caching_allocator
from memplanner.plan import Plan
from memplanner.units import KIB, MIB, format_bytes

MODELS = (
    ("preset:llama-3.2-1b", 4, 2048),
    ("preset:llama-3.1-8b", 1, 2048),
    ("preset:mistral-7b-v0.1", 1, 4096),
    ("preset:llama-3.1-70b", 1, 2048),
    ("preset:llama-3.1-405b", 1, 2048),
)
SETTINGS = ("", "expandable_segments:True", "max_split_size_mb:128", "roundup_power2_divisions:4")
EVENTS = 100_000


def quickest(work: Callable[[], object], runs: int = 3) -> float:
    seconds = []
    for _ in range(runs):
        start = perf_counter()
        work()
        seconds.append(perf_counter() - start)
    return min(seconds)


def made_up(count: int) -> list[int]:
    """Births (units) and deaths (-1 - number of the birth): half outlive a long stretch."""
    generator = np.random.default_rng(7)
    sizes = generator.choice([8 * KIB, 300 * KIB, 4 * MIB, 16 * MIB, 100 * MIB], count)
    sizes = sizes // UNIT_BYTES * generator.integers(1, 5, count)
    events: list[int] = []
    kept: list[int] = []
    birth = 0
    while len(events) + len(kept) < count:
        events += [int(sizes[birth]), int(sizes[birth + 1]), -1 - birth]
        kept.append(birth + 1)
        birth += 2
        if len(kept) > 2000:
            events += [-1 - number for number in reversed(kept)]
            kept.clear()
    return events + [-1 - number for number in reversed(kept)]


def take(events: list[int], text: str) -> None:
    allocator = caching_allocator(AllocatorSettings.parse(text))
    blocks = []
    for event in events:
        if event > 0:
            block = allocator.allocate(event)
            assert block is not None
            blocks.append(block)
        else:
            allocator.free(blocks[-1 - event])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="H100 80GB")
    device = parser.parse_args().device
    console = Console()
    events = made_up(EVENTS)
    for text in SETTINGS:
        seconds = quickest(lambda text=text: take(events, text))
        console.print(f"{len(events):,} events, {text or 'default settings'}: {seconds:.3f} s")
    table = Table("model", "settings", "events", "steps", "allocated", "reserved", "segments", "s")
    for name, batch, length in MODELS:
        plan = Plan.parse(
            {
                "training": {"batch_size": batch, "sequence_length": length},
                "optimizer": {"name": "adamw", "implementation": "foreach"},
                "precision": "bf16",
            }
        )
        loop = training_loop(estimate(load(name), plan, device)._tape)
        for text in SETTINGS[:2]:
            settings = AllocatorSettings.parse(text)
            found = replay(loop, settings)
            table.add_row(
                name,
                text or "default",
                f"{loop.events:,}",
                f"{found.steps}{'' if found.settled else '+'}",
                format_bytes(found.allocated_bytes),
                format_bytes(found.reserved_bytes),
                f"{found.peak.segments:,}",
                f"{quickest(lambda loop=loop, settings=settings: replay(loop, settings)):.3f}",
            )
    console.print(table)


if __name__ == "__main__":
    main()
