"""Model parallelism inside a stage: what of each layer a rank holds."""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from memplanner.plan import Plan
from memplanner.techniques.parallel.expert import DISPATCHED, deal_out_experts, expert_rules
from memplanner.techniques.parallel.mesh import TENSOR
from memplanner.techniques.parallel.tensor import split_layers


def split_model(module: nn.Module, mesh: DeviceMesh, plan: Plan, device_kind: str) -> None:
    """Splits layers and deals out experts as the plan says, in place.

    Raises ``PlanError`` where the model has nothing to split, or sizes do not divide.
    """
    section = plan.sharding
    experts = expert_rules(module, section.expert) if section.expert > 1 else {}
    if section.tensor > 1:
        dealt_out = [path for path, word in experts.items() if word == DISPATCHED]
        split_layers(module, mesh[TENSOR], plan, dealt_out)
    if experts:
        deal_out_experts(module, experts, mesh[TENSOR], plan, device_kind)
