"""What scores need of data: the norms and products of layers' inputs, gradients, angles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from memplanner.techniques.sparsity.matrices import FISHER

Batches = Sequence[Mapping[str, Any]]
"""Keyword arguments of a forward each."""


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Without dropout, and every part as it was afterwards."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _seen(
    module: nn.Module,
    names: Sequence[str],
    batches: Batches,
    note: Callable[[str, torch.Tensor], None],
) -> None:
    """Runs the batches forward and shows ``note`` what goes into each layer, as (tokens, in)."""

    def hook(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        return lambda _, given: note(name, given[0].detach().flatten(0, -2).float())

    handles = [module.get_submodule(name).register_forward_pre_hook(hook(name)) for name in names]
    try:
        with _evaluating(module), torch.no_grad():
            for batch in batches:
                module(**batch)
    finally:
        for handle in handles:
            handle.remove()


def input_norms(
    module: nn.Module, names: Sequence[str], batches: Batches
) -> dict[str, torch.Tensor]:
    """For each layer the norm ‖Xⱼ‖₂ of every input over all tokens, fp32 (in,).

    Zeros for a layer that no token reached. Source: Wanda (Sun et al. 2023, arXiv:2306.11695).
    """
    sums: dict[str, torch.Tensor] = {}

    def note(name: str, given: torch.Tensor) -> None:
        squares = given.square().sum(dim=0)
        sums[name] = sums[name] + squares if name in sums else squares

    _seen(module, names, batches, note)
    return {name: total.sqrt() for name, total in sums.items()}


def hessians(module: nn.Module, names: Sequence[str], batches: Batches) -> dict[str, torch.Tensor]:
    """For each layer 2 · XXᵀ ÷ tokens, fp32 (in, in); none for one that no token reached.

    Source: SparseGPT (Frantar & Alistarh 2023, arXiv:2301.00774).
    """
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = dict.fromkeys(names, 0)

    def note(name: str, given: torch.Tensor) -> None:
        product = given.t() @ given
        sums[name] = sums[name].add_(product) if name in sums else product
        counts[name] += len(given)

    _seen(module, names, batches, note)
    return {name: total.mul_(2 / max(counts[name], 1)) for name, total in sums.items()}


@contextmanager
def gradients(
    module: nn.Module, batches: Batches, loss_of: Callable[[Any], torch.Tensor]
) -> Iterator[None]:
    """Inside it every parameter holds the loss's gradient, summed over the batches."""
    trained = {parameter: parameter.requires_grad for parameter in module.parameters()}
    try:
        for parameter in trained:
            parameter.requires_grad_(parameter.is_floating_point())
        with _evaluating(module):
            for batch in batches:
                loss_of(module(**batch)).backward()
        yield
    finally:
        for parameter, before in trained.items():
            parameter.requires_grad_(before)
            parameter.grad = None


@contextmanager
def fisher_diagonals(
    module: nn.Module, batches: Batches, loss_of: Callable[[Any], torch.Tensor]
) -> Iterator[None]:
    """Inside it every parameter holds the mean square of its gradient, which ``fisher`` reads.

    One gradient for each sample, where the batch's tensors tell samples apart, else for each batch.
    Beside the model it takes a gradient and 4 bytes for each parameter.
    """
    trained = {parameter: parameter.requires_grad for parameter in module.parameters()}
    count = 0
    try:
        for parameter in trained:
            parameter.requires_grad_(parameter.is_floating_point())
        with _evaluating(module):
            for sample in _samples(batches):
                loss_of(module(**sample)).backward()
                count += 1
                for parameter in trained:
                    _add_square(parameter)
        for parameter in trained:
            if hasattr(parameter, FISHER):
                getattr(parameter, FISHER).div_(count)
        yield
    finally:
        for parameter, before in trained.items():
            parameter.requires_grad_(before)
            parameter.grad = None
            if hasattr(parameter, FISHER):
                delattr(parameter, FISHER)


def slopes(
    module: nn.Module,
    method: str,
    batches: Batches,
    loss_of: Callable[[Any], torch.Tensor] | None,
) -> AbstractContextManager[None]:
    """The context in which parameters hold what a method's scores need of the loss's gradients."""
    if loss_of is not None and method == "taylor":
        return gradients(module, batches, loss_of)
    if loss_of is not None and method == "fisher":
        return fisher_diagonals(module, batches, loss_of)
    return nullcontext()


def _add_square(parameter: nn.Parameter) -> None:
    if parameter.grad is None:
        return
    square = parameter.grad.float().square()
    if hasattr(parameter, FISHER):
        getattr(parameter, FISHER).add_(square)
    else:
        setattr(parameter, FISHER, square)
    parameter.grad = None


def _samples(batches: Batches) -> Iterator[Mapping[str, Any]]:
    """The batches one sample at a time; a batch whole where its tensors differ in their number."""
    for batch in batches:
        sizes = {
            part.shape[0] if part.dim() else 0
            for part in batch.values()
            if isinstance(part, torch.Tensor)
        }
        if len(sizes) != 1 or not all(isinstance(part, torch.Tensor) for part in batch.values()):
            yield batch
            continue
        for index in range(sizes.pop()):
            yield {name: part[index : index + 1] for name, part in batch.items()}


def influences(module: nn.Module, path: str, batches: Batches) -> torch.Tensor:
    """For each block of a list 1 − the mean cosine of its input and its output, fp32 (blocks,).

    Source: ShortGPT (Men et al. 2024, arXiv:2403.03853), its block influence.
    """
    container: Any = module.get_submodule(path)
    totals = torch.zeros(len(container))

    def hook(index: int) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], None]:
        def note(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
            before = given[0] if given else named["hidden_states"]
            after = result if isinstance(result, torch.Tensor) else result[0]
            cosine = nn.functional.cosine_similarity(before.float(), after.float(), dim=-1)
            totals[index] += 1 - cosine.mean().cpu()

        return note

    handles = [
        block.register_forward_hook(hook(index), with_kwargs=True)
        for index, block in enumerate(container)
    ]
    try:
        with _evaluating(module), torch.no_grad():
            for batch in batches:
                module(**batch)
    finally:
        for handle in handles:
            handle.remove()
    return totals / max(len(batches), 1)
