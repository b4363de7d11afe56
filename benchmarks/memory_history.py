"""Records what torch's allocator does on a card, and holds the model of it against that.

    python -m benchmarks.memory_history record history.json.gz [--steps 3]
    python -m benchmarks.memory_history compare history.json.gz

``record`` needs a CUDA card and trains a small language model from process start, under whatever
``PYTORCH_CUDA_ALLOC_CONF`` says; ``compare`` runs anywhere. The file holds plain numbers: each
entry's action, address, size and stream, with the card, the driver's and torch's versions.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from memplanner.estimate.allocator.history import compare
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.units import format_bytes

NAMES = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
MOST_ENTRIES = 1_000_000


class Language(nn.Module):
    """A small transformer: enough storages of enough sizes to fill both pools."""

    def __init__(self, width: int = 768, layers: int = 8, words: int = 32_000) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, width)
        layer = nn.TransformerEncoderLayer(width, 12, 4 * width, batch_first=True)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, words)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """The loss of predicting ``words`` from themselves."""
        scores = self.head(self.body(self.embed(words)))
        return nn.functional.cross_entropy(scores.flatten(0, 1), words.flatten())


def train(steps: int) -> None:
    model = Language().to("cuda")
    optimizer = torch.optim.AdamW(model.parameters())
    for step in range(steps):
        words = torch.randint(0, 32_000, (4, 256 + 64 * (step % 2)), device="cuda")
        model(words).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    torch.cuda.synchronize()


def record(path: Path, steps: int) -> None:
    torch.cuda.memory._record_memory_history(context=None, max_entries=MOST_ENTRIES)
    train(steps)
    reserved = torch.cuda.max_memory_reserved()
    trace = torch.cuda.memory._snapshot()["device_traces"][torch.cuda.current_device()]
    torch.cuda.memory._record_memory_history(enabled=None)
    card = torch.cuda.get_device_properties(torch.cuda.current_device())
    found = {
        "card": card.name,
        "device_bytes": card.total_memory,
        "driver": _driver(),
        "torch": torch.__version__,
        "environment": {name: os.environ[name] for name in NAMES if name in os.environ},
        "max_reserved_bytes": reserved,
        "history": [
            {name: entry[name] for name in ("action", "addr", "size", "stream")}
            for entry in trace
            if "addr" in entry
        ],
    }
    path.write_bytes(gzip.compress(json.dumps(found).encode()))
    print(f"{len(found['history'])} entries, {format_bytes(reserved)} reserved: {path}")


def _driver() -> str:
    import pynvml

    pynvml.nvmlInit()
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    finally:
        pynvml.nvmlShutdown()


def compare_file(path: Path) -> bool:
    """Whether the modelled curve equals the recorded one."""
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    settings = AllocatorSettings.from_environment(found["environment"])
    result = compare(found["history"], settings, device_bytes=found["device_bytes"])
    print(f"{found['card']}, driver {found['driver']}, torch {found['torch']}")
    if result.first_difference is None:
        print(f"equal at all {len(result.entries)} moments")
        return True
    print(
        f"apart from entry {result.first_difference} on, "
        f"by up to {format_bytes(result.largest_difference_bytes)}"
    )
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--steps", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.what == "compare":
        sys.exit(not compare_file(chosen.path))
    if not torch.cuda.is_available():
        sys.exit("Recording needs a CUDA card and a torch built for it.")
    record(chosen.path, chosen.steps)


if __name__ == "__main__":
    main()
