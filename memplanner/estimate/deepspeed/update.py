"""The optimizer step of a rank's share, put into the tape, and what stands there for it."""

from __future__ import annotations

from dataclasses import replace

from memplanner.estimate.deepspeed.editing import TapeEdit
from memplanner.estimate.deepspeed.flat_update import flat_update
from memplanner.estimate.deepspeed.gradients import Gradients
from memplanner.estimate.deepspeed.share import Share
from memplanner.plan import Plan
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import COMMUNICATION, GRADIENTS, OPTIMIZER_STATE, TEMPORARIES
from memplanner.techniques.target import Target

_NVME_BUFFERS = 4
"""``buffer_count`` of the optimizer (``offload_config.py: DeepSpeedZeroOffloadOptimizerConfig``);
each has room for the largest update group in fp32."""
_LOOKED_THROUGH = 3
"""Bytes of an element in half precision that ``torch.isinf`` takes: its absolute value, and a
truth value (torch's ``aten/src/ATen/native/TensorCompare.cpp: isinf``)."""


def place_update(
    edit: TapeEdit, share: Share, plan: Plan, target: Target, gradients: Gradients
) -> None:
    """Full-precision weights and states, and the optimizer step in place of the recorded one.

    Without offload each update group's gradient is flattened, widened to fp32 and freed after it
    (``stage_1_and_2.py: step``, ``stage3.py: _prepare_fp32_grad_for_sub_group,
    _release_sub_group``).
    """
    tape, section = edit.tape, plan.sharding
    for span in tape.phases:
        if span.phase == "optimizer_step":
            for event in tape.events[span.start : span.stop].tolist():
                if event > 0:
                    edit.remove(event - 1)
    step = next(number for number, span in enumerate(tape.phases) if span.phase == "optimizer_step")
    if section.offload_optimizer != "none":
        _update_on_host(edit, share, plan, target)
        gradients.release(step)
        return
    _look_at_gradients(edit, share, plan, step)
    states = 0
    for number, elements in enumerate(share.update_groups):
        update = flat_update(plan.optimizer, elements, replace(target, rank=0))
        states += update.states_bytes
        flat = edit.add("flattened gradients", share.accumulated_itemsize * elements, GRADIENTS)
        edit.make(flat, -1, span=step)
        if plan.precision != "fp32":
            wide = edit.add("full-precision gradients", 4 * elements, GRADIENTS)
            edit.make(wide, -1, span=step)
            edit.free(flat, -1, span=step)
        else:
            wide = flat
        if section.data != "zero_3":
            gradients.release(step)
        born: dict[int, int] = {}
        for event, size in update.events:
            if event > 0:
                born[event] = edit.add(f"optimizer step {number}", size, TEMPORARIES)
                edit.make(born[event], -1, span=step)
            else:
                edit.free(born.pop(-event), -1, span=step)
        for left in born.values():
            edit.free(left, -1, span=step)
        edit.free(wide, -1, span=step)
    # ZeRO-3 updates shares that are fp32 already in place (``stage3.py: _create_fp32_partitions``)
    if section.data != "zero_3" or plan.precision != "fp32":
        edit.stand("full-precision weights", 4 * share.elements, OPTIMIZER_STATE)
    edit.stand("optimizer states", states, OPTIMIZER_STATE)
    _gather_updated(edit, share, plan, step)


def _look_at_gradients(edit: TapeEdit, share: Share, plan: Plan, step: int) -> None:
    """Temporaries of the look for infinite gradients and of their norm, which is taken in fp64.

    ZeRO-3 in fp16 looks through its whole share (``stage3.py: has_overflow``); the others look
    without temporaries (``runtime/utils.py: has_inf_or_nan``). The norm is that of one parameter
    after the other (``get_grad_norm_direct`` of both).
    """
    looked = [("norm of a gradient in fp64", 8 * min(share.largest, share.elements))]
    if plan.sharding.data == "zero_3" and plan.precision == "fp16_mixed":
        looked.insert(0, ("look for infinite gradients", _LOOKED_THROUGH * share.elements))
    for what, size_bytes in looked:
        taken = edit.add(what, size_bytes, TEMPORARIES)
        edit.make(taken, -1, span=step)
        edit.free(taken, -1, span=step)


def _update_on_host(edit: TapeEdit, share: Share, plan: Plan, target: Target) -> None:
    """Host memory of the offloaded update; on NVMe its buffers in host memory.

    Weights, gradients and states in fp32, and a buffer of the parameters' type for the way back
    (``stage_1_and_2.py: param_buffer_of_bit16_for_cpu_offload_groups``) or for gathered gradients
    (``stage3.py: grad_partitions_flat_buffer``).
    """
    states = 0
    for elements in share.update_groups:
        states += flat_update(plan.optimizer, elements, replace(target, rank=0)).states_bytes
    whole = 8 * share.elements + states
    if plan.sharding.offload_optimizer == "nvme":
        whole = 4 * _NVME_BUFFERS * max(share.update_groups, default=0)
    whole += share.accumulated_itemsize * share.elements
    edit.stand("full-precision weights, gradients and states", 0, OPTIMIZER_STATE,
               host_bytes=whole)  # fmt: skip


def _gather_updated(edit: TapeEdit, share: Share, plan: Plan, step: int) -> None:
    """ZeRO-1 and ZeRO-2 gather the updated parameters in place: it is sent, and takes no memory.

    ``runtime/utils.py: all_gather_dp_groups``.
    """
    if plan.sharding.data == "zero_3":
        return
    ranks = plan.sharding.ranks
    sent = edit.add(
        "gathered updated parameters", 0, COMMUNICATION,
        collective=Collective("all_gather", share.flat_bytes, ranks, 0, ranks - 1),
    )  # fmt: skip
    edit.make(sent, -1, span=step)
    edit.free(sent, -1, span=step)
