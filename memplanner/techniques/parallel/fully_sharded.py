"""ZeRO-2 and ZeRO-3 by FSDP2 (``torch/distributed/fsdp/_fully_shard``): each block is a unit."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan
from memplanner.techniques.parallel.shares_on_host import put_shares_on_host, shares_lie_on_host


def shard_fully(module: nn.Module, mesh: DeviceMesh, plan: Plan) -> None:
    """Shards the module's parameters over ``mesh``, in place: every block, then the rest.

    ZeRO-3 frees a block's gathered parameters after its forward, ZeRO-2 after its backward. The
    rest is gathered for the whole step, as torch advises for the root. Every rank keeps what
    expands quantized weights, as it does of bitsandbytes' ``quant_state``, which is no parameter.
    Raises ``PlanError`` for another parameter that is one number and no row of any, which FSDP2
    cannot share out.
    """
    section, kept = plan.sharding, _beside_codes(module)
    for name, parameter in module.named_parameters():
        if parameter.dim() == 0 and parameter not in kept:
            raise PlanError(
                f"sharding.data={section.data} cannot share out {name}, which is a scalar; choose "
                "sharding.data=zero_1."
            )
    policy, place = mixed_precision_policy(plan), offload_policy(plan)
    free = section.data == "zero_3"
    units = [block for blocks in block_lists(module)
             for block in module.get_submodule(blocks.path).children()]  # fmt: skip
    for unit in units:
        fully_shard(
            unit, mesh=mesh, reshard_after_forward=free, mp_policy=policy, offload_policy=place,
            ignored_params=kept,
        )  # fmt: skip
    fully_shard(
        module, mesh=mesh, reshard_after_forward=free, mp_policy=policy, offload_policy=place,
        ignored_params=kept,
    )  # fmt: skip
    if shares_lie_on_host(plan):
        put_shares_on_host(module, kept, mesh.device_type)
    if section.prefetch:
        _prefetch([unit for unit in units if isinstance(unit, FSDPModule)], section.prefetch)


def _beside_codes(module: nn.Module) -> set[nn.Parameter]:
    """What expands the codes of packed layers."""
    packed: list[Any] = [part for part in module.modules() if hasattr(part, "beside_codes")]
    return {one for part in packed for one in part.beside_codes()}


def mixed_precision_policy(plan: Plan) -> MixedPrecisionPolicy:
    """With a mixed plan gathered parameters are cast, and gradients are reduced in fp32.

    As torchtitan does; autocast has nothing to do then.
    """
    compute = {"bf16_mixed": torch.bfloat16, "fp16_mixed": torch.float16}.get(plan.precision)
    if compute is None:
        return MixedPrecisionPolicy()
    return MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)


def offload_policy(plan: Plan) -> OffloadPolicy:
    """Where the shares lie."""
    if not shares_lie_on_host(plan):
        return OffloadPolicy()
    return CPUOffloadPolicy(pin_memory=plan.offload.pin_memory)


def _prefetch(units: list[FSDPModule], ahead: int) -> None:
    for place, unit in enumerate(units):
        unit.set_modules_to_forward_prefetch(list(units[place + 1 : place + 1 + ahead]))
        unit.set_modules_to_backward_prefetch(list(reversed(units[max(place - ahead, 0) : place])))
