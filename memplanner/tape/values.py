"""What a weightless tensor's values are, for models that ask for them.

Models call ``.item()`` on masks and positions, count experts' tokens, index by a condition. Where a
value follows from constants (an ``arange``, a comparison of it) or from the batch, it is computed
for real, when asked. Where it follows from what the network computes (a router's choice), the
operation is run on random numbers instead, and that is said. Nothing is kept alive for it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

_LIMIT = 1 << 22
"""Elements: larger tensors are not computed."""
_ATTRIBUTE = "_memplanner_value"
_SEED = 0

aten = torch.ops.aten


class _Unknown:
    """A tensor of which only shape and type are known."""

    __slots__ = ("dtype", "shape")
    guessed = True

    def __init__(self, tensor: torch.Tensor) -> None:
        self.shape, self.dtype = tuple(tensor.shape), tensor.dtype

    def compute(self) -> torch.Tensor:
        """Random numbers, the same for every tensor of this shape."""
        return sample(self.shape, self.dtype)


class _Value:
    """How a tensor was made: the operation and its arguments, with tensors replaced by values."""

    __slots__ = ("args", "func", "guessed", "in_place", "kwargs", "place", "result", "version")

    def __init__(
        self, func: Any, args: Any, kwargs: Any, result: torch.Tensor, *,
        in_place: bool = False, place: int | None = None, guessed: bool = False,
    ) -> None:  # fmt: skip
        self.func, self.args, self.kwargs = func, args, kwargs
        self.in_place, self.place, self.guessed = in_place, place, guessed
        # torch counts a change in place when the operation has returned.
        self.version = result._version + in_place
        self.result: torch.Tensor | None = None

    def compute(self) -> torch.Tensor:
        """The real tensor, on the CPU."""
        if self.result is None:
            args, kwargs = tree_map(_real, (self.args, self.kwargs))
            if "device" in kwargs:
                kwargs["device"] = torch.device("cpu")
            if self.in_place:
                args = (args[0].clone(), *args[1:])
            result = _run(self.func, args, kwargs)
            self.result = result if self.place is None else result[self.place]
            self.args = self.kwargs = None
        assert self.result is not None
        return self.result


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    if torch.Tag.nondeterministic_seeded not in getattr(func, "tags", ()):
        return func(*args, **kwargs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return func(*args, **kwargs)


def _real(part: Any) -> Any:
    return part.compute() if isinstance(part, (_Value, _Unknown)) else part


def _value_of(tensor: torch.Tensor) -> _Value | None:
    """How the tensor was made; None where that is not known, or it was changed since by a view."""
    value: _Value | None = getattr(tensor, _ATTRIBUTE, None)
    return None if value is None or value.version != tensor._version else value


def sample(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Values that a network might compute: numbers in [0, 1), true, zero of integers."""
    if dtype is torch.bool:
        return torch.ones(shape, dtype=dtype)
    if not (dtype.is_floating_point or dtype.is_complex):
        return torch.zeros(shape, dtype=dtype)
    if prod(shape) == 1:
        return torch.ones(shape).to(dtype)
    return torch.rand(shape, generator=torch.Generator().manual_seed(_SEED)).to(dtype)


