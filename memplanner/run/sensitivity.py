"""How much each layer loses in few bits: measured on real weights and a text.

The expected rise of the loss is of second order: ½ Δᵀ F Δ, where Δ is what a layer's output moves
by and F is the Fisher information of the outputs, taken from the gradients of the loss, token by
token (Martens 2020, arXiv:1412.1193, section 9; HAWQ-V2, Dong et al. 2019, arXiv:1911.03852, uses
the Hessian's trace alike). One backward serves all layers and all bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import torch
from torch import nn

from memplanner.errors import PlanError, SourceError
from memplanner.messages.sensitivity import BitsChoice, LayerSensitivity, Sensitivity
from memplanner.model.loaded import Batch, Model
from memplanner.plan import Plan
from memplanner.run.quality import memory_bytes
from memplanner.run.quality_data import QualityData
from memplanner.techniques.low_bit.encoding import encode
from memplanner.techniques.low_bit.expansion import expand_weight, tables
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.precision import autocast_type, stored_type
from memplanner.techniques.prepare import cast_batch
from memplanner.techniques.quantization import WHOLE, quantizable_layers, with_value

CANDIDATES = ("8", "4", "3", "2", "nf4")
ROWS = 64
"""Tokens a window whose inputs and gradients are kept of each layer."""

Say = Callable[[str, float | None], None]
"""Takes what is done now, and how much of it is."""


@dataclass(slots=True)
class _Seen:
    """What went into a layer and came back, in host memory: (tokens, in) and (tokens, out)."""

    given: list[torch.Tensor] = field(default_factory=list)
    gradients: list[torch.Tensor] = field(default_factory=list)


def check_sensitivity(model: Model, plan: Plan, candidates: Sequence[str] = CANDIDATES) -> None:
    """Raises ``PlanError`` where there is nothing to measure."""
    if model.load_weights is None:
        raise PlanError(
            f"{model.name} has random weights, of which no layer matters more than another; open "
            "a source with weights."
        )
    if plan.pruning.structure != "none":
        raise PlanError(
            "Bits are measured on the whole model, but pruning.structure="
            f"{plan.pruning.structure} prunes it first; choose pruning.structure=none."
        )
    if plan.quantization.method not in {"none", "linear", "nf4", "companding"}:
        raise PlanError(
            f"quantization.method={plan.quantization.method} has no bits for single layers; choose "
            "quantization.method=linear."
        )
    for value in candidates:
        if value not in CANDIDATES and value not in {"5", "6", "7"}:
            raise PlanError(f"“{value}” is no choice of bits; choose 2 to 8 or nf4.")


def measure(
    model: Model,
    module: nn.Module,
    plan: Plan,
    data: QualityData,
    *,
    candidates: Sequence[str] = CANDIDATES,
    say: Say = lambda text, fraction: None,
) -> Sensitivity:
    """What each layer that ``plan.quantization`` chooses loses at each of ``candidates``.

    The module has its weights, and is left in the plan's precision with its parameters frozen.
    Raises ``PlanError``.
    """
    started = monotonic()
    check_sensitivity(model, plan, candidates)
    module = module.to(stored_type(plan)).eval().requires_grad_(False)
    section = plan.quantization
    if section.method == "none":
        section = section.model_copy(update={"method": "linear"})
    names = quantizable_layers(module, section)
    seen, loss = _run(model, module, plan, names, data, say)
    formats = {value: with_value(section, value) for value in candidates}
    layers = []
    for place, name in enumerate(names):
        say(f"Measuring {name}", place / len(names))
        if name in seen:
            layer = module.get_submodule(name)
            layers.append(_measured(name, _matrix(layer), seen.pop(name), formats))
    notes = []
    if len(layers) < len(names):
        notes.append(
            f"{len(names) - len(layers)} layers took no part in the forward, so nothing is known "
            "of them; they keep the section's own bits."
        )
    if loss is None:
        notes.append("The model has no loss here, so layers are held by their output errors.")
    elif not data.next_token:
        notes.append(f"The loss is that of {data.description}.")
    own_bytes = sum(layer.choices[0].size_bytes for layer in layers)
    return Sensitivity(
        data=data.description,
        unit=data.unit,
        count=data.count,
        loss=loss,
        other_bytes=memory_bytes(module) - own_bytes + _table_bytes(formats),
        layers=tuple(layers),
        notes=tuple(notes),
        seconds=monotonic() - started,
    )


def _run(
    model: Model,
    module: nn.Module,
    plan: Plan,
    names: Sequence[str],
    data: QualityData,
    say: Say,
) -> tuple[dict[str, _Seen], float | None]:
    """A forward and a backward of each batch: what the layers saw, and the mean loss."""
    seen: dict[str, _Seen] = {}
    losses: list[float] = []
    device = next(module.parameters()).device
    dtype = autocast_type(plan)
    with _watched(module, names, seen):
        for number, batch in enumerate(data.batches):
            say(f"Running {data.description}", number / len(data.batches))
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                output = module(**_placed(cast_batch(batch, plan), device))
            loss = _loss(model, output)
            if loss is None:
                continue
            losses.append(float(loss.detach()))
            loss.backward()
    return seen, sum(losses) / len(losses) if losses else None


def _loss(model: Model, output: Any) -> torch.Tensor | None:
    """The model's own loss; a sum that stands in for one says nothing of what matters."""
    own = getattr(output, "loss", None)
    if own is None and not (isinstance(output, torch.Tensor) and output.dim() == 0):
        return None
    try:
        loss: torch.Tensor = model.loss(output)
    except SourceError:
        return None
    return loss if loss.requires_grad and math.isfinite(float(loss.detach())) else None


