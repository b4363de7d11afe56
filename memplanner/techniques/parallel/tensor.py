"""Tensor parallelism by DTensor: each layer's matrices are split over a group of ranks.

The styles are transformers' (``transformers/distributed/tensor_parallel.py``), which are torch's
column and row parallelism with words for stacked experts beside them: what ``tp_plan="auto"`` does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch._prims_common import make_contiguous_strides_for
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Shard

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.parallel.sequence import (
    PARTS,
    ROW_TO_PARTS,
    sequence_rules,
    split_sequence,
)
from memplanner.techniques.parallel.split_loss import HEAD_IN_PARTS, split_loss
from memplanner.techniques.parallel.tensor_rules import Rules, rules_of


def split_layers(
    module: nn.Module, mesh: DeviceMesh, plan: Plan, dealt_out: Iterable[str] = ()
) -> None:
    """Splits the module's layers over ``mesh``, in place, but the experts that are dealt out.

    Raises ``PlanError`` where there is nothing to split, or sizes do not divide.
    """
    rules = rules_of(module, mesh.size(), but=dealt_out)
    if plan.sharding.sequence_parallel:
        rules = sequence_rules(module, rules)
    if plan.sharding.splits_loss:
        rules = split_loss(module, rules)
    apply_rules(module, mesh, rules)
    if plan.sharding.sequence_parallel:
        split_sequence(module, mesh)


def apply_rules(module: nn.Module, mesh: DeviceMesh, rules: Rules) -> None:
    """Splits what ``rules`` names: parameters first, then the forwards of their modules."""
    styles = styles_by_word()
    tied = _tied(module, rules)
    for path, word in rules.items():
        owner, _, name = path.rpartition(".")
        if name in module.get_submodule(owner)._parameters:
            styles[word].shard_param(module.get_submodule(owner), name, mesh)
        else:
            styles[word].install_forward(module.get_submodule(path), mesh)
    for (owner, name), others in tied.items():
        weight = module.get_submodule(owner)._parameters[name]
        for other, other_name in others:
            module.get_submodule(other)._parameters[other_name] = weight


def styles_by_word() -> dict[str, Any]:
    """Transformers' styles by the words of its plans.

    Raises ``PlanError`` where the installed version has none that train.
    """
    try:
        from transformers.distributed.expert_parallel import ALL_PARALLEL_STYLES
        from transformers.distributed.tensor_parallel import ALL_PARALLEL_STYLES as STYLES
        from transformers.distributed.tensor_parallel import ColwiseParallel, RowwiseParallel
    except ImportError as error:
        raise PlanError(
            "sharding.tensor and sharding.expert need a newer transformers; install "
            "transformers>=5.21, or choose sharding.tensor=1 and sharding.expert=1."
        ) from error
    assert STYLES is ALL_PARALLEL_STYLES
    own = {
        ROW_TO_PARTS: RowwiseParallel(output_layouts=PARTS),
        HEAD_IN_PARTS: ColwiseParallel(use_local_output=False),
    }
    return {word: _reading_no_strides(style) for word, style in ({**STYLES} | own).items()}


def _reading_no_strides(style: Any) -> Any:
    """A copy of transformers' ``style`` that makes no tensor of the whole to read its strides.

    Its own is weightless, so that a device has no memory for it; where a step is recorded without
    weights it could not be told from the device's.
    """
    found = copy.copy(style)
    found._from_local_last_dim_shard = _sharded_along_the_last
    return found


def _sharded_along_the_last(local: torch.Tensor, mesh: DeviceMesh, size: int) -> DTensor:
    """As ``TensorParallelLayer._from_local_last_dim_shard``."""
    shape = torch.Size((*local.shape[:-1], size))
    stride = make_contiguous_strides_for(shape)
    return DTensor.from_local(local, mesh, [Shard(-1)], run_check=False, shape=shape, stride=stride)


def _tied(module: nn.Module, rules: Rules) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Parameters with other names, by the one that a rule splits."""
    names: dict[int, list[tuple[str, str]]] = {}
    for path, part in module.named_modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                names.setdefault(id(parameter), []).append((path, name))
    tied = {}
    for alike in names.values():
        split = [each for each in alike if f"{each[0]}.{each[1]}" in rules]
        if len(alike) > 1 and split:
            tied[split[0]] = [each for each in alike if each != split[0]]
    return tied
