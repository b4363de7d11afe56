"""The tape of a rank: one card's recorded step, and what DeepSpeed holds and sends beside it.

What is computed is recorded on one card with parameters in the type of the products. What
DeepSpeed holds in place of that card's parameters, gradients and states is reckoned, with the
events at which its hooks make and free it; each function names its source. The update of the
rank's share is torch's optimizer, recorded on one flat tensor.
"""

from __future__ import annotations

from memplanner.estimate.deepspeed.editing import TapeEdit
from memplanner.estimate.deepspeed.gathered_weights import gather_weights
from memplanner.estimate.deepspeed.gradients import Gradients
from memplanner.estimate.deepspeed.share import Share
from memplanner.estimate.deepspeed.update import place_update
from memplanner.plan import Plan
from memplanner.tape.tape import GRADIENTS, OPTIMIZER_STATE, PARAMETERS, Tape
from memplanner.techniques.target import Target

NOTE = (
    "DeepSpeed's ranks are reckoned, not recorded: the computation is one card's recorded step; "
    "shares, buckets and gathered parameters are those of DeepSpeed 0.19.8's source. With "
    "overlapping streams torch's allocator may hold a bucket or two longer."
)
ON_HOST = "DeepSpeed updates on the host's processors, with its own CPU Adam."


def deepspeed_tape(tape: Tape, plan: Plan, target: Target) -> Tape:
    """The rank's tape, made of ``tape``: a step of ``techniques/parallel/deepspeed: one_card``."""
    share = Share.of(tape, plan.sharding)
    edit = TapeEdit(tape)
    _hold(edit, share, plan)
    gradients = Gradients(edit, share, plan)
    gradients.place()
    if plan.sharding.data == "zero_3":
        gather_weights(edit, share, plan)
    place_update(edit, share, plan, target, gradients)
    away = plan.sharding.offload_optimizer != "none"
    return edit.made((NOTE, ON_HOST) if away else (NOTE,))


def _hold(edit: TapeEdit, share: Share, plan: Plan) -> None:
    """What stands for the whole step in place of the card's parameters and states.

    ZeRO-1 and ZeRO-2 keep one flat buffer of all trained parameters
    (``stage_1_and_2.py: flatten_dense_tensors_aligned``), ZeRO-3 the rank's share of each
    parameter (``partition_parameters.py: _partition_param``), which may lie elsewhere, and whole
    what is small: it is marked after all were dealt out, so its share is offloaded like others'
    (``parameter_offload.py: mark_persistent_parameters``).
    """
    tape, section = edit.tape, plan.sharding
    for event in tape.events[: tape.phases[0].stop].tolist():
        storage = event - 1
        if tape.category[storage] in (OPTIMIZER_STATE, GRADIENTS):
            edit.remove(storage)
    if section.data == "zero_3":
        away = section.offload_parameters
        for storage in share.parameters:
            own = share.of_parameter(storage) * share.itemsize(storage)
            edit.resize(
                storage, own if away == "none" else 0, host_bytes=own if away == "host" else 0
            )
            if storage in share.persistent:
                edit.stand("whole persistent parameter", int(tape.size_bytes[storage]),
                           PARAMETERS, int(tape.module[storage]))  # fmt: skip
    elif share.padding_bytes:
        edit.stand("padding of the flat parameters", share.padding_bytes, PARAMETERS)
    if section.offload_parameters == "nvme":
        edit.stand("buffers of parameters on NVMe", 0, PARAMETERS, host_bytes=share.nvme_bytes)
