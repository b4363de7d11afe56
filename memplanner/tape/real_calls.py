"""Single operations that the meta device cannot run: computed for real, on values or stand-ins.

An operation whose result is as large as its data says (``nonzero``, ``unique``, indexing by a
condition) is run on the values that are known or usual. One without a meta kernel is run on real
tensors of its shapes; where those are large, on smaller ones, and the result is scaled.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map

from memplanner.tape.values import Values, sample

aten = torch.ops.aten

LARGEST_ELEMENTS = 1 << 22
"""Of all arguments of one call that is run with its own shapes."""
ERRORS = (
    NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, AttributeError,
    AssertionError,
)  # fmt: skip
"""What operations raise that cannot run on the meta device."""
_SMALL = (17, 19, 23, 29, 31, 37, 41, 43)
"""Sizes that stand in for larger ones: primes, to be told apart in a result."""
_SIZED_BY_DATA = frozenset(
    {
        aten.nonzero.default, aten._unique2.default,
        aten._unique.default, aten.unique_dim.default, aten.unique_consecutive.default,
        aten.unique_dim_consecutive.default, aten.repeat_interleave.Tensor, aten.bincount.default,
    }
)  # fmt: skip


class RealCalls:
    """Runs what the meta device cannot; keeps account of it for the notes."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._done: dict[str, dict[str, Counter[str]]] = {}

    def run(
        self, func: Any, args: Any, kwargs: dict[str, Any], error: Exception, module: str
    ) -> Any:
        """The result of ``func`` as weightless tensors; raises ``error`` where it has none at all.

        ``module`` is the name of the module at work.
        """
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if len({tensor.device.type for tensor in tensors if tensor.dim()}) > 1:
            moved = self._weightless(func, args, kwargs)
            if moved is not None:
                return moved
        name = _name(func)
        selected = self._selected(func, args, module)
        if selected is not None:
            return selected
        if sum(tensor.numel() for tensor in tensors) > LARGEST_ELEMENTS:
            return self._large(func, args, kwargs, name, module)
        guessed = False
        originals: dict[int, torch.Tensor] = {}

        def with_values(part: Any) -> Any:
            nonlocal guessed
            if isinstance(part, torch.Tensor):
                real, made_up = self._values.real(part)
                real = _laid_out_like(part, real) if part.is_meta else real
                originals[real.untyped_storage()._cdata] = part
                guessed = guessed or made_up
                return real
            return _on_cpu(part)

        try:
            real_args, real_kwargs = tree_map(with_values, (args, kwargs))
            with torch._C.DisableTorchFunction():
                result = func(*real_args, **real_kwargs)
        except NotImplementedError:  # no kernel for the CPU either
            return self._like_first(func, args, kwargs, name, module, error)
        except ERRORS:
            raise error from None
        if func in _SIZED_BY_DATA:
            if guessed:
                self._count("guessed", name, module)
        else:
            self._count("real", name, module)

        def weightless(part: Any) -> Any:
            if not isinstance(part, torch.Tensor):
                return part
            given = originals.get(part.untyped_storage()._cdata)
            if given is not None and given.shape == part.shape:
                return given  # changed in place
            made = torch.empty_strided(part.size(), part.stride(), dtype=part.dtype, device="meta")
            self._values.note_real(made, part, guessed=guessed)
            return made

        if any(
            isinstance(part, torch.Tensor) and part.layout is not torch.strided
            for part in tree_leaves(result)
        ):
            raise error
        return tree_map(weightless, result)

    def _selected(self, func: Any, args: Any, module: str) -> torch.Tensor | None:
        """What a condition selects; only the condition is computed."""
        result: torch.Tensor
        if func is aten.masked_select.default:
            shape = torch.broadcast_shapes(args[0].shape, args[1].shape)
            count = prod(shape)
            if args[1].numel() <= LARGEST_ELEMENTS:
                selected, guessed = self._values.real(args[1])
                count = int(selected.expand(shape).sum())
                if guessed:
                    self._count("guessed", _name(func), module)
            else:
                self._count("largest", _name(func), module)
            result = torch.empty(count, dtype=args[0].dtype, device="meta")
        elif func is aten.index.Tensor and any(map(_is_condition, args[1])):
            rows = [
                row
                for index in args[1]
                for row in (self._selection(index, module) if _is_condition(index) else [index])
            ]
            result = func(args[0], rows)
        else:
            return None
        self._values.note(func, args, {}, result)
        return result

    def _selection(self, condition: torch.Tensor, module: str) -> list[torch.Tensor]:
        """The places where a condition holds: one weightless tensor of indices a dimension."""
        name = _name(aten.index.Tensor)
        if condition.numel() > LARGEST_ELEMENTS:
            self._count("largest", name, module)
            everything = torch.empty(condition.numel(), dtype=torch.int64, device="meta")
            return [everything] * condition.dim()
        real, guessed = self._values.real(condition)
        if guessed:
            self._count("guessed", name, module)
        found = []
        for row in real.nonzero().unbind(1):
            made = torch.empty_like(row, device="meta", memory_format=torch.contiguous_format)
            self._values.note_real(made, row, guessed=guessed)
            found.append(made)
        return found

    def _weightless(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any | None:
        """Beside weightless tensors, one that the model made on the CPU is made weightless too."""

        def moved(part: Any) -> Any:
            if not isinstance(part, torch.Tensor) or part.is_meta or part.dim() == 0:
                return part
            made = torch.empty_strided(part.size(), part.stride(), dtype=part.dtype, device="meta")
            self._values.note_real(made, part, guessed=False)
            return made

        try:
            return func(*tree_map(moved, args), **tree_map(moved, kwargs))
        except ERRORS:
            return None

    def _large(self, func: Any, args: Any, kwargs: Any, name: str, module: str) -> Any:
        """A call on tensors too large to be made: on smaller ones, scaled."""
        if func in _SIZED_BY_DATA:
            largest = _largest(func, args)
            if largest is not None:
                self._count("largest", name, module)
                return largest
        sizes = sorted(
            {size for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)
             for size in leaf.shape if size > _SMALL[0]}, reverse=True,
        )  # fmt: skip
        smaller = dict(zip(sizes, _SMALL, strict=False))
        larger = {small: size for size, small in smaller.items()}

        def reduced(part: Any) -> Any:
            if isinstance(part, torch.Tensor):
                shape = tuple(smaller.get(size, size) for size in part.shape)
                return sample(shape, part.dtype)
            if type(part) is int:
                return smaller.get(part, part)
            return _on_cpu(part)

        try:
            small_args, small_kwargs = tree_map(reduced, (args, kwargs))
            total = sum(
                leaf.numel()
                for leaf in tree_leaves((small_args, small_kwargs))
                if isinstance(leaf, torch.Tensor)
            )
            if len(sizes) > len(_SMALL) or total > LARGEST_ELEMENTS:
                raise RuntimeError("still too large")
            with torch._C.DisableTorchFunction():
                result = func(*small_args, **small_kwargs)
        except ERRORS as error:
            return self._like_first(func, args, kwargs, name, module, error)
        self._count("scaled", name, module)
        given = iter(_written(func, args, kwargs))

        def scaled(part: Any) -> Any:
            if not isinstance(part, torch.Tensor):
                return part
            again = next(given, None)
            if again is not None:
                return again
            shape = [_scaled(size, larger) for size in part.shape]
            return torch.empty(shape, dtype=part.dtype, device="meta")

        return tree_map(scaled, result)

    def _like_first(
        self, func: Any, args: Any, kwargs: Any, name: str, module: str, error: Exception
    ) -> Any:
        """Nothing can run it here: results are taken to be like the first tensor."""
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if not leaves or not hasattr(func, "_schema"):
            raise error
        self._count("like", name, module)
        given = _written(func, args, kwargs)
        results = []
        for place, returned in enumerate(func._schema.returns):
            if "Tensor" not in str(returned.type):
                raise error
            if place < len(given):
                results.append(given[place])
            else:
                results.append(torch.empty_like(leaves[0], device="meta"))
        if not results:
            return None
        return results[0] if len(results) == 1 else tuple(results)

    def _count(self, how: str, name: str, module: str) -> None:
        self._done.setdefault(how, {}).setdefault(name, Counter())[module] += 1

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done, in sentences for the user."""
        return tuple(
            f"{name}{_where(modules)}: {_SENTENCES[how]}"
            for how, names in self._done.items()
            for name, modules in names.items()
        )


_SENTENCES = {
    "guessed": "how much it selects depends on data, so random numbers stood in for the network's.",
    "real": "has no weightless form, so this one operation was computed for real on the CPU.",
    "largest": "how much it selects depends on data, so everything was taken to be selected.",
    "scaled": "has no weightless form, so it was computed on smaller tensors and scaled up.",
    "like": "cannot run on this machine, so its result was taken to be as large as its input.",
}


def _name(func: Any) -> str:
    """An operation as a user knows it: ``nonzero``, ``library::operation``."""
    if func is aten.index.Tensor:
        return "indexing by a condition"
    name: str = func._schema.name if hasattr(func, "_schema") else str(func)
    return name.removeprefix("aten::")


def _laid_out_like(tensor: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """A copy of ``values`` with the strides of ``tensor``: kernels choose by them."""
    if tensor.is_contiguous() or any(
        stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
    ):
        return values.clone(memory_format=torch.contiguous_format)
    made = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
    return made.copy_(values)


def _is_condition(index: Any) -> bool:
    return isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)


def _where(modules: Counter[str]) -> str:
    first = next(iter(modules))
    more = len(modules) - 1
    place = f" in {first}" if first else ""
    return place + (f" and {more} other modules" if more else "")


def _written(func: Any, args: Any, kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The arguments that an operation changes and returns."""
    schema = getattr(func, "_schema", None)
    if schema is None or not any(
        returned.alias_info is not None and returned.alias_info.is_write
        for returned in schema.returns
    ):
        return []
    found = []
    for place, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            if isinstance(value, torch.Tensor):
                found.append(value)
    return found


def _largest(func: Any, args: Any) -> torch.Tensor | None:
    """The result when every element is selected."""
    first = args[0]
    if func is aten.nonzero.default:
        return torch.empty((first.dim(), first.numel()), dtype=torch.int64, device="meta").T
    return None


def _scaled(size: int, larger: dict[int, int]) -> int:
    """A size of a result on smaller tensors as it is on the real ones."""
    if size in larger:
        return larger[size]
    for small, large in larger.items():
        if size % small == 0:
            return large * _scaled(size // small, larger)
    return size


def _on_cpu(part: Any) -> Any:
    return torch.device("cpu") if isinstance(part, torch.device) else part
