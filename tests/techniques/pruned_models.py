"""Tiny models pruned as a section says, and the sections that tests share."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.prepare import prepare
from tests.estimate.recordings import CPU, META, planned, tiny

REAL = torch.device("cpu")
LORA = {"adapters__method": "lora", "adapters__rank": 4}
SMALLER = {"structure": "structured", "width_multiple": 4, "mlp_ratio": 0.0}
WIDTH, HEADS = {**SMALLER, "mlp_ratio": 0.5}, {**SMALLER, "head_ratio": 0.5}
BLOCKS = {**SMALLER, "block_ratio": 0.4}
ALL = {**WIDTH, "head_ratio": 0.5, "block_ratio": 0.4}


def plan_of(section: dict[str, Any], **others: Any) -> Plan:
    return planned(2, 12, **{f"pruning__{key}": value for key, value in section.items()}, **others)


def pruned(
    name: str, section: dict[str, Any], device: torch.device = META, **others: Any
) -> nn.Module:
    return prepare(tiny(name), plan_of(section, **others), CPU, device).module
