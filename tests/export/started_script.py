"""An exported script that has built its model and made its first steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tests.truth.ground_truth import standing


def started(script: Any) -> tuple[Callable[[], None], list[torch.Tensor]]:
    """Two more steps of the script, to be called, and the tensors that stand before them."""
    device = torch.device("cpu")
    module = script.build_model(device)
    optimizer = script.build_optimizer(module)
    batches = script.make_batches(device, None)

    def steps() -> None:
        script.train(module, optimizer, batches, 2, device)

    steps()  # makes the optimizer's state
    return steps, list(standing(module, optimizer, {}))
