"""How long an answer takes, beside torch's MemTracker doing the same step.

    python -m benchmarks.speed [--without-mem-tracker] [--device cpu] [--device "H100 80GB"]

Each first estimate is made in a process of its own, where nothing is cached; torch, transformers
and the model's class are imported before the clock starts. Of three such the quickest counts.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from statistics import quantiles
from time import perf_counter
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from memplanner.errors import MemplannerError
from memplanner.plan import Plan
from memplanner.units import format_bytes

SMALL = "preset:llama-3.1-8b"
LARGE = "preset:llama-3.1-405b"
BASE = Plan.parse(
    {
        "training": {"batch_size": 1, "sequence_length": 2048},
        "optimizer": {"name": "adamw", "implementation": "foreach"},
        "precision": "bf16",
    }
)
STRUCTURE: dict[str, tuple[object, ...]] = {
    "precision": ("fp32", "bf16", "bf16_mixed", "fp16_mixed"),
    "optimizer.name": ("adamw", "adam", "sgd", "adafactor", "rmsprop", "adagrad"),
    "optimizer.implementation": ("auto", "for_loop", "foreach"),
    "attention.kernel": ("auto", "math", "eager"),
    "activation_checkpointing.policy": ("none", "full", "every_n", "selective"),
    "adapters.method": ("none", "lora"),
}
"""What a structural change draws from; together some two thousand plans."""
POINTS = [(batch, length) for batch in range(2, 42) for length in range(128, 6528, 64)]
"""Batch sizes and sequence lengths that a search tries."""


class Row(NamedTuple):
    """One line of the table."""

    device: str
    what: str
    figure: str
    goal: str = ""
    ratio: str = ""


def measure_first(source: str, device: str) -> dict[str, Any]:
    """In a fresh process: the seconds to open ``source`` and to answer for the first time."""
    import torch  # noqa: F401 - imported before the clock starts, as the engine's warm-up does
    import transformers.models.llama.modeling_llama  # noqa: F401 - likewise

    import memplanner
    import memplanner.estimate

    started = perf_counter()
    model = memplanner.load(source)
    opened = perf_counter()
    answer = memplanner.estimate(model, BASE, device=device)
    peak = answer.peak
    answered = perf_counter()
    answer.message().model_dump_json()
    resident = psutil.Process().memory_info().rss
    return {
        "resident_bytes": resident,
        "open": opened - started,
        "peak": answered - opened,
        "message": perf_counter() - answered,
        "allocated_bytes": peak.allocated_bytes,
        "reserved_bytes": peak.reserved_bytes,
    }


def measure_changes(source: str, device: str, count: int, structures: int) -> dict[str, Any]:
    """In a fresh process: seconds of each of many random changes to the plan."""
    import memplanner

    chance = random.Random(0)  # noqa: S311 - no secret, and the same plans each time
    model = memplanner.load(source)
    memplanner.estimate(model, BASE, device=device).peak  # noqa: B018 - computes it

    def seconds(changes: Iterable[dict[str, object]]) -> list[float]:
        taken = []
        for change in changes:
            plan = BASE.with_values(change)
            started = perf_counter()
            memplanner.estimate(model, plan, device=device).peak  # noqa: B018 - computes it
            taken.append(perf_counter() - started)
        return taken

    memplanner.estimate(model, BASE, device=device).prepare_changes()  # as an idle engine does
    batches = chance.sample(range(2, 4096), count)
    lengths = chance.sample(range(16, 32768), count)
    import peft  # noqa: F401 - an idle engine has imported it too

    single = [{key: value} for key, values in STRUCTURE.items() for value in values[1:]]
    several, refused = [], 0
    for change in _structures(chance, structures):
        try:
            several += seconds([change])
        except MemplannerError:  # such as a fused kernel that takes no fp32
            refused += 1
    return {
        "batch size": seconds({"training.batch_size": size} for size in batches),
        "sequence length": seconds({"training.sequence_length": length} for length in lengths),
        "one structural choice": seconds(single),
        "a choice seen before": seconds(single * 5),
        "several choices at once": several,
        "refused": refused,
        "plans a second": _plans_a_second(model, device),
    }


def _plans_a_second(model: Any, device: str) -> float:
    """Peaks of batch sizes and sequence lengths together, as a search asks for them."""
    from memplanner.estimate import recorder
    from memplanner.hardware import find_device
    from memplanner.techniques.target import Target

    target = Target.of(find_device(device))
    recorder(model).peaks_bytes(BASE, target, POINTS[:100])
    started = perf_counter()
    recorder(model).peaks_bytes(BASE, target, POINTS)
    return len(POINTS) / (perf_counter() - started)


def _structures(chance: random.Random, count: int) -> Iterable[dict[str, object]]:
    """``count`` different structural changes, in a random order."""
    seen: set[tuple[object, ...]] = set()
    while len(seen) < count:
        drawn = {key: chance.choice(values) for key, values in STRUCTURE.items()}
        if tuple(drawn.values()) not in seen:
            seen.add(tuple(drawn.values()))
            yield drawn


def measure_mem_tracker(source: str) -> dict[str, Any]:
    """In a fresh process: MemTracker on the same step."""
    from benchmarks.mem_tracker import track

    tracked = track(source, BASE.training.batch_size, BASE.training.sequence_length)
    return {"seconds": tracked.seconds, "step_seconds": tracked.step_seconds,
            "peak_bytes": tracked.peak_bytes}  # fmt: skip


MEASUREMENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "first": measure_first,
    "changes": measure_changes,
    "mem_tracker": measure_mem_tracker,
}


def apart(name: str, *arguments: object) -> dict[str, Any]:
    """The measurement ``name``, made in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.speed",
        "--measure",
        json.dumps([name, *arguments]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} {arguments} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def help_seconds(times: int = 5) -> float:
    """The least seconds of ``memplanner --help``, interpreter and all."""
    code = "import sys; sys.argv = ['memplanner', '--help']; import memplanner.cli as c; c.main()"
    taken = []
    for _ in range(times):
        started = perf_counter()
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
        taken.append(perf_counter() - started)
    return min(taken)


