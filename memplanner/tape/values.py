"""Answers for models that branch on data: what a weightless tensor's value is.

Models call ``.item()`` on masks and positions. Where a value follows from constants alone (an
``arange``, a comparison of it), it is computed for real, when asked; nothing is kept alive for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._pytree import tree_map

_LIMIT = 1 << 22
"""Elements: larger tensors are not computed."""
_ATTRIBUTE = "_memplanner_value"

aten = torch.ops.aten


class _Value:
    """How a tensor was made: the operation and its arguments, with tensors replaced by values."""

    __slots__ = ("args", "func", "in_place", "kwargs", "result", "version")

    def __init__(self, func: Any, args: Any, kwargs: Any, result: torch.Tensor, own: bool) -> None:
        self.func, self.args, self.kwargs, self.in_place = func, args, kwargs, own
        # torch counts a change in place when the operation has returned.
        self.version = result._version + own
        self.result: torch.Tensor | None = None

    def compute(self) -> torch.Tensor:
        """The real tensor, on the CPU."""
        if self.result is None:
            args, kwargs = tree_map(_real, (self.args, self.kwargs))
            if "device" in kwargs:
                kwargs["device"] = torch.device("cpu")
            if self.in_place:
                args = (args[0].clone(), *args[1:])
            self.result = self.func(*args, **kwargs)
        return self.result


def _real(part: Any) -> Any:
    return part.compute() if isinstance(part, _Value) else part


def _value_of(tensor: torch.Tensor) -> _Value | None:
    """How the tensor was made; None where that is not known, or it was changed since by a view."""
    value: _Value | None = getattr(tensor, _ATTRIBUTE, None)
    return None if value is None or value.version != tensor._version else value


class Values:
    """Follows small integer and boolean tensors, and answers for the rest by what is usual."""

    def __init__(self) -> None:
        self.guessed: set[str] = set()
        """Operations whose value was needed and not known."""

    def note(self, func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        """Remembers how ``result`` was made, if its value may be asked for."""
        if (
            not isinstance(result, torch.Tensor)
            or result.dtype.is_floating_point
            or result.dtype.is_complex
            or result.numel() > _LIMIT
            or result.is_inference()
        ):
            return
        unknown = False

        def known(part: Any) -> Any:
            nonlocal unknown
            if not isinstance(part, torch.Tensor):
                return part
            value = _value_of(part)
            if value is None:
                if part.device.type != "meta":
                    return part.detach().clone() if part.numel() <= 64 else part
                unknown = True
            return value

        mapped_args, mapped_kwargs = tree_map(known, (args, kwargs))
        if unknown or func in _RANDOM:
            result.__dict__.pop(_ATTRIBUTE, None)
            result.__dict__["_memplanner_made_by"] = str(func)
        else:
            own = bool(args) and result is args[0]
            setattr(result, _ATTRIBUTE, _Value(func, mapped_args, mapped_kwargs, result, own))

    def answer(self, tensor: torch.Tensor) -> Any:
        """What ``tensor.item()`` is."""
        value = _value_of(tensor)
        if value is not None:
            return value.compute().item()
        made_by = getattr(tensor, "_memplanner_made_by", "")
        self.guessed.add(made_by or "a value of the data")
        if tensor.dtype is torch.bool:
            return "any" not in made_by
        return 1 if not tensor.dtype.is_floating_point else 1.0


_RANDOM = frozenset(
    {aten.randint.default, aten.randint.low, aten.randperm.default, aten.bernoulli.default}
)
