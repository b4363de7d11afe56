"""What each layer keeps for backward, beside what autograd saves of the real module."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import memplanner as mp
from tests.truth.comparing import CPU
from tests.truth.ground_truth import Births
from tests.truth.picture_and_sound_models import PICTURES_AND_SOUND
from tests.truth.text_models import TEXT

ALL = {**TEXT, **PICTURES_AND_SOUND}
HELD_BESIDES = {
    "detr": "its outputs refer to masks and positions of the backbone",
    "conditional detr": "its outputs refer to masks and positions of the backbone",
    "videomae": "positions are a tensor of the model that no buffer is",
}
"""Models that keep tensors alive which autograd does not save, with the reason."""
pytestmark = pytest.mark.filterwarnings("ignore:.*falling back.*")


class _Owned(Births):
    """Births that know the module at work."""

    def __init__(self, module: nn.Module, batch: Any) -> None:
        before = [*module.parameters(), *module.buffers()]
        before += [leaf for leaf in tree_leaves(batch) if isinstance(leaf, torch.Tensor)]
        self.owner: dict[int, str] = {}
        self.stack = [""]
        super().__init__((tensor, "standing") for tensor in before)
        self.standing = self.alive()
        self.saved: set[int] = set()
        for name, part in module.named_modules():
            part.register_forward_pre_hook(lambda *_, name=name: self.stack.append(name))
            part.register_forward_hook(self._leave)

    def _leave(self, *_: Any) -> None:
        self.stack.pop()

    def _see(self, tensor: torch.Tensor, operation: str) -> int:
        number = super()._see(tensor, operation)
        self.owner.setdefault(number, self.stack[-1])
        return number

    def by_owner(self, numbers: set[int]) -> dict[str, int]:
        """Bytes of storages by the module that made them."""
        sums: Counter[str] = Counter()
        for number in numbers:
            sums[self.owner[number]] += self.size_bytes[number]
        return dict(+sums)

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        number = self.number_of(tensor)
        if number is not None:
            self.saved.add(number)
        return tensor


def _measured(module: Any, batch: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes by module of what autograd saved or the step returned, and of all that is alive."""
    watch = _Owned(module, batch)
    with torch.autograd.graph.saved_tensors_hooks(watch.pack, lambda tensor: tensor), watch:
        output = module(**batch)
    kept = set(watch.saved)
    for value in output.values():
        kept |= {
            number
            for leaf in tree_leaves(value)
            if isinstance(leaf, torch.Tensor) and (number := watch.number_of(leaf)) is not None
        }
    alive = watch.alive() - watch.standing
    return watch.by_owner(kept & alive), watch.by_owner(alive)


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"depth"}))  # which has no loss of its own
def test_kept_for_backward_is_what_autograd_saves(name: str, tmp_path: Path) -> None:
    small = ALL[name]
    model = mp.load(small.write(tmp_path))
    kernel = "eager" if small.attention == "eager" else "auto"
    plan = mp.Plan.model_validate(
        {
            "precision": "fp32",
            "training": {"batch_size": 2, "sequence_length": 40},
            "attention": {"kernel": kernel},
        }
    )
    prediction = mp.estimate(model, plan, device=CPU)
    told = {row.name: row.kept_bytes for row in prediction.layers if row.kept_bytes}
    saved, alive = _measured(small.build().train(), model.batch(2, 40, torch.device("cpu")))
    assert told == (alive if name in HELD_BESIDES else saved)
    assert all(alive.get(path, 0) >= size for path, size in saved.items())
    block = max(told, key=lambda path: path.count("."))
    below = sum(
        size for path, size in told.items() if path == block or path.startswith(f"{block}.")
    )
    assert sum(tensor.size_bytes for tensor in prediction.describe(block).kept) == below
