"""A run of one rank: a session that meets the others, and its own way to run a step.

accelerate drops FSDP on the CPU without a word, and would wrap what the plan has wrapped already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from itertools import islice

import torch
import torch.distributed as dist
from torch.nn.attention import sdpa_kernel

from memplanner.errors import RunError
from memplanner.messages.run import RunEvent
from memplanner.model.data import TrainingData
from memplanner.model.loaded import Batch, Model
from memplanner.plan.sharding import Sharding
from memplanner.run.backend import KERNELS, CountingBackend, torch_device
from memplanner.run.interruption import Interruption
from memplanner.run.memory_limit import limit_memory
from memplanner.run.quality import Judge
from memplanner.run.request import RunRequest
from memplanner.run.session import Session
from memplanner.techniques.parallel.mesh import data_place
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.prepare import Prepared, compression
from memplanner.techniques.target import Target

_SEED = 0
"""The same on all ranks: random weights are those of one model."""
_ASYNCHRONOUS = (
    "On the CPU gloo lets go of what it gathered or reduced in a thread of its own, so a peak may "
    "lie up to one block above the prediction."
)


@dataclass(slots=True)
class RankSession(Session):
    """Carries out a request on one of its ranks; torchrun's environment says where the others are.

    Every rank does the same at the same time, or the others wait for it for ever.
    """

    rank: int = 0

    @classmethod
    def of(
        cls,
        request: RunRequest,
        send: Callable[[RunEvent], None],
        interruption: Interruption,
        rank: int,
    ) -> RankSession:
        """The session of ``rank``, on a card of its own where the plan is for cards."""
        device = request.device
        if device.kind != "cpu":
            device = device.model_copy(update={"index": int(os.environ["LOCAL_RANK"])})
        mine = request.ranks[rank].predicted
        request = request.model_copy(update={"device": device, "predicted": mine})
        return cls(request, send, interruption, rank=rank)

    def _join(self) -> torch.device:
        """The rank's device, with the process group made. Raises ``RunError``."""
        device = torch_device(self.request.device)
        started, planned = int(os.environ["WORLD_SIZE"]), self.request.plan.sharding.ranks
        if started != planned:
            raise RunError(
                f"The plan is for {planned} ranks, and {started} were started; start {planned}, "
                f"with torchrun --nproc-per-node {planned}."
            )
        # small tensors in host memory go by gloo on cards as well
        dist.init_process_group("gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl")
        torch.manual_seed(_SEED)
        return device

    def _target(self) -> Target:
        return replace(Target.of(self.request.device), rank=self.rank)

    def _limit_memory(self) -> None:
        limit_memory(self.request.device, processes=self.request.plan.sharding.cards_per_node)

    def _judge(self, model: Model, device: torch.device) -> Judge | None:
        if compression(self.request.plan):
            self.notes.append(
                "What compression costs is judged by a run on one card; this one only measures "
                "memory."
            )
        return None

    def _own(self, data: TrainingData) -> TrainingData:
        section = self.request.plan.sharding
        place = data_place(section, self.rank)
        torch.manual_seed(_SEED + 1 + place)
        return replace(data, batches=own_batches(data.batches, section, self.rank))

    def _backend(self, prepared: Prepared, device: torch.device) -> CountingBackend:
        if device.type == "cpu" and self.request.plan.sharding.fully_sharded:
            self.notes.append(_ASYNCHRONOUS)
        return RankBackend(prepared, device)

    def _ends_early(self) -> bool:
        """All ranks stop after the same step: what one was told, it tells the others."""
        asked = torch.tensor([int(self.interruption.after_step)])
        dist.all_reduce(asked, op=dist.ReduceOp.MAX)
        self.interruption.after_step = bool(asked.item())
        return self.interruption.after_step


def own_batches(batches: Iterator[Batch], section: Sharding, rank: int) -> Iterator[Batch]:
    """Every n-th micro-batch, where n ranks train on different data."""
    return islice(batches, data_place(section, rank), None, section.data_degree)


class RankBackend:
    """Runs the parts of a step as accelerate does, on a module that is sharded already."""

    def __init__(self, prepared: Prepared, device: torch.device) -> None:
        plan = prepared.plan
        self._device_kind, self._autocast = device.type, autocast_type(plan)
        self._kernel = KERNELS.get(plan.attention.kernel)
        self._micro_batches = plan.training.gradient_accumulation_steps
        self._scaler = torch.amp.GradScaler(device.type, enabled=plan.precision == "fp16_mixed")
        self.updates = 0

    def forward_context(self) -> AbstractContextManager[object]:
        """Autocast and the attention kernel, as the plan asks."""
        stack = ExitStack()
        if self._autocast is not None:
            stack.enter_context(torch.autocast(self._device_kind, dtype=self._autocast))
        if self._kernel is not None:
            stack.enter_context(sdpa_kernel(self._kernel))
        return stack

    def backward(self, loss: torch.Tensor) -> None:
        """Divides the loss by the micro-batches, scales it for fp16, runs backward."""
        if self._micro_batches > 1:
            loss = loss / self._micro_batches
        self._scaler.scale(loss).backward()

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Steps the optimizer, through the loss scaler where there is one."""
        scale = self._scaler.get_scale()
        self._scaler.step(optimizer)
        self._scaler.update()
        if not self._scaler.is_enabled() or self._scaler.get_scale() >= scale:
            self.updates += 1  # a smaller scale says that the gradients had overflowed
