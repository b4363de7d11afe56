"""How long the pictures of every distinct rank take, of a 405B over 1,024 cards.

    python -m benchmarks.many_ranks [--device "H100 80GB"]

torch, transformers and the model's class are imported before the clock starts, and the model is
open. The first estimate records one rank of each kind; another sequence length records what it
needs to know how sizes grow; after that, lengths and batches are arithmetic.
"""

from __future__ import annotations

import argparse
from time import perf_counter, process_time

from rich.console import Console
from rich.table import Table

import memplanner
from memplanner.plan import Plan

MODEL = "preset:llama-3.1-405b"
CARDS = {"sharding.nodes": 128, "sharding.cards_per_node": 8, "precision": "bf16"}
PLANS: dict[str, dict[str, object]] = {
    "ZeRO-3": {"sharding.data": "zero_3"},
    "tensor 8 × ZeRO-3": {"sharding.tensor": 8, "sharding.data": "zero_3"},
    "tensor 8 × pipeline 8 × ZeRO-2, 16 micro-batches": {
        "sharding.tensor": 8,
        "sharding.pipeline": 8,
        "sharding.data": "zero_2",
        "training.gradient_accumulation_steps": 16,
    },
    "tensor 8 × pipeline 16 × ZeRO-2, 32 micro-batches": {
        "sharding.tensor": 8,
        "sharding.pipeline": 16,
        "sharding.data": "zero_2",
        "training.gradient_accumulation_steps": 32,
    },
}
LENGTHS = {"first": 2048, "another length": 4096, "once recorded": 3072}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="H100 80GB")
    device = parser.parse_args().device
    small = {"precision": "bf16", "sharding.cards_per_node": 2, "sharding.data": "zero_3"}
    memplanner.estimate(  # imports all that is needed
        memplanner.load("preset:smollm2-135m"), Plan().with_values(small), device
    )
    table = Table("1,024 cards", "ranks told apart", *LENGTHS)
    for name, values in PLANS.items():
        model = memplanner.load(MODEL)
        told, cells = 0, []
        for length in LENGTHS.values():
            plan = Plan().with_values({**CARDS, **values, "training.sequence_length": length})
            started, worked = perf_counter(), process_time()
            prediction = memplanner.estimate(model, plan, device)
            figures = () if prediction.over is None else prediction.over.first_figures()
            told = len(figures)
            cells.append(f"{perf_counter() - started:.2f} s ({process_time() - worked:.2f} s)")
        table.add_row(name, str(told), *cells)
    Console().print(table)
    Console().print("In parentheses: the processor's seconds of this process.")


if __name__ == "__main__":
    main()
