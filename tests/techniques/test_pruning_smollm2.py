"""Pruning of a real, trained language model: errors of layers and losses are ordered as published.

Sun et al. 2023 (arXiv:2306.11695), table 2, and Frantar & Alistarh 2023 (arXiv:2301.00774).
SmolLM2-135M without what the figures do not need: blocks behind the last layer that is looked at,
and rows of the vocabulary that the text does not use.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import memplanner as mp
from memplanner.model.data import batches
from memplanner.techniques.sparsity.calibration import hessians
from memplanner.techniques.sparsity.zeros import Zeros, put_zeros
from tests.smollm2 import TEXT, keep_tokens, loaded

pytestmark = pytest.mark.slow
LAYERS = (
    "model.layers.5.self_attn.q_proj",
    "model.layers.10.self_attn.o_proj",
    "model.layers.12.mlp.down_proj",
)
SCORED, HELD_OUT = 8, 2
"""Batches of 256 tokens: together more tokens than the widest layer has inputs."""


class Trained:
    """The model, batches that scores are taken from, and others that errors are measured on."""

    def __init__(self, folder: Path) -> None:
        model = mp.load(folder)
        stream = batches(model, TEXT, 1, 256, torch.device("cpu"))
        text = torch.cat([batch["input_ids"] for batch in islice(stream, SCORED + HELD_OUT)])
        kept, ids = text.unique(return_inverse=True)
        self.module: Any = loaded(model)
        keep_tokens(self.module, kept)
        self.scored = [{"input_ids": part[None]} for part in ids[:SCORED]]
        self.held_out = [{"input_ids": part[None]} for part in ids[SCORED:]]

    def layer(self, name: str) -> Any:
        return self.module.get_submodule(name)

    def loss(self) -> float:
        with torch.no_grad():
            self.module.eval()
            losses = [self.module(**one, labels=one["input_ids"]).loss for one in self.held_out]
        return float(torch.stack(losses).mean())


@pytest.fixture
def trained(smollm2: Path) -> Trained:
    return Trained(smollm2)


def test_sparsegpt_errs_less_than_wanda_less_than_magnitude(trained: Trained) -> None:
    """‖(W − Ŵ)X‖² ÷ ‖WX‖² on text that no score has seen; more where 2 of each 4 must go."""
    del trained.module.model.layers[13:]
    products = hessians(trained.module, LAYERS, trained.held_out)
    weights = {name: trained.layer(name).weight.detach().clone() for name in LAYERS}

    def errors(zeros: Zeros) -> dict[str, float]:
        put_zeros(trained.module, LAYERS, zeros, trained.scored)
        found = {}
        for name, weight in weights.items():
            gone, product = trained.layer(name).weight.detach() - weight, products[name]
            found[name] = float(
                ((gone @ product) * gone).sum() / ((weight @ product) * weight).sum()
            )
            with torch.no_grad():
                trained.layer(name).weight.copy_(weight)
        return found

    methods = ("sparsegpt", "wanda", "magnitude")
    free = {method: errors(Zeros(method, kept_as="zeros")) for method in methods}
    fixed = {method: errors(Zeros(method, n_m=(2, 4), kept_as="zeros")) for method in methods}
    for name in LAYERS:
        for of_method in (free, fixed):
            ordered = [of_method[method][name] for method in methods]
            assert ordered[0] < ordered[1] < ordered[2], (name, ordered)
        assert all(free[method][name] < fixed[method][name] for method in methods), name


def test_the_loss_rises_least_by_sparsegpt_and_most_by_magnitude(trained: Trained) -> None:
    """Half of every linear layer of each sixth block."""
    names = [
        f"model.layers.{block}.{name}"
        for block in range(0, 30, 6)
        for name, layer in trained.module.model.layers[block].named_modules()
        if isinstance(layer, nn.Linear)
    ]
    assert len(names) == 35
    before = {name: trained.layer(name).weight.detach().clone() for name in names}
    losses = {"none": trained.loss()}
    for method in ("sparsegpt", "wanda", "magnitude"):
        put_zeros(trained.module, names, Zeros(method, kept_as="zeros"), trained.scored[:3])
        losses[method] = trained.loss()
        with torch.no_grad():
            for name, weight in before.items():
                trained.layer(name).weight.copy_(weight)
    assert losses["none"] < losses["sparsegpt"] < losses["wanda"] < losses["magnitude"]
