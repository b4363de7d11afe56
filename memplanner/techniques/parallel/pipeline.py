"""Pipeline parallelism by ``torch.distributed.pipelining``: stages and the order of their work.

GPipe (Huang et al. 2019, arXiv:1811.06965), 1F1B and interleaved 1F1B (Narayanan et al. 2021,
arXiv:2104.04473), zero bubble (Qi et al. 2023, arXiv:2401.10241, its ZB-1P): torch's own schedules
run as they are, on real ranks and on a weightless one. torch keeps a buffer for what each
micro-batch receives, for all micro-batches of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
)

from memplanner.errors import PlanError
from memplanner.messages.estimate import Phase
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.pipeline_parts import Part
from memplanner.techniques.parallel.stages import Received, Stages

_SCHEDULES = "torch.distributed.pipelining.schedules."
_SINGLE: dict[str, Any] = {"gpipe": ScheduleGPipe, "1f1b": Schedule1F1B}
_SEVERAL: dict[str, Any] = {
    "interleaved_1f1b": ScheduleInterleaved1F1B,
    "zero_bubble": ScheduleInterleavedZeroBubble,
}


class Around(Protocol):
    """What a step does around the work of a stage."""

    def forward_context(self) -> AbstractContextManager[object]:
        """What a forward runs in."""

    def phase(self, phase: Phase, micro_batch: int) -> None:
        """A phase begins."""

    def working_for(self, module: nn.Module) -> AbstractContextManager[None]:
        """Inside it, gradients of ``module`` are brought together."""

    def loss(self, output: Any) -> torch.Tensor:
        """The loss of one micro-batch."""


class Stage(PipelineStage):
    """A stage that tells of its phases, and takes and gives what its part of the model does.

    The last stage gives the loss: its outputs are gone with it. ``main_input`` and ``hidden`` are
    weightless tensors such as the first stage takes, and hands on.
    """

    def __init__(
        self,
        module: nn.Module,
        part: Part,
        stages: Stages,
        around: Around,
        *,
        main_input: torch.Tensor | None,
        hidden: torch.Tensor,
        buffers: int,
        device: torch.device,
        group: dist.ProcessGroup,
    ) -> None:
        anatomy = stages.anatomy
        scalar = torch.empty((), device="meta", requires_grad=True)
        super().__init__(
            module,
            part.stage,
            part.stages,
            device,
            input_args=main_input if part.is_first else hidden,
            output_args=scalar if part.is_last else hidden,
            group=group,
        )
        self._around, self._buffers, self._hidden_type = around, buffers, hidden.dtype
        self._hidden_shape = tuple(hidden.shape)
        self._called = anatomy.main_input if part.is_first else anatomy.handed_as
        self._name = anatomy.name
        self._received = [each for each in module.modules() if isinstance(each, Received)]

    def forward_one_chunk(self, fwd_chunk_id: int, *given: Any, **named: Any) -> Any:
        """Forward of one micro-batch."""
        self._around.phase("forward", fwd_chunk_id)
        with _own_errors():
            return super().forward_one_chunk(fwd_chunk_id, *given, **named)

    def backward_one_chunk(self, bwd_chunk_id: int, *given: Any, **named: Any) -> None:
        """Backward of one micro-batch, or of its inputs alone."""
        self._around.phase("backward", bwd_chunk_id)
        with _own_errors(), self._around.working_for(self.submod):  # which ends with it
            super().backward_one_chunk(bwd_chunk_id, *given, **named)

    def backward_weight_one_chunk(self, bwd_chunk_id: int, last_backward: bool = False) -> None:
        """The rest of a backward of the inputs."""
        self._around.phase("backward", bwd_chunk_id)
        with self._around.working_for(self.submod):
            super().backward_weight_one_chunk(bwd_chunk_id, last_backward)

    def forward_maybe_with_nosync(self, *given: Any, **named: Any) -> torch.Tensor:
        """The part's forward, and the loss of the last one."""
        for each in self._received:
            each.told(given[0])
        with self._around.forward_context():
            output = super().forward_maybe_with_nosync(  # type: ignore[no-untyped-call]  # torch's
                **{self._called: given[0]}, **named
            )
            if self.is_last:
                return self._around.loss(output)
        if output.dtype != self._hidden_type:
            raise PlanError(
                f"{self._name} hands {_word(output.dtype)} from stage to stage where "
                f"{_word(self._hidden_type)} was planned; choose precision=fp32 or bf16."
            )
        if tuple(output.shape) != self._hidden_shape:
            raise PlanError(
                f"{self._name} hands {tuple(output.shape)} from stage to stage where "
                f"{self._hidden_shape} was planned; choose sharding.pipeline=1."
            )
        return output  # type: ignore[no-any-return]  # torch's own lack of types

    def _setup_forward_recv_info(self, num_microbatches: int, has_backward: bool) -> None:
        super()._setup_forward_recv_info(max(num_microbatches, self._buffers), has_backward)

    def _setup_backward_recv_info(self, num_microbatches: int) -> None:
        super()._setup_backward_recv_info(max(num_microbatches, self._buffers))
        self.chunks = num_microbatches


