"""Expert parallelism: whole experts are dealt out, and tokens go to the rank that holds theirs.

By transformers' own code (``transformers/distributed/expert_parallel.py``): two all-to-alls a
block. Which expert a token takes is known only when it runs; a weightless rank sends and gets
equal shares, the balanced load that a router is trained for (Shazeer et al. 2017,
arXiv:1701.06538, section 4).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.overrides import TorchFunctionMode

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.factoring import divisors, nearest
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.fully_sharded import mixed_precision_policy, offload_policy
from memplanner.techniques.parallel.tensor import styles_by_word
from memplanner.techniques.parallel.tensor_rules import Rules, expanded

STACKED, DISPATCHED = "grouped_gemm", "ep_dispatch_experts"
"""Transformers' words: a parameter of all experts, and the module that runs them."""
_COPIES, _EXPERTS = "copies", "experts"


def expert_rules(module: nn.Module, degree: int) -> Rules:
    """The model's own rules for its experts. Raises ``PlanError`` where it has none that fit."""
    own = getattr(module, "ep_plan", None)
    rules = dict(expanded(module, own)) if own else {}
    dispatched = [path for path, word in rules.items() if word == DISPATCHED]
    if not dispatched:
        raise PlanError(
            f"sharding.expert={degree} finds no experts in {type(module).__name__} that "
            "transformers can deal out; choose sharding.expert=1."
        )
    for path in dispatched:
        count = int(getattr(module.get_submodule(path), "num_experts", 0))
        if count % degree:
            near = " or ".join(map(str, nearest(divisors(count), degree)))
            raise PlanError(
                f"sharding.expert={degree} does not divide the {count} experts of {path}; choose "
                f"sharding.expert={near}."
            )
    return rules


def deal_out_experts(
    module: nn.Module, rules: Rules, same_batch: DeviceMesh, plan: Plan, device_kind: str
) -> None:
    """Deals out the experts that ``rules`` name, in place, and shards each share's copies.

    ``same_batch`` are the ranks that see one batch. Ranks next to each other hold different
    experts; those that hold the same ones are FSDP2's, and average over all batches.
    """
    section = plan.sharding
    mesh = _mesh(section, device_kind)
    styles = styles_by_word()
    units = []
    for path, word in rules.items():
        owner, _, name = path.rpartition(".")
        if word == DISPATCHED:
            part = module.get_submodule(path)
            weightless = any(each.is_meta for each in part.parameters())
            styles[word].install_forward(part, mesh[_EXPERTS], tp_mesh=same_batch)
            if weightless:
                part.forward = _balanced(part.forward, section)
            units.append(part)
        else:
            styles[word].shard_param(module.get_submodule(owner), name, mesh[_EXPERTS])
    for part in units:
        unit = fully_shard(
            part,
            mesh=mesh[_COPIES],
            reshard_after_forward=section.data == "zero_3",
            mp_policy=mixed_precision_policy(plan),
            offload_policy=offload_policy(plan),
        )
        # a rank's gradients come from its whole group's batches, not from its copies' alone
        unit.set_gradient_divide_factor(float(section.gradient_degree))
        if mesh[_COPIES].size() > 1:
            unit.set_force_sum_reduction_for_comms(True)


def _mesh(section: Sharding, device_kind: str) -> DeviceMesh:
    """The ranks by the copy of the experts that they are part of, and by their share of it."""
    shape = section.ranks // section.expert, section.expert
    return init_device_mesh(device_kind, shape, mesh_dim_names=(_COPIES, _EXPERTS))


def _balanced(forward: Callable[..., Any], section: Sharding) -> Callable[..., Any]:
    def balanced(hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> Any:
        tokens = -(-chosen.size(0) // section.tensor)  # ranks of one batch take a slice each
        with _EqualShares(tokens * chosen.size(-1), section.expert):
            return forward(hidden, chosen, weights)

    return balanced


class _EqualShares(TorchFunctionMode):
    """Answers how many rows go to each rank and come from it, where no value is known."""

    def __init__(self, rows: int, ranks: int) -> None:
        super().__init__()
        share, rest = divmod(rows, ranks)
        self._sent = [share + (rank < rest) for rank in range(ranks)]
        self._got = [self._sent[0]] * ranks

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.Tensor.tolist and args[0].is_meta:
            return [self._sent, self._got]
        return func(*args, **(kwargs or {}))