def _placed(batch: Batch, device: torch.device) -> Batch:
    return {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }


@contextmanager
def _watched(module: nn.Module, names: Sequence[str], seen: dict[str, _Seen]) -> Iterator[None]:
    """Keeps what goes into each layer, and the gradient of what comes out, of some tokens."""

    def hook(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def note(_: nn.Module, given: tuple[Any, ...], output: Any) -> None:
            if not output.requires_grad:  # nothing before it is trained: the graph begins here
                output.requires_grad_()
            places = _places(output)
            kept = seen.setdefault(name, _Seen())
            kept.given.append(_rows(given[0], places))

            def note_gradient(gradient: torch.Tensor) -> None:
                # of the sum over all tokens rather than their mean
                tokens = gradient.numel() // gradient.shape[-1]
                kept.gradients.append(_rows(gradient, places) * tokens)

            output.register_hook(note_gradient)

        return note

    handles = [module.get_submodule(name).register_forward_hook(hook(name)) for name in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _places(output: torch.Tensor) -> torch.Tensor:
    """At most ``ROWS`` tokens, evenly over all of them."""
    tokens = output.numel() // output.shape[-1]
    if tokens <= ROWS:
        return torch.arange(tokens, device=output.device)
    return torch.linspace(0, tokens - 1, ROWS, device=output.device).long()


def _rows(tensor: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return tensor.detach().reshape(-1, tensor.shape[-1])[places].cpu().float()


def _matrix(layer: Any) -> torch.Tensor:
    """The weight as (out, in)."""
    weight: torch.Tensor = layer.weight.detach()
    return weight if isinstance(layer, nn.Linear) else weight.t().contiguous()


def _table_bytes(formats: Mapping[str, Format]) -> int:
    """The tables that expansion reads, which the layers of a format share."""
    host = torch.device("cpu")
    return sum(table.nbytes for kept in formats.values() for table in tables(kept, host).values())


@torch.no_grad()
def _measured(
    name: str, weight: torch.Tensor, seen: _Seen, formats: Mapping[str, Format]
) -> LayerSensitivity:
    shape = (weight.shape[0], weight.shape[1])
    given = torch.cat(seen.given).to(weight.device)
    gradients = torch.cat(seen.gradients).to(weight.device) if seen.gradients else None
    whole = weight.float()
    norm = float((given @ whole.t()).norm())
    choices = [
        BitsChoice(
            value=WHOLE,
            size_bytes=weight.nbytes,
            output_error=0.0,
            loss_rise=None if gradients is None else 0.0,
        )
    ]
    for value, kept in formats.items():
        constants = tables(kept, weight.device)
        rounded = expand_weight(encode(weight, kept), constants, kept, shape, torch.float32)
        moved = given @ rounded.sub_(whole).t()
        choices.append(
            BitsChoice(
                value=value,
                size_bytes=kept.kept_bytes(shape, weight.dtype),
                output_error=float(moved.norm()) / norm if norm else 0.0,
                loss_rise=None if gradients is None else _rise(moved, gradients),
            )
        )
    return LayerSensitivity(name=name, weights=weight.numel(), choices=tuple(choices))


def _rise(moved: torch.Tensor, gradients: torch.Tensor) -> float:
    """½ of the mean over tokens of (gradient · move)²."""
    return float((moved * gradients).sum(1).square().mean()) / 2
