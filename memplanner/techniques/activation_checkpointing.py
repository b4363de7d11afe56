"""Activation checkpointing: blocks that run forward again in backward.

Source: ``torch/utils/checkpoint.py`` (non-reentrant); selective policies through
``create_selective_checkpoint_contexts``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists, signatures
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import PRODUCTS
from memplanner.techniques.base import (
    Alternative,
    RecomputeContext,
    Setting,
    Situation,
    Technique,
)
from memplanner.techniques.checkpointed_modules import named_modules
from memplanner.techniques.checkpointed_operations import EVERY_SECOND, name_of
from memplanner.techniques.compiled_block import CompiledBlock
from memplanner.techniques.kept_within_budget import BlockClass, Operations
from memplanner.techniques.recomputed_in_graphs import (
    Contexts,
    graphs_are_made,
    mark_recomputed,
    marked_nodes,
)
from memplanner.techniques.target import Target


class ActivationCheckpointing(Technique):
    """Wraps the forward of chosen blocks; the module's names and state stay as they are."""

    name = "activation_checkpointing"
    order = 25
    """Before adapters, which make alike blocks look different."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Names without the policy that reads them, and that policy without names."""
        section = plan.activation_checkpointing
        if section.policy == "named" and not section.modules:
            return (
                "activation_checkpointing.policy=named needs names in "
                "activation_checkpointing.modules; choose policy=full to recompute every block.",
            )
        return ()

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """Every block, every second one, products kept, nothing recomputed."""
        key = "activation_checkpointing"
        kept = "" if plan.activation_checkpointing.operations == PRODUCTS else "some "
        return (
            (Setting(f"{key}.policy", "full", "recompute every block"),),
            (
                Setting(f"{key}.policy", "every_n", "recompute every 2nd block"),
                Setting(f"{key}.every", 2, "every 2nd"),
            ),
            (Setting(f"{key}.policy", "selective", f"keep {kept}products"),),
            (Setting(f"{key}.policy", "none", "keep everything"),),
        )

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with the chosen blocks recomputed in backward."""
        section = situation.plan.activation_checkpointing
        if section.policy == "none":
            return module
        if section.policy == "named":
            for name in named_modules(module, section.modules):
                _refuse_around_graphs(name, module.get_submodule(name))
                _wrap(module.get_submodule(name), situation.recompute_context, None)
            return module
        lists = block_lists(module)
        if not lists:
            raise PlanError(
                f"activation_checkpointing.policy={section.policy} needs repeated blocks, and "
                "this model has none; choose none."
            )
        if section.policy == "budget":
            _keep_chosen(module, situation)
            return module
        every = section.every if section.policy == "every_n" else 1
        named = frozenset(section.operations) if section.policy == "selective" else None
        for blocks in lists:
            container = module.get_submodule(blocks.path)
            for index, block in enumerate(container.children()):
                if index % every == 0:
                    _wrap(block, situation.recompute_context, _by_name(named))
        return module


Keep = Callable[[Any], bool]
"""Whether the result of an operation is kept, asked in order in one run of a block."""
MakeKeep = Callable[[], Keep]


def classes(module: nn.Module) -> Iterator[tuple[BlockClass, nn.Module]]:
    """Every repeated block with its class: alike blocks of a list have one, others their own.

    Classes are numbered in the order of their first blocks, so that they are the same in a module
    whose last alike blocks were cut away.
    """
    for blocks in block_lists(module):
        children = list(module.get_submodule(blocks.path).children())
        numbers: dict[object, int] = {}
        for block, signature in zip(children, signatures(children), strict=True):
            kind: object = block if signature is None else signature
            yield (blocks.path, numbers.setdefault(kind, len(numbers))), block


def _keep_chosen(module: nn.Module, situation: Situation) -> None:
    """Wraps the blocks that do not keep everything."""
    if situation.kept is None:  # a module that no step is run of
        return
    found = list(classes(module))
    for (_, block), kept in zip(found, situation.kept(found), strict=True):
        if kept is not None:
            make = partial(_by_number, kept) if kept else None
            _wrap(block, situation.recompute_context, make)


def _by_name(names: frozenset[str] | None) -> MakeKeep | None:
    if names is None:
        return None

    halved = {EVERY_SECOND[name] for name in names if name in EVERY_SECOND} - names

    def make() -> Keep:
        count: Counter[str] = Counter()

        def keep(operation: Any) -> bool:
            name = name_of(operation)
            if name in halved:
                count[name] += 1
                return count[name] % 2 == 1
            return name in names

        return keep

    return make


def _by_number(kept: Operations) -> Keep:
    """Counts the operations of each name in one run of a block."""
    count: Counter[str] = Counter()

    def keep(operation: Any) -> bool:
        name = name_of(operation)
        if name is None:
            return False
        count[name] += 1
        return (name, count[name] - 1) in kept

    return keep


def _refuse_around_graphs(name: str, part: nn.Module) -> None:
    """Raises ``PlanError`` where compiled blocks lie in what is to run again."""
    inside = (one.__dict__.get("forward") for one in part.modules() if one is not part)
    if any(isinstance(forward, CompiledBlock) for forward in inside):
        raise PlanError(
            f"{name} holds blocks that are compiled, and recomputing around them is not planned; "
            "name the blocks in activation_checkpointing.modules, or what lies in them, or choose "
            "compilation.mode=none."
        )


def _wrap(block: nn.Module, recompute_context: RecomputeContext, make: MakeKeep | None) -> None:
    contexts = partial(_contexts, block, recompute_context, make)
    in_graphs = None if make is None else _selective(make)
    compiled = block.__dict__.get("forward")
    compiled = compiled if isinstance(compiled, CompiledBlock) else None
    forward: Callable[..., Any] = block.forward if compiled is None else compiled.written

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():  # takes no more than the pair of selective modes
            if in_graphs is None:
                return checkpoint(forward, *args, use_reentrant=False, **kwargs)
            return checkpoint(forward, *args, use_reentrant=False, context_fn=in_graphs, **kwargs)
        if graphs_are_made():
            with marked_nodes(in_graphs):
                return forward(*args, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    mark_recomputed(checkpointed)
    if compiled is None:
        block.forward = checkpointed
    else:  # torch.compile goes around it, as in torchtitan: the partitioner does what it says
        compiled.written = checkpointed


def _contexts(
    block: nn.Module, recompute_context: RecomputeContext, make: MakeKeep | None
) -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    if make is None:
        return nullcontext(), recompute_context(block)
    first, second = _selective(make)()
    return first, _both(recompute_context(block), second)


def _selective(make: MakeKeep) -> Contexts:
    def contexts() -> tuple[TorchDispatchMode, TorchDispatchMode]:
        keeps = {False: make(), True: make()}  # older torch asks again while it recomputes

        def policy(context: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
            kept = keeps[context.is_recompute](operation)
            return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

        modes: tuple[TorchDispatchMode, TorchDispatchMode]
        modes = create_selective_checkpoint_contexts(policy)
        return modes

    return contexts


@contextmanager
def _both(outer: AbstractContextManager[object], inner: AbstractContextManager[object]) -> Any:
    with ExitStack() as stack:
        stack.enter_context(outer)
        stack.enter_context(inner)
        yield
