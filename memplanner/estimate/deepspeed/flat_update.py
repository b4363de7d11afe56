"""The update of a rank's flat share: torch's own optimizer, recorded on one flat parameter.

ZeRO gives the optimizer a single full-precision tensor for all parameters of a rank's share
(``runtime/zero/stage_1_and_2.py: DeepSpeedZeroOptimizer.__init__``, ``stage3.py:
_create_fp32_partitions``). What the update takes is seen by recording it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from memplanner.garbage import without_collection
from memplanner.model.loaded import Batch, Model
from memplanner.plan import Plan
from memplanner.plan.optimizer import Optimizer
from memplanner.tape.record import record
from memplanner.tape.tape import OPTIMIZER_STATE
from memplanner.techniques.target import Target

_META = torch.device("meta")


@dataclass(frozen=True, slots=True)
class Update:
    """What an optimizer keeps of a flat fp32 tensor, and takes while it updates it."""

    states_bytes: int
    """Beside the tensor itself and its gradient."""
    events: tuple[tuple[int, int], ...]
    """In order: a number for each temporary, positive where it is born, and its bytes."""


class _Share(nn.Module):
    def __init__(self, elements: int) -> None:
        super().__init__()
        self.flat = nn.Parameter(torch.empty(elements, device=_META))


@lru_cache(maxsize=64)
def flat_update(optimizer: Optimizer, elements: int, target: Target) -> Update:
    """The update of ``elements`` fp32 numbers on ``target``."""
    plan = Plan(optimizer=optimizer, precision="fp32")
    module = _Share(elements)
    with without_collection():
        tape = record(_model(elements), plan, target, module)
    step = next(span for span in tape.phases if span.phase == "optimizer_step")
    born = tape.events[step.start : step.stop]
    own = {int(event) for event in born if event > 0}
    return Update(
        states_bytes=int(tape.size_bytes[tape.category == OPTIMIZER_STATE].sum()),
        events=tuple(
            (event, int(tape.size_bytes[abs(event) - 1]))
            for event in born.tolist()
            if abs(event) in own
        ),
    )


def _model(elements: int) -> Model:
    def build(device: torch.device) -> nn.Module:
        return _Share(elements)

    def batch(batch_size: int, sequence_length: int, device: torch.device) -> Batch:
        return {}

    def loss(output: object) -> torch.Tensor:
        return torch.zeros(())

    return Model(
        name="share", class_name="Share", source="", kind="share", build=build, batch=batch,
        loss=loss, parameter_count=elements, trainable_parameter_count=elements,
        takes_sequence=False, parameters_only=True,
    )  # fmt: skip
