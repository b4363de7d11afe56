"""ViT-L/16 whose every parameter is updated as soon as its gradient is there.

The optimizers belong to the model, one for each parameter; the plan's own finds no gradients left.
Source: pytorch/tutorials ``optimizer_step_in_backward_tutorial.py``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

from memplanner.model.presets import find_preset

INPUTS = ("pixel_values=Bx3x224x224",)


class SteppingViT(nn.Module):
    """The model with a hook at every parameter."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.hooked = False

    def forward(self, pixel_values: torch.Tensor) -> Any:
        """The logits; the first forward sets the hooks, when parameters have their last place."""
        if not self.hooked:
            self.hooked = True
            for parameter in self.module.parameters():
                parameter.register_post_accumulate_grad_hook(_Step(parameter))
        return self.module(pixel_values=pixel_values).logits


class _Step:
    """An optimizer of one parameter."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self.optimizer = torch.optim.Adam([parameter], foreach=False)

    def __call__(self, parameter: torch.Tensor) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()


def vit_l_16() -> nn.Module:
    """The preset's configuration."""
    return SteppingViT(ViTForImageClassification(ViTConfig(**find_preset("vit-l-16").config)))
