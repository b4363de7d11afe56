"""What a forward's operations take and cost, block by block: for a budget of activations.

The forward is run on the meta device, under the plan's other sections, whatever the step will
run on, so that the choice depends on shapes alone: prediction and real run make the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import flop_registry

from memplanner.errors import MemplannerError, PlanError
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.tape.backends import MetaBackend
from memplanner.tape.record import META, MetaWatch
from memplanner.tape.tensor_trees import tensors_in
from memplanner.tape.uncompiled import uncompiled
from memplanner.techniques.checkpointed_operations import name_of
from memplanner.techniques.kept_within_budget import (
    BlockClass,
    Blocks,
    Choice,
    Result,
    State,
    choose,
    frontier,
)
from memplanner.techniques.prepare import cast_batch, no_context, transform
from memplanner.techniques.target import Target

_BYTES_PER_SECOND = 2.0e12
_OPERATIONS_PER_SECOND = {2: 312e12, 4: 19.5e12}
"""By bytes of a number. Peak rates of an A100 80 GB (NVIDIA's data sheet: 2,039 GB/s; 312 TFLOPS
in bf16 and fp16, 19.5 in fp32). Only what they make of each other counts for a choice."""
_MIB = 2**20
_ATTENTION = torch.ops.aten._scaled_dot_product_flash_attention


_Known = tuple[tuple[Blocks, ...], list[State]]
_surveys: WeakKeyDictionary[Model, dict[tuple[Plan, Target], _Known]] = WeakKeyDictionary()


def choice(model: Model, plan: Plan, target: Target) -> Choice | None:
    """What the blocks of ``model`` keep under ``plan``; None where there is no budget.

    Raises ``PlanError`` where the model has no repeated blocks, or cannot run without values.
    """
    section = plan.activation_checkpointing
    if section.policy != "budget":
        return None
    budget_bytes = section.budget_mib * _MIB
    return Choice(choose(*_surveyed(model, plan, target), budget_bytes), budget_bytes)


def kept_sizes(model: Model, plan: Plan, target: Target) -> list[int]:
    """Bytes that the choices of a plan with a budget keep, from none to all: no others differ.

    Raises ``PlanError`` as ``choice`` does.
    """
    return [state.size_bytes for state in _surveyed(model, plan, target)[1]]


def _surveyed(model: Model, plan: Plan, target: Target) -> _Known:
    section = plan.activation_checkpointing
    # one card's forward, whatever several share: before there are any, and the same for all
    plan, target = plan.model_copy(update={"sharding": Sharding()}), replace(target, rank=0)
    known = _surveys.setdefault(model, {})
    alike = section.model_copy(update={"budget_mib": 0})
    key = (
        plan.model_copy(
            update={"activation_checkpointing": alike, "optimizer": type(plan.optimizer)()}
        ),
        target,
    )
    if key not in known:
        blocks = survey(model, plan, target)
        known[key] = blocks, frontier(blocks)
    return known[key]


def survey(model: Model, plan: Plan, target: Target) -> tuple[Blocks, ...]:
    """What each class of repeated blocks keeps and computes in one forward of the plan.

    Raises ``PlanError`` as ``choice`` does.
    """
    found: list[tuple[BlockClass, nn.Module]] = []

    def collect(blocks: Sequence[tuple[BlockClass, nn.Module]]) -> list[None]:
        found.extend(blocks)
        return [None] * len(blocks)

    module = model.build(META).train()
    module = transform(module, model, plan, target, no_context, META, kept=collect)
    watch = _Watch(module, target, {id(block): key for key, block in found})
    length = plan.training.sequence_length
    if model.max_sequence_length is not None:
        length = min(length, model.max_sequence_length)
    shape = plan.training.batch_size, length
    batch = cast_batch(model.batch(*shape, META), plan)
    watch.values.note_batch(batch, lambda: model.batch(*shape, torch.device("cpu")))
    for _, block in found:
        block.register_forward_pre_hook(watch.begin)
        block.register_forward_hook(watch.end)
    try:
        with (
            watch,
            uncompiled(),
            MetaBackend(target, plan).forward_context(),
            saved_tensors_hooks(watch.pack, lambda tensor: tensor),
        ):
            output = module(**batch)
    except MemplannerError:
        raise
    except (Exception, SystemExit) as error:  # the model's own code raises what it likes
        raise PlanError(
            "activation_checkpointing.policy=budget needs a model whose forward runs without "
            f"values, and this one's does not ({type(error).__name__}); choose selective."
        ) from error
    del output
    return tuple(_together(key, watch.runs) for key in dict.fromkeys(key for key, _ in found))


@dataclass(slots=True)
class _Operation:
    name: tuple[str, int] | None
    """None for what no block can keep."""
    size_bytes: int
    time_ps: int


@dataclass(slots=True)
class _Run:
    """One run of a block."""

    key: BlockClass
    operations: list[_Operation] = field(default_factory=list)
    count: Counter[str] = field(default_factory=Counter)
    born: dict[int, int] = field(default_factory=dict)
    """Of storages made here: their operation."""
    saved: dict[int, int] = field(default_factory=dict)
    """Bytes of those that autograd keeps."""
    needed: int = 0
    """Operations up to the last one whose inputs or results autograd keeps."""


class _Watch(MetaWatch):
    """Notes every operation of a block's run with its size and its estimated time."""

    def __init__(self, module: nn.Module, target: Target, blocks: dict[int, BlockClass]) -> None:
        super().__init__(module, target)
        self._wants_scratch = False
        self._blocks = blocks
        self._at: list[_Run] = []
        self.runs: list[_Run] = []

    def begin(self, block: nn.Module, inputs: Any) -> None:
        """A block's run begins."""
        self._at.append(_Run(self._blocks[id(block)]))

    def end(self, block: nn.Module, inputs: Any, output: Any) -> None:
        """It ends."""
        self.runs.append(self._at.pop())

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Autograd keeps ``tensor``."""
        if self._at:
            run = self._at[-1]
            run.needed = len(run.operations)
            for part in _storages([tensor]):
                if part._cdata in run.born:
                    run.saved[part._cdata] = part.nbytes()
        return tensor

    def note(self, func: Any, args: Any, result: Any) -> None:
        """Notes the operation."""
        super().note(func, args, result)
        for run in self._at:
            self._note_in(run, func, args, result)

    def _note_in(self, run: _Run, func: Any, args: Any, result: Any) -> None:
        name = name_of(func)
        number = None
        if name is not None:
            number = name, run.count[name]
            run.count[name] += 1
        given = {part._cdata for part in _storages(tensors_in(args))}
        if func._schema.is_mutable:  # what is changed later cannot be kept
            for storage in given & run.born.keys():
                run.operations[run.born[storage]].name = None
        made = {part._cdata: part.nbytes() for part in _storages(tensors_in(result))}
        new = {storage: size for storage, size in made.items() if storage not in given}
        for storage in new:
            run.born[storage] = len(run.operations)
        size = sum(new.values())
        keepable = number if size and len(new) == len(made) else None
        time = _time_ps(func, name, args, result) if new or func._schema.is_mutable else 0
        run.operations.append(_Operation(keepable, size, time))


def _storages(tensors: Iterable[torch.Tensor]) -> list[torch.UntypedStorage]:
    """Of tensors and of what subclasses are made of."""
    found = []
    for tensor in tensors:
        inner = getattr(tensor, "__tensor_flatten__", None)
        parts = [tensor] if inner is None else [getattr(tensor, name) for name in inner()[0]]
        found += [part.untyped_storage() for part in parts if part.layout is torch.strided]
    return found


def _time_ps(func: Any, name: str | None, args: Any, result: Any) -> int:
    """Picoseconds: the longer of computing and of moving what goes in and out."""
    moved = sum(part.nbytes for part in (*tensors_in(args), *tensors_in(result)))
    seconds = moved / _BYTES_PER_SECOND
    count = flop_registry.get(_ATTENTION if name == "attention" else func.overloadpacket)
    if count is not None:
        first = next(iter(tensors_in(result)))
        rate = _OPERATIONS_PER_SECOND.get(first.element_size(), _OPERATIONS_PER_SECOND[4])
        seconds = max(seconds, count(*args, out_val=result) / rate)
    return round(seconds * 1e12)


def _together(key: BlockClass, runs: Sequence[_Run]) -> Blocks:
    """All runs of a class: results that each of them makes."""
    own = [run for run in runs if run.key == key]
    sizes: Counter[tuple[str, int]] = Counter()
    times: Counter[tuple[str, int]] = Counter()
    seen: Counter[tuple[str, int]] = Counter()
    for run in own:
        for operation in run.operations[: run.needed]:
            if operation.name is not None:
                sizes[operation.name] += operation.size_bytes
                times[operation.name] += operation.time_ps
                seen[operation.name] += 1
    return Blocks(
        key=key,
        results=tuple(
            Result(name, sizes[name], times[name]) for name in sizes if seen[name] == len(own)
        ),
        kept_bytes=sum(sum(run.saved.values()) for run in own),
        time_ps=sum(operation.time_ps for run in own for operation in run.operations[: run.needed]),
    )
