"""The tape of a rank under DeepSpeed's ZeRO: one card's recorded step, and DeepSpeed's buffers.

What is computed is recorded on one card with parameters in the type of the products. What
DeepSpeed 0.19.8 holds in place of that card's parameters, gradients and states is reckoned from
its source, with the events at which its hooks make and free it; each function names its own. The
update of the rank's share is torch's optimizer, recorded on one flat tensor.
"""

from __future__ import annotations

from dataclasses import replace

from memplanner.estimate.deepspeed_editing import TapeEdit
from memplanner.estimate.deepspeed_gradients import Gradients
from memplanner.estimate.deepspeed_share import Share
from memplanner.estimate.deepspeed_update import flat_update
from memplanner.estimate.deepspeed_weights import gather_weights
from memplanner.plan import Plan
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import (
    COMMUNICATION,
    GRADIENTS,
    OPTIMIZER_STATE,
    PARAMETERS,
    TEMPORARIES,
    Tape,
)
from memplanner.techniques.target import Target

NOTE = (
    "DeepSpeed's ranks are reckoned, not recorded: the computation is one card's recorded step; "
    "shares, buckets and gathered parameters are those of DeepSpeed 0.19.8's source. With "
    "overlapping streams torch's allocator may hold a bucket or two longer."
)


def deepspeed_tape(tape: Tape, plan: Plan, target: Target) -> Tape:
    """The rank's tape, made of ``tape``: a step of ``deepspeed.one_card(plan)``."""
    share = Share.of(tape, plan.sharding)
    edit = TapeEdit(tape)
    _hold(edit, share, plan)
    gradients = Gradients(edit, share, plan)
    gradients.place()
    if plan.sharding.data == "zero_3":
        gather_weights(edit, share, plan)
    _update(edit, share, plan, target, gradients)
    return edit.made((NOTE, *_notes(plan)))


def _notes(plan: Plan) -> tuple[str, ...]:
    if plan.sharding.offload_optimizer == "none":
        return ()
    return ("DeepSpeed updates on the host's processors, with its own CPU Adam.",)


def _hold(edit: TapeEdit, share: Share, plan: Plan) -> None:
    """What stands for the whole step in place of the card's parameters and states.

    ZeRO-1 and ZeRO-2 keep one flat buffer of all trained parameters
    (``stage_1_and_2.py: flatten_dense_tensors_aligned``), ZeRO-3 the rank's share of each
    parameter (``partition_parameters.py: _partition_param``) and whole what is small
    (``parameter_offload.py: mark_persistent_parameters``).
    """
    tape, section = edit.tape, plan.sharding
    for event in tape.events[: tape.phases[0].stop].tolist():
        storage = event - 1
        if tape.category[storage] in (OPTIMIZER_STATE, GRADIENTS):
            edit.remove(storage)
    if section.data == "zero_3":
        for storage in share.parameters:
            own = share.of_parameter(storage) * share.itemsize(storage)
            away = section.offload_parameters != "none" and storage not in share.persistent
            on_host = own if away and section.offload_parameters == "host" else 0
            edit.resize(storage, 0 if away else own, host_bytes=on_host)
            if storage in share.persistent:
                _stand(edit, "whole persistent parameter", int(tape.size_bytes[storage]),
                       PARAMETERS, int(tape.module[storage]))  # fmt: skip
    elif share.padding_bytes:
        _stand(edit, "padding of the flat parameters", share.padding_bytes, PARAMETERS)
    if section.offload_parameters == "nvme":
        _stand(edit, "buffers of parameters on NVMe", 0, PARAMETERS, host_bytes=share.nvme_bytes)


def _update(edit: TapeEdit, share: Share, plan: Plan, target: Target, gradients: Gradients) -> None:
    """Full-precision weights and states, and the optimizer step.

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
    norm = edit.add(
        "norm of a gradient in fp64", 8 * min(share.largest, share.elements), TEMPORARIES
    )
    edit.make(norm, -1, span=step)  # ``stage_1_and_2.py: get_grad_norm_direct``
    edit.free(norm, -1, span=step)
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
        _stand(edit, "full-precision weights", 4 * share.elements, OPTIMIZER_STATE)
    _stand(edit, "optimizer states", states, OPTIMIZER_STATE)
    _gather_updated(edit, share, plan, step)


def _update_on_host(edit: TapeEdit, share: Share, plan: Plan, target: Target) -> None:
    """Host memory of the offloaded update; on NVMe its buffers in host memory.

    Weights, gradients and states in fp32, and a buffer of the parameters' type for the way back
    (``stage_1_and_2.py: param_buffer_of_bit16_for_cpu_offload_groups``) or for gathered gradients
    (``stage3.py: grad_partitions_flat_buffer``). ``buffer_count`` of NVMe is DeepSpeed's 4
    (``offload_config.py: DeepSpeedZeroOffloadOptimizerConfig``).
    """
    states = 0
    for elements in share.update_groups:
        states += flat_update(plan.optimizer, elements, replace(target, rank=0)).states_bytes
    whole = 8 * share.elements + states
    if plan.sharding.offload_optimizer == "nvme":
        whole = 4 * 4 * max(share.update_groups, default=0)
    whole += share.accumulated_itemsize * share.elements
    _stand(edit, "full-precision weights, gradients and states", 0, OPTIMIZER_STATE,
           host_bytes=whole)  # fmt: skip


def _gather_updated(edit: TapeEdit, share: Share, plan: Plan, step: int) -> None:
    """ZeRO-1 and ZeRO-2 gather the updated parameters in place: it is sent, and takes no memory.

    ``runtime/utils.py: all_gather_dp_groups``.
    """
    if plan.sharding.data == "zero_3":
        return
    ranks = plan.sharding.ranks
    payload = share.flat_bytes
    sent = edit.add(
        "gathered updated parameters", 0, COMMUNICATION,
        collective=Collective("all_gather", payload, ranks, 0, ranks - 1),
    )  # fmt: skip
    edit.make(sent, -1, span=step)
    edit.free(sent, -1, span=step)


def _stand(
    edit: TapeEdit,
    what: str,
    size_bytes: int,
    category: int,
    module: int = 0,
    *,
    host_bytes: int = 0,
) -> None:
    """Something that is there from ``load`` on."""
    edit.make(edit.add(what, size_bytes, category, module, host_bytes=host_bytes), -1, span=0)
