"""Compiled blocks in the exported script."""

from __future__ import annotations

from typing import Any

from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.compilation import lists_of


def compiled_values(module: nn.Module, plan: Plan) -> dict[str, Any]:
    """What the template reads of them. Raises ``PlanError`` for a model without blocks."""
    section = plan.compilation
    return {
        "compiled": () if section.mode == "none" else lists_of(module),
        "backend": section.backend,
        "memory_budget": section.memory_budget,
    }
