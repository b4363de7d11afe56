"""What DTensor finds for an operation on shards, found unseen and, for lists, tensor by tensor.

To tell what becomes of an operation's shards torch runs it on tensors without memory, once; the
watch has nothing to see there. And torch looks at each tensor of a list at length, though a model's
blocks hold the same weights over and over, and looks at all of them anew in a list of one more
(``torch/distributed/tensor/_ops/single_dim_strategy.py: expanded_foreach_strategy``). Here it looks
at lists of one tensor, and what it found for each is kept with the rest of what it found.

Names are torch 2.13's; where they are not there, torch does as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import _disable_current_modes

Propagate = Callable[[Any, Any], Any]
"""From DTensor's propagator and an operation's schema to what it does to shards."""

_OUTCOME, _META = "propagate_op_sharding_non_cached", "_propagate_tensor_meta_non_cached"
"""What becomes of shards; and of tensors as wholes, which split losses ask for as well."""


@contextmanager
def outcomes_unseen() -> Iterator[None]:
    """Inside it DTensor finds the same as ever, sooner, and no dispatch mode sees how."""
    from torch.distributed.tensor import DTensor, _sharding_prop

    kind = getattr(_sharding_prop, "ShardingPropagator", None)
    without_memory = FakeTensorMode()  # or torch makes one each time, with its whole stack
    with ExitStack() as stack:
        for name, own in ((_OUTCOME, unseen_by_tensor), (_META, unseen(without_memory))):
            made = getattr(kind, name, None)
            if made is not None and hasattr(DTensor, "_op_dispatcher"):
                stack.enter_context(patch.object(kind, name, own(made)))
        yield


def unseen(without_memory: FakeTensorMode) -> Callable[[Propagate], Propagate]:
    """Makes a function find the same, with this mode for its tensors."""

    def around(made: Propagate) -> Propagate:
        @wraps(made)
        def propagate(propagator: Any, schema: Any) -> Any:
            with _disable_current_modes(), without_memory:
                return made(propagator, schema)

        return propagate

    return around


def unseen_by_tensor(made: Propagate) -> Propagate:
    """The same as ``made`` finds, which for lists is asked tensor by tensor."""

    @wraps(made)
    def propagate(propagator: Any, schema: Any) -> Any:
        with _disable_current_modes():
            found = [propagator.propagate_op_sharding(single) for single in singles(schema)]
            if not found or any(one.needs_redistribute for one in found):
                return made(propagator, schema)
        kind = type(found[0])
        if found[0].output_spec is None:
            return kind(None)
        return kind(tuple(spec for one in found for spec in one.output_spec))

    return propagate


def singles(schema: Any) -> Iterator[Any]:
    """An operation on lists as one on each tensor; nothing where it is none, or lists differ."""
    given = schema.args_schema
    lists = [arg for arg in given if isinstance(arg, (list, tuple))]
    lengths = {len(each) for each in lists}
    if not schema.op.name().startswith("aten::_foreach_") or len(lengths) != 1:
        return
    count, named = lengths.pop(), schema.kwargs_schema
    plain = all(isinstance(value, (int, float)) for value in named.values())
    if count < 2 or not plain or not _read_alike(lists):
        return
    for place in range(count):
        own = (arg[place : place + 1] if isinstance(arg, (list, tuple)) else arg for arg in given)
        yield type(schema)(schema.op, tuple(own), dict(named), schema.schema_info)


def _read_alike(lists: list[Any]) -> bool:
    """Whether all shards with gaps are to be read in one way: torch then reads no list otherwise.

    ``torch/distributed/tensor/_sharding_prop.py: _propagate_use_strided_shard_flag``.
    """
    from torch.distributed.tensor.placement_types import _StridedShard

    return len({
        spec.use_strided_shard_as_shard_order
        for each in lists for spec in each
        if any(isinstance(place, _StridedShard) for place in getattr(spec, "placements", ()))
    }) < 2  # fmt: skip
