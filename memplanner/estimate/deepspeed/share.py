"""A rank's share of parameters, gradients and states, as DeepSpeed deals them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from memplanner.estimate.layers import in_model_order
from memplanner.plan.sharding import Sharding
from memplanner.tape.tape import PARAMETERS, Tape

_ALIGNMENT = 2
"""Elements: flat buffers end at a multiple of it for each rank (``stage_1_and_2.py:
nccl_start_alignment_factor``)."""
_NVME_BUFFERS, _NVME_BUFFER, _IN_HOST_MEMORY = 5, 100_000_000, 1_000_000_000
"""``buffer_count``, ``buffer_size`` and ``max_in_cpu`` in elements (``offload_config.py:
DeepSpeedZeroOffloadParamConfig``)."""


@dataclass(frozen=True, slots=True)
class Share:
    """What the fullest rank has; the others have as much, or a little less."""

    tape: Tape
    """The recorded one, with elements as ``in_stored_elements`` counts them."""
    ranks: int
    parameters: tuple[int, ...]
    """Storages, in the model's order."""
    trained: tuple[int, ...]
    persistent: frozenset[int]
    """Those that ZeRO-3 keeps whole."""
    elements: int
    """Of trained parameters: the length of the flat share."""
    update_groups: tuple[int, ...]
    """The same by what is updated together."""
    touched: int
    """ZeRO-1 and ZeRO-2: elements of the parameters that lie in the share in whole or in part."""
    largest: int
    """Elements of the largest gradient that a rank keeps in one piece."""
    starts: Mapping[int, int]
    """ZeRO-1 and ZeRO-2: where in the flat buffer each trained parameter begins, in elements."""

    @classmethod
    def of(cls, tape: Tape, section: Sharding) -> Share:
        """The share of one of the section's ranks."""
        tape = in_stored_elements(tape)
        parameters = _in_model_order(tape)
        trained = tuple(one for one in parameters if tape.trainable[one])
        ranks, sizes = section.ranks, [int(tape.numel[one]) for one in trained]
        starts: dict[int, int] = {}
        if section.data == "zero_3":
            own = [ceil(size / ranks) for size in sizes]
            elements, groups, touched = sum(own), update_groups(own, section.sub_group_size), 0
            largest = max(own, default=0)
        else:
            largest = max(sizes, default=0)
            elements = ceil(sum(sizes) / (_ALIGNMENT * ranks)) * _ALIGNMENT
            groups, touched = ((elements,) if elements else ()), most_touched(sizes, elements)
            starts = dict(zip(trained, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        threshold = section.param_persistence_threshold
        small = [one for one in parameters if tape.numel[one] <= threshold]
        persistent = frozenset(small) if section.data == "zero_3" else frozenset()
        return cls(
            tape, ranks, parameters, trained, persistent, elements, groups, touched, largest, starts
        )

    def of_parameter(self, storage: int) -> int:
        """Elements of a parameter that ZeRO-3 keeps here (``_partition_numel``)."""
        return ceil(int(self.tape.numel[storage]) / self.ranks)

    def itemsize(self, storage: int) -> int:
        """Bytes of one of a parameter's elements."""
        return int(self.tape.size_bytes[storage]) // int(self.tape.numel[storage])

    def pieces(self, gradients: Iterable[int]) -> list[int]:
        """ZeRO-1 and ZeRO-2: ``pieces`` of some parameters' gradients."""
        stretches = (
            (self.starts[one], self.starts[one] + int(self.tape.numel[one])) for one in gradients
        )
        return pieces(stretches, self.elements)

    @property
    def accumulated_itemsize(self) -> int:
        """Bytes of a gradient's element.

        Gradients are accumulated and sent in the type of the module (``runtime/engine.py:
        get_data_types, communication_data_type``).
        """
        return max((self.itemsize(one) for one in self.trained), default=4)

    @property
    def flat_bytes(self) -> int:
        """The flat buffer of all ranks' shares of ZeRO-1 and ZeRO-2."""
        return self.elements * self.ranks * self.accumulated_itemsize

    @property
    def padding_bytes(self) -> int:
        """What the flat buffer has beyond the parameters."""
        return self.flat_bytes - sum(int(self.tape.size_bytes[one]) for one in self.trained)

    @property
    def nvme_bytes(self) -> int:
        """Host memory that ZeRO-3 keeps for parameters on NVMe."""
        whole = sum(self.of_parameter(one) for one in self.parameters)
        buffers = _NVME_BUFFERS * _NVME_BUFFER
        size = max((self.itemsize(one) for one in self.parameters), default=2)
        return size * (buffers + min(whole, _IN_HOST_MEMORY))


def in_stored_elements(tape: Tape) -> Tape:
    """The tape whose packed weights count as elements of the type that is trained.

    Four bits a weight lie in tensors of ``bnb_4bit_quant_storage``, which is the type of the other
    parameters, as peft's guide has it: four weights in one element of bf16. Their scales are no
    parameters of bitsandbytes', and whole on every rank (``bitsandbytes/nn/modules.py:
    Params4bit, functional.py: QuantState``).
    """
    packed = (tape.category == PARAMETERS) & (tape.size_bytes < tape.numel)
    if not packed.any():
        return tape
    trained = (tape.category == PARAMETERS) & tape.trainable & (tape.numel > 0)
    itemsize = int((tape.size_bytes[trained] // tape.numel[trained]).max(initial=1))
    return replace(tape, numel=np.where(packed, -(-tape.size_bytes // itemsize), tape.numel))


def _in_model_order(tape: Tape) -> tuple[int, ...]:
    """Parameters as the model has them; on a tape those of copied blocks come last."""
    modules = in_model_order(tape.module_names)
    place = {module: number for number, module in enumerate(modules)}
    found = np.flatnonzero((tape.category == PARAMETERS) & (tape.numel > 0)).tolist()
    return tuple(sorted(found, key=lambda one: (place[int(tape.module[one])], one)))


def update_groups(shares: Sequence[int], limit: int) -> tuple[int, ...]:
    """Elements of each group: it is closed by the parameter that reaches ``limit``.

    ``stage3.py: _create_fp16_sub_groups``.
    """
    if sum(shares) <= limit:
        return (sum(shares),) if shares else ()
    groups, current = [], 0
    for share in shares:
        current += share
        if current >= limit:
            groups.append(current)
            current = 0
    return (*groups, current) if current else tuple(groups)


def pieces(stretches: Iterable[tuple[int, int]], share: int) -> list[int]:
    """Elements of each part of some stretches of the flat buffer that goes to one rank.

    Neighbours that go to the same rank are one piece (``stage_1_and_2.py: average_tensor``).
    """
    found: list[tuple[int, int]] = []
    for start, stop in stretches:
        place = start
        while place < stop:
            rank = place // share
            end = min(stop, (rank + 1) * share)
            before = found.pop()[1] if found and found[-1][0] == rank else 0
            found.append((rank, before + end - place))
            place = end
    return [elements for _, elements in found]


def most_copied(parts: Iterable[int], limit: int) -> int:
    """Elements of the largest copy that is made of ``pieces`` to reduce them together.

    They are put together until they are more than ``limit`` (``stage_1_and_2.py:
    allreduce_and_scatter``); one alone is reduced where it is (torch's ``flatten_dense_tensors``).
    """
    most = together = count = 0
    for part in parts:
        together, count = together + part, count + 1
        most = max(most, together if count > 1 else 0)
        if together > limit:
            together = count = 0
    return most


def most_touched(sizes: Sequence[int], share: int) -> int:
    """Elements of all parameters that one rank's stretch of the flat buffer touches, at most.

    ``copy_grads_in_partition`` makes room for their whole gradients.
    """
    if not share:
        return 0
    stops = np.cumsum(np.array(sizes, dtype=np.int64))
    starts = stops - np.array(sizes, dtype=np.int64)
    most = 0
    for rank in range(ceil(int(stops[-1]) / share)):
        first = int(np.searchsorted(stops, rank * share, side="right"))
        last = int(np.searchsorted(starts, (rank + 1) * share, side="left")) - 1
        most = max(most, int(stops[last] - starts[first]))
    return most
