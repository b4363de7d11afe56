"""The work of a step, noted operation by operation while it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from memplanner.messages.estimate import Phase
from memplanner.tape.collectives import Collective
from memplanner.tape.work import (
    CAUSAL_ATTENTION,
    COMMUNICATION,
    HOST_KERNEL,
    OPTIMIZER,
    OTHER,
    PHASES,
    PRECISIONS,
    STEP,
    TRANSFER,
    Work,
    columns,
    nothing,
)
from memplanner.tape.work_facts import Facts, facts_of
from memplanner.techniques.host_memory import lies_there, some_lie_there

_PRECISION = {
    torch.bfloat16: PRECISIONS.index("bf16"),
    torch.float16: PRECISIONS.index("fp16"),
    torch.float8_e4m3fn: PRECISIONS.index("fp8"),
    torch.float8_e5m2: PRECISIONS.index("fp8"),
    torch.int8: PRECISIONS.index("int8"),
}
_WIDTH = 9
"""Of a row: phase's number, operation, module, part, kind, precision, flops, launches, peers."""


class WorkNotes:
    """Rows of a :class:`Work`, by the number of their phase in the watch."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, ...]] = []
        self._amounts: list[list[int]] = []
        self._names: dict[str, int] = {}
        self._collectives: dict[Collective, int] = {}

    def note(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        phase: int,
        module: int,
        part: int = STEP,
    ) -> None:
        """Notes an operation that works for one module."""
        facts = facts_of(func)
        if facts is None:
            return
        sizes: list[int] = []
        for times, given in zip(facts.passes, args, strict=False):
            if times and isinstance(given, torch.Tensor):
                sizes += (_read_bytes(given),) * times
            elif times and isinstance(given, (list, tuple)):
                sizes += [one.nbytes for one in _tensors(given)] * times
        if facts.new:
            if isinstance(result, torch.Tensor):
                sizes.append(result.nbytes)
            else:
                sizes += [one.nbytes for one in _tensors((result,))]
        self._add(facts, args, kwargs, result, sizes, phase, module, part)

    def note_update(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        phase: int,
        owner: Callable[[torch.Tensor], int],
    ) -> None:
        """Notes an operation of the optimizer, module by module where it takes lists."""
        facts = facts_of(func)
        if facts is None:
            return
        lists = [
            (times, given)
            for times, given in zip(facts.passes, args, strict=False)
            if isinstance(given, (list, tuple)) and given and isinstance(given[0], torch.Tensor)
        ]
        if not lists:
            first = next(_tensors(args), None)
            module = 0 if first is None else max(map(owner, _tensors(args)))
            self.note(func, args, kwargs, result, phase, module, OPTIMIZER)
            return
        if facts.new and isinstance(result, (list, tuple)):
            lists.append((1, result))
        sizes: dict[int, int] = {}
        for place, one in enumerate(lists[0][1]):
            module = owner(one)
            size = sum(
                times * given[place].nbytes
                for times, given in lists
                if place < len(given) and isinstance(given[place], torch.Tensor)
            )
            sizes[module] = sizes.get(module, 0) + size
        for number, (module, size) in enumerate(sizes.items()):
            self._add(facts, args, kwargs, result, [size], phase, module, OPTIMIZER, number == 0)

    def note_kernel(
        self, sizes_bytes: Sequence[int], phase: int, module: int, part: int = STEP
    ) -> None:
        """Notes a kernel of several operations by the bytes of what it reads and writes."""
        name = self._names.setdefault("fused", len(self._names))
        self._rows.append((phase, name, module, part, OTHER, 0, 0, 1, -1))
        self._amounts.append(list(sizes_bytes))

    def note_collective(self, call: Collective, phase: int, module: int) -> None:
        """Notes what is sent to other ranks."""
        name = self._names.setdefault(call.kind, len(self._names))
        alike = replace(call, payload_bytes=0)
        peers = self._collectives.setdefault(alike, len(self._collectives))
        self._rows.append((phase, name, module, STEP, COMMUNICATION, 0, 0, 1, peers))
        self._amounts.append([call.payload_bytes])

    def _add(
        self,
        facts: Facts,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        sizes: list[int],
        phase: int,
        module: int,
        part: int,
        launches: int = 1,
    ) -> None:
        kind, flops, precision = facts.kind, 0, 0
        if facts.flops is not None:
            flops = facts.flops(args, kwargs, result)
            precision = _PRECISION.get(next(_tensors(args)).dtype, 0)
            place = facts.causal
            if place is not None and (
                args[place] if place < len(args) else kwargs.get("is_causal", False)
            ):
                kind = CAUSAL_ATTENTION
        if some_lie_there():
            kind, sizes = _beside_host(facts, args, result, kind, sizes)
        name = self._names.setdefault(facts.name, len(self._names))
        self._rows.append((phase, name, module, part, kind, precision, flops, launches, -1))
        self._amounts.append(sizes)

    def taken(self, spans: Mapping[int, tuple[Phase, int]]) -> Work:
        """The work of some phases: of each number its name, and its micro-batch or token."""
        chosen = [place for place, row in enumerate(self._rows) if row[0] in spans]
        if not chosen:
            return nothing()
        phase, operation, module, part, kind, precision, flops, launches, peers = columns(
            [self._rows[place] for place in chosen], _WIDTH
        )
        amounts = [self._amounts[place] for place in chosen]
        known = {number: (PHASES.index(name), micro) for number, (name, micro) in spans.items()}
        places = np.array([known[number] for number in phase.tolist()], dtype=np.int64)
        # what else was run, and when, makes no difference to their numbers
        used = {number: new for new, number in enumerate(dict.fromkeys(operation.tolist()))}
        names = tuple(self._names)
        return Work(
            operation=np.array([used[number] for number in operation.tolist()], dtype=np.int64),
            names=tuple(names[number] for number in used),
            module=module,
            phase=places[:, 0],
            micro_batch=places[:, 1],
            part=part,
            kind=kind,
            precision=precision,
            flops=flops,
            launches=launches,
            peers=peers,
            collectives=tuple(self._collectives),
            amount_row=np.repeat(np.arange(len(chosen)), [len(sizes) for sizes in amounts]),
            amount_bytes=np.array([size for sizes in amounts for size in sizes], dtype=np.int64),
            count=np.ones(len(chosen), dtype=np.int64),
        )


def _tensors(values: Iterable[Any]) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _read_bytes(tensor: torch.Tensor) -> int:
    """What is read of a tensor: an expanded one lies in memory once."""
    if 0 in tensor.stride():
        return min(tensor.nbytes, tensor.untyped_storage().nbytes())
    return tensor.nbytes


def _beside_host(
    facts: Facts, args: tuple[Any, ...], result: Any, kind: int, sizes: list[int]
) -> tuple[int, list[int]]:
    """Kind and amounts where tensors lie in host memory: the bus, or the host's own kernels."""
    taking_part = [*_tensors(args), *_tensors((result,))]
    there = [lies_there(one) for one in taking_part]
    if not any(there):
        return kind, sizes
    if all(there):
        return HOST_KERNEL, sizes
    if facts.copies:
        moved = [one.nbytes for one, away in zip(taking_part, there, strict=True) if not away]
        return TRANSFER, moved[:1]
    return kind, sizes
