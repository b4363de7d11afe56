"""Estimated step times beside throughputs that others measured on CUDA cards and published.

    python -m benchmarks.throughput [--fit] [--model "MPT 1b"]

It needs no card. ``reference/throughput.csv`` holds the rows: MosaicML's llm-foundry,
``scripts/train/benchmarking/README.md`` at 061f2c7 (MPT, FSDP over the eight cards of a node, bf16
mixed precision, torch 1.13 with a Triton kernel of FlashAttention). Every second row is held out:
the parts of a card's rates (``memplanner/hardware/rates.py``) are fitted on the others.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import track
from rich.table import Table

from memplanner.estimate import recorder
from memplanner.estimate.step_time import Evaluated, evaluate_table
from memplanner.estimate.step_work import StepWork
from memplanner.hardware import find_device
from memplanner.hardware.rates import (
    BEFORE_HOPPER,
    FROM_HOPPER,
    OLD_ATTENTION,
    Efficiency,
    rates_of,
)
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.techniques.target import Target

ROWS = Path(__file__).with_name("reference") / "throughput.csv"
VOCABULARY = 50368
GENERATIONS = {
    "A100 80GB": ("BEFORE_HOPPER", BEFORE_HOPPER),
    "H100 80GB": ("FROM_HOPPER", FROM_HOPPER),
}
GRID = (
    [0.50 + 0.05 * step for step in range(9)],
    [0.15, 0.20, 0.25, 0.30, 0.35, 0.40],
    [0.30, 0.40, 0.50, 0.60, 0.70, 0.80],
)
"""Tried for products, attention and memory."""


@dataclass(frozen=True)
class Row:
    """A published step, and the work of the same step as it is recorded here."""

    name: str
    card: str
    plan: Plan
    measured_seconds: float
    work: StepWork

    def estimated(self, parts: Efficiency) -> Evaluated:
        """The step at these parts of the card's rates."""
        device = find_device(self.card)
        rates = rates_of(device, parts)
        assert rates is not None
        training = self.plan.training
        point = training.batch_size, training.sequence_length
        return evaluate_table(self.work, self.plan, device, [point], rates)

    def ratio(self, parts: Efficiency) -> float:
        """Estimated over measured."""
        return float(self.estimated(parts).parts.sum()) / self.measured_seconds


def main() -> None:
    """Prints the table, and of both halves the median and the worst error."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--fit", action="store_true", help="fit the parts anew and print them")
    parser.add_argument("--model", help="rows of this model alone")
    options = parser.parse_args()
    console = Console()
    with TemporaryDirectory() as folder:
        rows = read_rows(Path(folder), options.model)
    for card, (name, known) in GENERATIONS.items():
        own = [row for row in rows if row.card == card]
        if not own:
            continue
        fitted, held_out = own[::2], own[1::2]
        parts = Efficiency(
            products=known.products, attention=OLD_ATTENTION[name], memory=known.memory
        )
        if options.fit:
            parts = fit(fitted)
        console.print(table(card, own, parts))
        for title, half in (("fitted on", fitted), ("held out", held_out)):
            console.print(f"{card}, {title}: {summary(half, parts)}", soft_wrap=True)
        console.print(f"{card}: {parts}")


def read_rows(folder: Path, model: str | None) -> list[Row]:
    """The rows with their work; models are written to ``folder``."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        listed = [line for line in csv.DictReader(file) if model in (None, line["model"])]
    return [_row(folder, line) for line in track(listed, "Recording")]


def _row(folder: Path, line: dict[str, str]) -> Row:
    length, batch = int(line["sequence_length"]), int(line["batch_size"])
    path = folder / f"{line['model']}-{length}"
    path.mkdir(exist_ok=True)
    path.joinpath("config.json").write_text(json.dumps(_config(line)), encoding="utf-8")
    model = load(path)
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
    records = recorder(model)
    [(work, _)] = records.work_at(plan, Target.of(find_device(line["card"])), [(batch, length)])
    tokens = batch * length * int(line["accumulation"])
    seconds = tokens / float(line["tokens_per_second_per_card"])
    return Row(f"{line['model']}, {length} tokens", line["card"], plan, seconds, work)


def _config(line: dict[str, str]) -> dict[str, object]:
    """GPT-2 with MPT's sizes: the same products, attention and head."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_embd": int(line["width"]),
        "n_layer": int(line["layers"]),
        "n_head": int(line["heads"]),
        "n_positions": int(line["sequence_length"]),
        "vocab_size": VOCABULARY,
        "activation_function": "gelu",
        "attn_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "tie_word_embeddings": True,
    }


def fit(rows: Sequence[Row]) -> Efficiency:
    """The parts whose estimates are nearest on average."""
    tried = [
        Efficiency(products=products, attention=attention, memory=memory)
        for products, attention, memory in product(*GRID)
    ]
    return min(tried, key=lambda parts: sum(abs(row.ratio(parts) - 1) for row in rows))


def summary(rows: Sequence[Row], parts: Efficiency) -> str:
    """Errors in words."""
    ratios = sorted(row.ratio(parts) for row in rows)
    if not ratios:
        return "no rows"
    errors = [abs(ratio - 1) for ratio in ratios]
    tenth = len(ratios) // 10
    return (
        f"{len(ratios)} steps, median error {median(errors):.1%}, worst {max(errors):.1%}; "
        f"estimated over measured {ratios[0]:.2f} to {ratios[-1]:.2f}, "
        f"four of five {ratios[tenth]:.2f} to {ratios[-1 - tenth]:.2f}"
    )


def table(card: str, rows: Sequence[Row], parts: Efficiency) -> Table:
    """A line for each step."""
    made = Table(title=card)
    for heading in ("step", "batch", "measured", "estimated", "over measured", "half"):
        made.add_column(heading, justify="left" if heading == "step" else "right")
    for place, row in enumerate(rows):
        ratio = row.ratio(parts)
        made.add_row(
            row.name,
            str(row.plan.training.batch_size),
            f"{row.measured_seconds:.2f} s",
            f"{ratio * row.measured_seconds:.2f} s",
            f"{ratio:.2f}",
            "held out" if place % 2 else "fitted on",
        )
    return made


if __name__ == "__main__":
    main()