@contextmanager
def _own_errors() -> Iterator[None]:
    """Raises what the model's code raised, which torch wraps in the chunk's arguments."""
    try:
        yield
    except RuntimeError as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None


class AloneStage(Stage):
    """A weightless stage: the others, who are not there, agree with it."""

    def _warmup_forward_vote(
        self, has_backward: bool, received_acc: torch.Tensor | None = None
    ) -> torch.Tensor:
        return torch.ones(1, dtype=torch.int32)

    def _warmup_backward_result(self, received_result: torch.Tensor | None = None) -> torch.Tensor:
        return torch.ones(1, dtype=torch.int32)


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def make_schedule(
    section: Sharding, stages: Sequence[Stage], micro_batches: int, *, divided_by: int
) -> Any:
    """The plan's schedule, which is torch's own, for the stages of this rank.

    Losses are divided, as accumulation divides them.
    """

    def divided(loss: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return loss / divided_by if divided_by > 1 else loss

    if section.schedule in _SINGLE:
        kind: Callable[..., Any] = _SINGLE[section.schedule]
        return kind(stages[0], micro_batches, loss_fn=divided, scale_grads=False)
    kind = _SEVERAL[section.schedule]
    return kind(list(stages), micro_batches, loss_fn=divided, scale_grads=False)


def shorten(schedule: Any, in_flight: int, count: int) -> None:
    """Has a schedule of one stage a card run ``count`` micro-batches from its next step on.

    Under 1F1B at most ``in_flight`` of them before the first backward, which torch counts by the
    stages that come after.
    """
    stage = schedule._stage
    schedule._n_microbatches = stage.chunks = count
    if isinstance(schedule, Schedule1F1B):
        schedule._num_stages = stage.stage_index + in_flight


class _Sent:
    """What is under way holds its tensor, as the works of gloo and NCCL do."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._tensor = tensor

    def wait(self) -> None:
        """It has come."""


@contextmanager
def nobody_there(left_out: int) -> Iterator[None]:
    """Inside it, what a weightless rank sends and receives goes nowhere.

    ``left_out`` messages more than there are hold a tensor from the first one to the end.
    """
    held: list[torch.Tensor] = []

    def sent(operations: list[Any], desc: str | None = None) -> list[_Sent]:
        if not held:
            held.extend(
                torch.empty_like(operation.tensor)
                for operation in operations[:1] for _ in range(left_out)
            )  # fmt: skip
        for operation in operations:
            if operation.op is dist.isend:  # goes nowhere, and is counted
                dist.isend(operation.tensor, group=operation.group, group_dst=operation.group_peer)
        return [_Sent(operation.tensor) for operation in operations]

    with patch(_SCHEDULES + "_batch_p2p", sent):
        yield


def sent_to_the_end(section: Sharding, parts: Sequence[Part]) -> int:
    """How many of a micro-batch's messages from these stages are held until the step ends.

    Schedules of several stages a card wait for what they sent at the end only.
    """
    if section.schedule in _SINGLE:
        return 0
    return sum((not part.is_first) + (not part.is_last) for part in parts)


def exchange(*, weightless: bool, left_out: int) -> AbstractContextManager[None]:
    """What a step's messages run in."""
    return nobody_there(left_out) if weightless else nullcontext()
