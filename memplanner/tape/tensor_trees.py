"""Tensors inside whatever a module takes or returns: lists, dicts, dataclasses, model outputs."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """All tensors in ``value``, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_in(getattr(value, field.name))


def map_tensors(change: Callable[[torch.Tensor], Any], value: Any) -> Any:
    """``value`` with every tensor in it replaced by what ``change`` makes of it."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        result: Any = copy.copy(value)
        for field in dataclasses.fields(value):
            part = getattr(value, field.name)
            object.__setattr__(result, field.name, map_tensors(change, part))
        if isinstance(result, dict):  # transformers' outputs are both
            for name in result:
                dict.__setitem__(result, name, getattr(result, name))
        return result
    if isinstance(value, dict):
        result = copy.copy(value)
        for name, part in value.items():
            result[name] = map_tensors(change, part)
        return result
    if isinstance(value, (list, tuple)):
        parts = [map_tensors(change, part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value
