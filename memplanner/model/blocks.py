"""Repeated blocks: where a module's lists hold equal parts, and with which period they repeat.

Two blocks are equal when their classes, parameters, buffers and settings agree, so that a step
takes the same memory in each. Alternating attention repeats with a period of two or more.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn

PART_OF_BLOCKS = "part_of_blocks"
"""An attribute of lists that are what is left of a list of repeated blocks."""
LONGEST_PERIOD = 16
"""Public models repeat with at most 8 (hybrid attention and state-space models)."""


@dataclass(frozen=True, slots=True)
class Run:
    """Blocks ``start`` to ``stop`` (exclusive): ``count`` times the same ``period`` blocks."""

    start: int
    period: int
    count: int

    @property
    def stop(self) -> int:
        """The index after the last block."""
        return self.start + self.period * self.count


@dataclass(frozen=True, slots=True)
class BlockList:
    """A list of ``length`` blocks at the dotted ``path``, with its runs of at least two periods."""

    path: str
    length: int
    runs: tuple[Run, ...]


def block_lists(module: nn.Module) -> tuple[BlockList, ...]:
    """The lists of repeated blocks in ``module``, outermost first, none inside another.

    A list without a run is looked into (the stages of a Swin differ, their blocks repeat). Runs
    without a parameter are left out. A list marked as ``PART_OF_BLOCKS`` counts without a run: it
    is what a pipeline's stage has of one. Equal blocks take equal memory only for equal inputs,
    which a module does not show: whoever relies on a run compares the shapes that go into it.
    """
    found: list[BlockList] = []
    _search(module, "", found)
    return tuple(found)


def _search(module: nn.Module, path: str, found: list[BlockList]) -> None:
    part = PART_OF_BLOCKS in vars(module)
    if isinstance(module, (nn.ModuleList, nn.Sequential)) and (len(module) >= 2 or part):
        blocks = list(module)
        runs = tuple(
            run
            for run in find_runs(signatures(blocks))
            if any(_has_parameters(block) for block in blocks[run.start : run.start + run.period])
        )
        if runs or part:
            found.append(BlockList(path, len(module), runs))
            return
    for name, child in module._modules.items():
        if child is not None:
            _search(child, f"{path}.{name}" if path else name, found)


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


_NUMBERS = "numbers_in_whole"


def block_numbers(container: nn.Module) -> list[int]:
    """The number of each block of a list in the whole model, of which some may be cut away."""
    return list(getattr(container, _NUMBERS, range(len(container._modules))))


def set_block_numbers(container: nn.Module, numbers: Sequence[int] | None) -> None:
    """Says which blocks are left in a list; None: all are there."""
    if numbers is not None:
        setattr(container, _NUMBERS, tuple(numbers))
    elif hasattr(container, _NUMBERS):
        delattr(container, _NUMBERS)


def is_cut(module: nn.Module) -> bool:
    """Whether blocks of a list in ``module`` were cut away."""
    return any(hasattr(part, _NUMBERS) for part in module.modules())


def whole_names(module: nn.Module, names: Iterable[str]) -> list[str]:
    """The paths that modules at ``names`` have in the whole model: what a plan knows them by.

    They are the same but where blocks were cut away in front of them.
    """
    cut = [
        (f"{path}." if path else "", part.numbers_in_whole)
        for path, part in module.named_modules()
        if hasattr(part, _NUMBERS)
    ]
    return [_whole_name(name, cut) for name in names]


def _whole_name(name: str, cut: Sequence[tuple[str, Any]]) -> str:
    for prefix, numbers in cut:
        if name.startswith(prefix):
            number, dot, rest = name[len(prefix) :].partition(".")
            if number.isdigit():
                return f"{prefix}{numbers[int(number)]}{dot}{rest}"
    return name


def find_runs(values: Sequence[Hashable]) -> tuple[Run, ...]:
    """Where ``values`` repeat: from the left, the period that reaches furthest, then the shortest.

    A value of None stands for a block that equals no other.
    """
    runs = []
    start = 0
    while start < len(values):
        best: Run | None = None
        for period in range(1, min(LONGEST_PERIOD, (len(values) - start) // 2) + 1):
            stop = start + period
            while (
                stop < len(values)
                and values[stop] is not None
                and (values[stop] == values[stop - period])
            ):
                stop += 1
            run = Run(start, period, (stop - start) // period)
            if run.count >= 2 and (best is None or run.stop > best.stop):
                best = run
        if best is None:
            start += 1
        else:
            runs.append(best)
            start = best.stop
    return tuple(runs)


def signatures(blocks: Sequence[nn.Module]) -> list[Hashable]:
    """For each block a value that is equal exactly where blocks are equal.

    None for a block with a stride, after which the next gets less, and for all blocks when two
    of them share a parameter. Left out: numbers that count the blocks (``layer_idx``), and which
    number a float is beyond zero, one or other (drop path grows along the depth; a rate does not
    change a size).
    """
    described = [_describe(block) for block in blocks]
    owners: dict[int, int] = {}
    for index, block in enumerate(described):
        for parameter in block.parameters:
            if owners.setdefault(parameter, index) != index:
                return [None] * len(blocks)
    counting = _counting(described)
    numbers: dict[Hashable, int] = {}
    result: list[Hashable] = []
    for block in described:
        if block.strided:
            result.append(None)
            continue
        integers = tuple(item for item in block.integers.items() if item[0] not in counting)
        # A number each, so that comparing is cheap.
        result.append(numbers.setdefault((block.structure, integers), len(numbers)))
    return result


@dataclass(slots=True)
class _Description:
    structure: Hashable
    integers: dict[tuple[str, str], int]
    """Settings by module path and name."""
    parameters: set[int]
    strided: bool


_INDEX = re.compile(r"(^|_)(layer|block|stage)_?(idx|index|id|i|number|num|nr)$|^(idx|index)$")
_MAY_COUNT = re.compile(r"(^|_)(idx|index|id|i|n|number|num|nr|layer|block|depth|position)(_|$)")


def _counting(blocks: Sequence[_Description]) -> set[tuple[str, str]]:
    """Settings that number the blocks: by name, or by a counting name and growing by one."""
    seen: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for index, block in enumerate(blocks):
        for key, value in block.integers.items():
            if _MAY_COUNT.search(key[1]):
                seen.setdefault(key, []).append((index, value))
    return {
        key
        for key, values in seen.items()
        if _INDEX.search(key[1])
        or (len(values) > 1 and len({value - index for index, value in values}) == 1)
    }


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def _describe(block: nn.Module) -> _Description:
    """One walk over ``block``."""
    structure: list[Hashable] = []
    integers: dict[tuple[str, str], int] = {}
    parameters: set[int] = set()
    strided = False
    waiting: list[tuple[str, nn.Module]] = [("", block)]
    while waiting:
        path, module = waiting.pop()
        values = module.__dict__
        structure.append((path, type(module)))
        strided = strided or _has_stride(values.get("stride"))
        for name, parameter in values["_parameters"].items():
            if parameter is None:
                structure.append(name)
            else:
                parameters.add(id(parameter))
                structure.append((name, parameter.shape, parameter.dtype, parameter.requires_grad))
        for name, buffer in values["_buffers"].items():
            structure.append((name, None) if buffer is None else (name, buffer.shape, buffer.dtype))
        hooks = [len(values[name]) for name in _HOOKS if values[name]]
        if hooks:
            structure.append(tuple(hooks))
        for name, value in values.items():
            if name[0] == "_":
                continue
            kind = type(value)
            if kind is int:
                integers[path, name] = value
            elif kind in _AS_IT_IS and kind is not str:
                structure.append((name, value))
            else:
                plain = _plain(value)
                if plain is not _NOT_PLAIN:
                    structure.append((name, plain))
        for name, child in values["_modules"].items():
            if child is None:
                structure.append((path, name, None))
            else:
                waiting.append((f"{path}.{name}", child))
    return _Description(tuple(structure), integers, parameters, strided)


def _has_stride(value: object) -> bool:
    if isinstance(value, int):
        return value > 1
    return isinstance(value, tuple) and any(_has_stride(item) for item in value)


_AS_IT_IS = frozenset({bool, str, type(None), type, BuiltinFunctionType, torch.dtype})
_NOT_PLAIN = object()


_PATH = re.compile(r"[A-Za-z_]\w*(\.\w+)+")
_NUMBER_IN_PATH = re.compile(r"(?<=\.)\d+(?=\.|$)")


def _plain(value: Any) -> Any:
    """``value`` as something to compare, or ``_NOT_PLAIN`` for an object of another kind.

    Of a module's path the numbers are left out: peft's layers know their own.
    """
    kind = type(value)
    if kind is str and _PATH.fullmatch(value):
        return _NUMBER_IN_PATH.sub("#", value)
    if kind in _AS_IT_IS:
        return value
    if kind is int:
        return ("int", value)
    if kind is float:
        return ("float", value if value == 0.0 or value == 1.0 else "other")
    if kind is FunctionType:
        return value.__code__
    if kind is MethodType:
        return getattr(value.__func__, "__code__", value.__func__)
    if kind is tuple or kind is list:
        return tuple(_plain(item) for item in value) if len(value) <= 64 else len(value)
    if kind is dict and len(value) <= 64:
        return tuple((str(key), _plain(item)) for key, item in value.items())
    return _NOT_PLAIN
