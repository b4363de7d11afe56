"""FSDP2's offload: a card's share of parameters, gradients and states lies in host memory.

By torch's ``CPUOffloadPolicy`` (``torch/distributed/fsdp/_fully_shard/_fsdp_api.py``): a unit's
shares are copied to the card before they are gathered, reduced gradients are copied back, and the
optimizer's step is the host's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.host_memory import in_host_memory, put_in_host_memory


def shares_lie_on_host(plan: Plan) -> bool:
    """Whether FSDP2 keeps the cards' shares in host memory."""
    return plan.sharding.fully_sharded and plan.offload.parameters == "host"


def where_updated(plan: Plan) -> AbstractContextManager[None]:
    """What an optimizer's step runs in: where its states and temporaries lie."""
    return in_host_memory() if shares_lie_on_host(plan) else nullcontext()


def put_shares_on_host(module: nn.Module, kept: set[nn.Parameter], device_kind: str) -> None:
    """Says of every weightless share of a module that it lies in host memory.

    What every rank has ``kept`` is no share, and goes to the card: FSDP2 leaves it where it is.
    """
    for parameter in module.parameters():
        if parameter in kept:
            if not parameter.is_meta:
                parameter.data = parameter.data.to(device_kind)
            continue
        share = getattr(parameter, "_local_tensor", parameter)
        if share.is_meta:
            put_in_host_memory(share)


def put_states_on_host(optimizer: torch.optim.Optimizer) -> None:
    """Says so of states that an optimizer has before its first step, as Adagrad does."""
    for state in optimizer.state.values():
        for value in state.values():
            share = getattr(value, "_local_tensor", value)
            if isinstance(share, torch.Tensor):
                put_in_host_memory(share)


def why_not_shares_on_host(plan: Plan) -> Iterator[str]:
    """Why a plan over several cards cannot keep them there, each with what can be done."""
    section, sharding = plan.offload, plan.sharding
    asked = "parameters" if section.parameters == "host" else "optimizer"
    if not sharding.fully_sharded or sharding.deepspeed:
        yield (
            f"offload.{asked}=host over {sharding.ranks} cards is FSDP2's, and sharding.data is "
            f"{sharding.data}; choose sharding.data=zero_2 or zero_3 with sharding.engine=torch, "
            "or none."
        )
        return
    if section.parameters != section.optimizer:
        other = "optimizer" if asked == "parameters" else "parameters"
        yield (
            f"offload.{asked}=host without offload.{other}=host is for one card: FSDP2 keeps "
            "shares of parameters, gradients and states in one place; choose "
            f"offload.{other}=host too, or offload.{asked}=none."
        )
    if sharding.pipeline > 1:
        yield (
            f"offload.{asked}=host is not planned with stages, whose tied ends sum gradients on "
            "the cards; choose sharding.pipeline=1, or none."
        )
