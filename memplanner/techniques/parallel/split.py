"""What one rank holds of a whole module, or of one stage: every kind of splitting, in order."""

from __future__ import annotations

from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from memplanner.plan import Plan
from memplanner.techniques.parallel.mesh import CONTEXT, data_mesh, make_mesh


def split(module: nn.Module, plan: Plan, device_kind: str, *, on_cpu: bool) -> nn.Module:
    """The rank's part of the module, in place or in a DDP; the process group must be there.

    ``device_kind`` is what collectives work on; ``on_cpu`` says whose kernels a ring is handed.
    """
    section = plan.sharding
    mesh = make_mesh(section, device_kind)
    if section.tensor > 1 or section.expert > 1:  # imported where used: it takes a while
        from memplanner.techniques.parallel.model_parts import split_model

        split_model(module, mesh, plan, device_kind)
    if section.context > 1:
        from memplanner.techniques.parallel.context import split_context

        split_context(module, mesh[CONTEXT], plan, on_cpu=on_cpu)
    return over_data(module, mesh, plan)


def over_data(module: nn.Module, mesh: DeviceMesh, plan: Plan) -> nn.Module:
    """The module shared out to ranks with other samples, or copied to them."""
    section = plan.sharding
    if section.gradient_degree == 1:
        return module
    cards = data_mesh(mesh, section)
    if section.fully_sharded:
        from memplanner.techniques.parallel.fully_sharded import shard_fully

        shard_fully(module, cards, plan)
        return module
    from memplanner.techniques.parallel.replicated import replicate

    return replicate(module, cards, section)