def import_seconds(times: int = 5) -> float:
    """The least seconds that ``import memplanner`` takes in a running interpreter."""
    code = (
        "import time; started = time.perf_counter(); import memplanner;"
        "print(time.perf_counter() - started)"
    )
    taken = []
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        taken.append(float(done.stdout))
    return min(taken)


def first_answer(source: str, device: str, times: int = 3) -> dict[str, Any]:
    """The quickest of some first answers, each in a process of its own: the least disturbed."""
    return min((apart("first", source, device) for _ in range(times)), key=lambda one: one["peak"])


def of_device(device: str, count: int, structures: int) -> tuple[list[Row], float, int]:
    """The rows of one device; the 8B's first answer in seconds, and its peak in bytes."""
    small = first_answer(SMALL, device)
    large = first_answer(LARGE, device)
    changes = apart("changes", SMALL, device, count, structures)
    first, peak_bytes = small["peak"], small["allocated_bytes"]
    rows = [
        Row(device, "open the 8B", f"{small['open']:.2f} s"),
        Row(device, "first estimate of the 8B", f"{first:.3f} s", "under 0.5 s",
            f"peak {format_bytes(peak_bytes)}"),
        Row(device, "its layers and timeline as JSON", f"{small['message'] * 1e3:.0f} ms"),
        Row(device, "first estimate of the 405B", f"{large['peak']:.3f} s",
            "at most 1.3 × the 8B", f"{large['peak'] / first:.2f} × the 8B"),
        Row(device, "resident after it, torch included", format_bytes(large["resident_bytes"]),
            "at most 1 GiB"),
    ]  # fmt: skip
    for what, goal in (
        ("batch size", "p95 under 1 ms"),
        ("sequence length", "p95 under 1 ms"),
        ("one structural choice", "p95 under 150 ms"),
        ("a choice seen before", "p95 under 2 ms"),
        ("several choices at once", ""),
    ):
        taken = changes[what]
        middle, high = quantiles(taken, n=20)[9], quantiles(taken, n=20)[18]
        note = f"{len(taken)} changes"
        if what == "several choices at once" and changes["refused"]:
            note += f", {changes['refused']} refused"
        rows.append(Row(device, f"{what}, p50 and p95",
                        f"{middle * 1e3:.2f} ms, {high * 1e3:.2f} ms", goal, note))  # fmt: skip
    rows.append(Row(device, "plans of a search a second", f"{changes['plans a second']:,.0f}"))
    return rows, first, peak_bytes


def tracker_row(first: float, peak_bytes: int) -> Row:
    """MemTracker on the same step, held against the first estimate on the CPU."""
    tracked = apart("mem_tracker", SMALL)
    apart_by = (tracked["peak_bytes"] - peak_bytes) / peak_bytes
    return Row(
        "cpu",
        "the same by MemTracker, build and two steps",
        f"{tracked['seconds']:.1f} s",
        "at least 200 × ours",
        f"{tracked['seconds'] / first:.0f} × ours; peak {format_bytes(tracked['peak_bytes'])}, "
        f"{apart_by:+.2%} from ours",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--without-mem-tracker", action="store_true", help="it takes a minute")
    parser.add_argument("--device", action="append", help="may be repeated; cpu and an H100")
    parser.add_argument("--changes", type=int, default=300, help="of each number")
    parser.add_argument("--structures", type=int, default=60, help="different structural changes")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, *arguments = json.loads(options.measure)
        print(json.dumps(MEASUREMENTS[name](*arguments)))
        return
    rows = [
        Row("", "memplanner --help", f"{help_seconds():.2f} s"),
        Row("", "import memplanner", f"{import_seconds() * 1e3:.0f} ms"),
    ]
    on_cpu: tuple[float, int] | None = None
    for device in options.device or ["cpu", "H100 80GB"]:
        more, first, peak_bytes = of_device(device, options.changes, options.structures)
        rows += more
        if device == "cpu":
            on_cpu = first, peak_bytes
    if on_cpu is not None and not options.without_mem_tracker:
        rows.append(tracker_row(*on_cpu))
    show(rows)


def show(rows: Iterable[Row]) -> None:
    """Prints the table."""
    training = BASE.training
    table = Table(
        title=f"Llama-3.1, bf16, AdamW for-each, {training.batch_size} × {training.sequence_length}"
    )
    for heading in ("device", "", "measured", "goal", "beside"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    Console(width=max(130, Console().width)).print(table)


if __name__ == "__main__":
    main()
