"""Results that were inferred before: the same operation on tensors of the same shapes.

torch infers most results on the meta device in Python (``torch/_refs``), some 70 µs each. Blocks
are alike, and so are the recordings of one model under several plans: most results were inferred
before, and an empty tensor of the known shape is the same result. Measured: a third off a
recording.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from memplanner.tape.known_operations import once_an_operation
from memplanner.tape.results import Correction
from memplanner.tape.shortcuts import shortcut

_Template = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
_META = torch.device("meta")
_LARGEST = 50_000
"""Results that are remembered; some 300 bytes each."""
_AS_THEY_ARE = frozenset(
    {type(None), str, torch.dtype, torch.device, torch.layout, torch.memory_format}
)
_NUMBERS = frozenset({bool, int, float})


class _UnkeyedError(Exception):
    """The call's result may depend on more than shapes."""


class Inference:
    """Infers results of operations on meta tensors as a device gives them; remembers shapes."""

    def __init__(self, correct: Correction) -> None:
        self._correct = correct
        self._known: dict[Any, Any] = {}

    def __call__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What ``func`` returns; its storages are new wherever the operation makes new ones."""
        if not _makes_new(func):
            return self._correct(func, args, func(*args, **kwargs))
        try:
            key: tuple[Any, ...] = (id(func), torch.get_default_dtype(), *map(_key, args))
            if kwargs:
                key += tuple((name, _key(value)) for name, value in kwargs.items())
        except _UnkeyedError:
            return self._correct(func, args, func(*args, **kwargs))
        known = self._known.get(key)
        if known is not None:
            return _made(known)
        result = shortcut(func, args, kwargs)
        if result is None:
            result = self._correct(func, args, func(*args, **kwargs))
        template = _template(result, _storages((args, kwargs)))
        if template is not None:
            if len(self._known) >= _LARGEST:
                self._known.clear()
            self._known[key] = template
        return result


@cache
def inference(correct: Correction) -> Inference:
    """The process's own inference for each kind of device."""
    return Inference(correct)


@once_an_operation  # which holds it too, so that its number stays its own
def _makes_new(func: Any) -> bool:
    """Whether an operation returns nothing but new tensors, and takes some."""
    schema = func._schema
    parts = (*schema.arguments, *schema.returns)
    return all(part.alias_info is None for part in parts) and any(
        "Tensor" in str(argument.type) for argument in schema.arguments
    )


def _key(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        if not value.is_meta or value.layout is not torch.strided:
            raise _UnkeyedError
        if type(value) is not torch.Tensor and type(value) is not torch.nn.Parameter:
            raise _UnkeyedError
        return value.shape, value.stride(), value.dtype
    kind = type(value)
    if kind in _NUMBERS:
        return kind, value  # 1, 1.0 and True are equal, and promote differently
    if kind in _AS_THEY_ARE:
        return value
    if kind is list or kind is tuple:
        return tuple(map(_key, value))
    raise _UnkeyedError


def _storages(value: Any) -> set[int]:
    """The storages of all tensors in ``value``."""
    return {
        leaf.untyped_storage()._cdata
        for leaf in tree_leaves(value)
        if isinstance(leaf, torch.Tensor)
    }


def _template(result: Any, taken: set[int]) -> Any:
    """What ``_made`` makes the result of, or None where it is more than new, whole tensors.

    ``taken`` are the storages of the arguments.
    """
    if isinstance(result, torch.Tensor):
        return None if result.untyped_storage()._cdata in taken else _whole(result)
    if not isinstance(result, (tuple, list)):
        return None
    parts: list[_Template | None] = []
    seen = set(taken)
    for part in result:
        if part is None:
            parts.append(None)
            continue
        template = _whole(part) if isinstance(part, torch.Tensor) else None
        if template is None or part.untyped_storage()._cdata in seen:
            return None
        seen.add(part.untyped_storage()._cdata)
        parts.append(template)
    return type(result), tuple(parts)


def _whole(tensor: torch.Tensor) -> _Template | None:
    if type(tensor) is not torch.Tensor or tensor.device != _META or tensor.storage_offset():
        return None
    shape, strides = tuple(tensor.shape), tensor.stride()
    last = 0 if 0 in shape else 1 + sum(
        (size - 1) * stride for size, stride in zip(shape, strides, strict=True)
    )  # fmt: skip
    if tensor.untyped_storage().nbytes() != last * tensor.element_size():
        return None  # resized or padded
    return shape, strides, tensor.dtype


def _made(known: Any) -> Any:
    with torch._C.DisableTorchFunction():  # the recorder's own tensors are nobody's operations
        if len(known) == 3:
            return torch.empty_strided(known[0], known[1], dtype=known[2], device=_META)
        kind, parts = known
        return kind(
            None if part is None
            else torch.empty_strided(part[0], part[1], dtype=part[2], device=_META)
            for part in parts
        )  # fmt: skip
