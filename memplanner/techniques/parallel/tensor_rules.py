"""What tensor parallelism does to which part of a model, in transformers' words.

``colwise`` splits a linear layer's outputs, ``rowwise`` its inputs; between the two nothing is
sent (Shoeybi et al. 2019, arXiv:1909.08053, section 3). A model of transformers brings its own
rules (``tp_plan``); for others the linear pairs of attentions and MLPs are found by structure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from torch import nn

from memplanner.errors import PlanError
from memplanner.plan.factoring import divisors, nearest
from memplanner.techniques.parallel.stages import Received
from memplanner.techniques.sparsity.heads import find_attentions
from memplanner.techniques.sparsity.matrices import child
from memplanner.techniques.sparsity.widths import find_mlps

Rules = dict[str, str]
"""The word for each path of a parameter or a module; a module's parameters come before it."""

COLUMN, ROW, EMBEDDING, HEAD = "colwise", "rowwise", "embedding_rowwise", "colwise_gather_output"
GATHERED = frozenset({HEAD, "colwise_rep"})
"""Layers split by columns whose outputs every rank gets: heads."""
_SPLIT = {COLUMN, ROW, HEAD, "packed_colwise", "packed_rowwise", "rowwise_split_input"}
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


def rules_of(module: nn.Module, degree: int, *, but: Iterable[str] = ()) -> Rules:
    """The rules that split ``module`` over ``degree`` ranks, without those of the parts ``but``.

    Raises ``PlanError`` where nothing can be split, or heads or widths do not divide.
    """
    own = getattr(module, "tp_plan", None)
    named = own if isinstance(own, dict) else {}
    if not any(word in _SPLIT for word in named.values()):
        named = named | _by_structure(module, degree)
    if _ties_embeddings(module):
        named = named | _vocabulary(module)
    without = tuple(but)
    rules = {
        path: word
        for path, word in expanded(module, named)
        if not any(path == part or path.startswith(f"{part}.") for part in without)
    }
    _check_heads(module, rules, degree)
    return rules


def expanded(module: nn.Module, named: Rules) -> Iterator[tuple[str, str]]:
    """``named`` by the paths of ``module``; ``*`` stands for a number, a module for its own."""
    seen: set[int] = set()
    for path, part in module.named_modules():
        general = _NUMBER.sub("*", path)
        word = named.get(general, named.get(path))
        for name, parameter in part.named_parameters(recurse=False):
            found = named.get(f"{general}.{name}" if general else name, word)
            if found is not None and id(parameter) not in seen:
                seen.add(id(parameter))  # one that is tied is split once
                yield (f"{path}.{name}" if path else name), found
        if word is not None and not isinstance(part, Received):
            yield path, word


def _by_structure(module: nn.Module, degree: int) -> Rules:
    rules: Rules = {}
    for attention in find_attentions(module, every=True):
        if _splits(module, attention.path, attention.names) and not attention.tables:
            _check(attention.path, "heads", attention.key_value_heads, degree)
            *makers, output = (f"{attention.path}.{name}" for name in attention.names)
            rules |= dict.fromkeys(makers, COLUMN) | {output: ROW}
    for mlp in find_mlps(module):
        layers = (*mlp.producers, mlp.consumer)
        if not mlp.experts and not mlp.fused and _splits(module, mlp.path, layers):
            _check(mlp.path, "inner neurons", mlp.width, degree)
            *makers, output = (f"{mlp.path}.{name}" if mlp.path else name for name in layers)
            rules |= dict.fromkeys(makers, COLUMN) | {output: ROW}
    if not rules:
        kind = type(module).__name__
        raise PlanError(
            f"sharding.tensor={degree} finds no pair of linear layers in {kind} that it could "
            "split; choose sharding.tensor=1, with sharding.data=zero_3 to split what cards hold."
        )
    return rules


def _splits(module: nn.Module, path: str, names: tuple[str, ...]) -> bool:
    part = module.get_submodule(path)
    layers = [child(part, name) for name in names]
    return len(set(names)) == len(names) and all(isinstance(layer, nn.Linear) for layer in layers)


def _ties_embeddings(module: nn.Module) -> bool:
    embedding, head = _ends(module)
    return embedding is not None and head is not None and embedding.weight is head.weight


def _vocabulary(module: nn.Module) -> Rules:
    """Embedding and head split along the vocabulary."""
    ends = _ends(module)
    names = {id(part): path for path, part in module.named_modules()}
    words = (EMBEDDING, HEAD)
    return {
        _NUMBER.sub("*", names[id(part)]): word
        for part, word in zip(ends, words, strict=True)
        if part is not None and id(part) in names
    }


def _ends(module: nn.Module) -> tuple[nn.Module | None, nn.Module | None]:
    """The embedding and the head of a language model, where it tells them."""
    found = []
    for name in ("get_input_embeddings", "get_output_embeddings"):
        ask = getattr(module, name, None)
        end = None if ask is None else ask()
        found.append(end if isinstance(getattr(end, "weight", None), nn.Parameter) else None)
    return found[0], found[1]


def _check_heads(module: nn.Module, rules: Rules, degree: int) -> None:
    """That every attention which is split has as many heads on each rank."""
    for attention in find_attentions(module, every=True):
        if rules.get(f"{attention.path}.{attention.names[1]}") == COLUMN:
            _check(attention.path, "key and value heads", attention.key_value_heads, degree)
            _check(attention.path, "heads", attention.heads, degree)


def _check(path: str, what: str, count: int, degree: int) -> None:
    if count % degree == 0:
        return
    near = " or ".join(map(str, nearest(divisors(count), degree)))
    raise PlanError(
        f"sharding.tensor={degree} does not divide the {count} {what} of {path}; choose "
        f"sharding.tensor={near}."
    )