class Values:
    """Follows small integer and boolean tensors, and answers for the rest by what is usual."""

    def __init__(self) -> None:
        self.guessed: set[str] = set()
        """Operations whose value was needed and not known."""
        self.read = False
        """Whether the model read what it computes on the CPU."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not known, in sentences for the user."""
        notes = []
        if self.guessed:
            notes.append("The model branches on its data; the usual branch was taken.")
        if self.read:
            notes.append(
                "The model reads what it computes on the CPU; random numbers stood in for it."
            )
        return tuple(notes)

    def note(self, func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> None:
        """Remembers how ``result`` was made, if its value may be asked for."""
        if isinstance(result, torch.Tensor):
            if _followed(result):
                self._note(func, args, kwargs, result, None)
        elif isinstance(result, (tuple, list)):
            for place, part in enumerate(result):
                if isinstance(part, torch.Tensor) and _followed(part):
                    self._note(func, args, kwargs, part, place)

    def _note(
        self, func: Any, args: Any, kwargs: dict[str, Any], result: torch.Tensor, place: int | None
    ) -> None:
        guessed = func in _RANDOM
        too_large = False

        def known(part: Any) -> Any:
            nonlocal guessed, too_large
            if not isinstance(part, torch.Tensor):
                return part
            value = _value_of(part)
            if value is None and part.device.type != "meta":
                return part.detach().clone() if part.numel() <= 64 else part
            if value is None:
                guessed = True
                too_large = too_large or part.numel() > _LIMIT
                return _Unknown(part)
            guessed = guessed or value.guessed
            return value

        mapped_args, mapped_kwargs = tree_map(known, (args, kwargs))
        result.__dict__["_memplanner_made_by"] = str(func)
        if too_large:
            result.__dict__.pop(_ATTRIBUTE, None)
            return
        in_place = bool(args) and result is args[0]
        value = _Value(
            func, mapped_args, mapped_kwargs, result,
            in_place=in_place, place=place, guessed=guessed,
        )  # fmt: skip
        setattr(result, _ATTRIBUTE, value)

    def note_batch(self, batch: Any, make: Callable[[], Any]) -> None:
        """Remembers that the integers of ``batch`` are those of ``make()``, the same batch real."""
        real: list[Any] = []

        def part_of(place: int) -> Any:
            if not real:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(_SEED)
                    real.extend(tree_leaves(make()))
            return real[place]

        for place, leaf in enumerate(tree_leaves(batch)):
            if isinstance(leaf, torch.Tensor) and leaf.is_meta and _followed(leaf):
                setattr(leaf, _ATTRIBUTE, _Value(part_of, (place,), {}, leaf))

    def note_real(self, tensor: torch.Tensor, real: torch.Tensor, *, guessed: bool) -> None:
        """Remembers the value of a tensor that was computed for real."""
        if _followed(tensor):
            value = _Value(None, None, None, tensor, guessed=guessed)
            value.result = real
            setattr(tensor, _ATTRIBUTE, value)

    def real(self, tensor: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """The tensor with values on the CPU, and whether they are made up."""
        if tensor.device.type != "meta":
            return tensor.detach(), False
        value = _value_of(tensor)
        if value is not None:
            return value.compute(), value.guessed
        return sample(tuple(tensor.shape), tensor.dtype), True

    def copied(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy of a weightless tensor on the CPU; one number, expanded, where it is large."""
        if tensor.numel() > _LIMIT:
            self.read = True
            return sample((1,), tensor.dtype).expand(tensor.shape)
        real, guessed = self.real(tensor)
        if guessed:
            self.read = True
        return real.clone()

    def answer(self, tensor: torch.Tensor) -> Any:
        """What ``tensor.item()`` is.

        Of conditions on what a network computes, checks are usual (``isnan().any()``,
        ``isfinite().all()``), and a network passes them.
        """
        value = _value_of(tensor)
        if value is not None and not value.guessed:
            return value.compute().item()
        made_by = getattr(tensor, "_memplanner_made_by", "")
        self.guessed.add(made_by or "a value of the data")
        if tensor.dtype is torch.bool and ("any" in made_by or "all" in made_by):
            return "any" not in made_by
        if value is not None:
            return value.compute().item()
        integer = not (tensor.dtype.is_floating_point or tensor.dtype is torch.bool)
        return 1 if integer else sample((), tensor.dtype).item()


def _followed(tensor: torch.Tensor) -> bool:
    dtype = tensor.dtype
    return not (
        dtype.is_floating_point
        or dtype.is_complex
        or tensor.numel() > _LIMIT
        or tensor.is_inference()
    )


_RANDOM = frozenset(
    {aten.randint.default, aten.randint.low, aten.randperm.default, aten.bernoulli.default}
)
