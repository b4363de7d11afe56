"""Gradients under ZeRO: when each is ready, the buckets they are reduced in, and what is kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from memplanner.estimate.deepspeed.editing import TapeEdit
from memplanner.estimate.deepspeed.share import Share, most_copied
from memplanner.messages.estimate import Span
from memplanner.plan import Plan
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import COMMUNICATION, GRADIENTS, OPTIMIZER_STATE, TEMPORARIES

_NORM_BUFFER = 250_000_000
"""Elements of a share whose norm is taken together (``stage3.py: _constant_buffered_norm2``)."""


@dataclass(frozen=True, slots=True)
class _Backward:
    """One micro-batch's backward."""

    number: int
    """Of its phase."""
    span: Span
    first: bool
    last: bool
    """Whether the optimizer step follows it."""
    second: list[int] = field(default_factory=list)
    """Shares of its own gradients, beside those of the backwards before it."""

    def span_at(self, place: int) -> int | None:
        """The phase, where ``place`` is its end."""
        return self.number if place >= self.span.stop else None


class Gradients:
    """Places buckets and gradients in the backwards of a tape.

    A parameter's hook runs when its module's backward is done: its gradient is copied into the
    bucket and freed, or, where it is larger than the bucket, kept until it is reduced. A bucket
    that would overflow is reduced first (``stage_1_and_2.py, stage3.py:
    reduce_independent_p_g_buckets_and_remove_grads``).
    """

    def __init__(self, edit: TapeEdit, share: Share, plan: Plan) -> None:
        self._edit, self._share, self._plan = edit, share, plan
        self._section = plan.sharding
        self._stage = int(plan.sharding.data[-1])
        self._on_host = plan.sharding.offload_optimizer != "none"
        self._order = {one: number for number, one in enumerate(share.trained)}
        self._whole = self._recorded()
        self._kept: int | None = None
        self._buffers: list[int] = []
        # what fills the bucket, and gradients that wait beside it
        self._in_bucket: list[int] = []
        self._waiting: list[int] = []

    def place(self) -> None:
        """Puts everything into the tape."""
        self._hold()
        backwards = [
            (number, span)
            for number, span in enumerate(self._edit.tape.phases)
            if span.phase == "backward"
        ]
        for number, span in backwards:
            first, last = number == backwards[0][0], number == backwards[-1][0]
            if self._stage == 1 and not last:
                self._make_buffers(self._first_ready(span))
                continue
            self._backward(_Backward(number, span, first, last))

    def release(self, step: int) -> None:
        """The gathered share of ZeRO-1 and ZeRO-2 is freed in the phase ``step``."""
        if self._kept is not None:
            self._edit.free(self._kept, -1, span=step)
            self._kept = None

    def _hold(self) -> None:
        """What is there from the start.

        ZeRO-3 has its bucket and the flat share of gradients all the time (``stage3.py:
        _setup_for_real_optimizer``); ZeRO-1 and ZeRO-2 with offload a copy of the largest gradient
        (``stage_1_and_2.py: temp_grad_buffer_for_gpu_offload``).
        """
        size, edit = self._share.accumulated_itemsize, self._edit
        held = []
        if self._stage == 3:
            if self._section.contiguous_gradients:
                bucket = size * self._section.reduce_bucket_size
                held.append(edit.add("reduce bucket", bucket, COMMUNICATION))
            if not self._on_host:
                share = size * self._share.elements
                held.append(edit.add("share of the gradients", share, GRADIENTS))
        elif self._on_host:
            copy = size * self._share.largest
            held.append(edit.add("copy of a gradient", copy, COMMUNICATION, host_bytes=copy))
            if self._plan.training.gradient_accumulation_steps > 1:
                summed = size * self._share.touched
                held.append(edit.add("summed gradients", 0, OPTIMIZER_STATE, host_bytes=summed))
        for storage in held:
            edit.make(storage, -1, span=0)

    def _recorded(self) -> dict[int, list[int]]:
        """The recorded whole gradients by their parameter; their deaths are taken away."""
        tape = self._edit.tape
        loaded = tape.phases[0].stop
        open_: dict[tuple[int, int], list[int]] = defaultdict(list)
        for one in self._share.trained:
            open_[int(tape.module[one]), int(tape.size_bytes[one])].append(one)
        found: dict[int, list[int]] = defaultdict(list)
        for event in tape.events[loaded:].tolist():
            storage = event - 1
            if event > 0 and tape.category[storage] == GRADIENTS:
                alike = open_.get((int(tape.module[storage]), int(tape.size_bytes[storage])))
                if alike:
                    found[alike.pop(0)].append(storage)
                    self._edit.move_death(storage)
        return found

    def _ready(self, span: Span) -> dict[int, int]:
        """Before which event each trained parameter's hook runs: after its module's last one."""
        context = self._edit.tape.context[span.start : span.stop]
        modules, backwards = np.unique(context[::-1], return_index=True)
        last = dict(zip(modules.tolist(), (span.stop - backwards).tolist(), strict=True))
        module = self._edit.tape.module
        return {one: last.get(int(module[one]), span.stop) for one in self._share.trained}

    def _first_ready(self, span: Span) -> int:
        return min(self._ready(span).values(), default=span.stop)

    def _make_buffers(self, place: int) -> None:
        """ZeRO-1 and ZeRO-2 make their buckets when the first gradient of a backward comes.

        A second one where reductions overlap (``stage_1_and_2.py: setup_buckets``).
        """
        if self._stage == 3 or self._buffers or not self._share.trained:
            return
        size = self._share.accumulated_itemsize * self._section.reduce_bucket_size
        for _ in range(2 if self._section.overlaps_reductions else 1):
            self._buffers.append(self._edit.add("reduce bucket", size, COMMUNICATION))
            self._edit.make(self._buffers[-1], place)

    def _backward(self, backward: _Backward) -> None:
        ready = self._ready(backward.span)
        in_hooks = self._stage > 1 or self._section.overlaps_reductions
        order = sorted(ready, key=ready.__getitem__) if in_hooks else list(ready)
        self._make_buffers(self._first_ready(backward.span))
        for one in order:
            place = ready[one] if in_hooks else backward.span.stop
            full = sum(self._numel(each) for each in self._in_bucket)
            if self._in_bucket and full + self._numel(one) > self._section.reduce_bucket_size:
                self._reduce(place, backward)
            self._take(one, place, backward)
        if self._in_bucket:
            self._reduce(backward.span.stop, backward)
        # ``independent_gradient_partition_epilogue``
        for storage in (*backward.second, *self._buffers):
            self._edit.free(storage, -1, span=backward.number)
        self._buffers.clear()

    def _take(self, one: int, place: int, backward: _Backward) -> None:
        """A gradient goes into the bucket, or waits beside it."""
        self._in_bucket.append(one)
        fits = self._numel(one) <= self._section.reduce_bucket_size
        copied = self._section.contiguous_gradients and fits
        whole = self._whole.pop(one, [])
        if not copied and not whole:  # a later micro-batch's, which the step did not keep
            size = int(self._edit.tape.size_bytes[one])
            module = int(self._edit.tape.module[one])
            whole = [self._edit.add("whole gradient", size, GRADIENTS, module)]
            self._make(whole[0], place, backward)
        if copied:
            for storage in whole:
                self._free(storage, place, backward)
        else:
            self._waiting += whole

    def _reduce(self, place: int, backward: _Backward) -> None:
        """The bucket is flattened into a buffer of its own, which is reduced, and then kept.

        ZeRO-1 and ZeRO-2: ``allreduce_bucket``, then ``copy_grads_in_partition`` makes room for
        the share; ZeRO-3: ``runtime/comm/coalesced_collectives.py: reduce_scatter_coalesced``,
        whose result is a part of that buffer until it is in the share.
        """
        size, ranks = self._share.accumulated_itemsize, self._share.ranks
        # in the model's order, as they are reduced
        numel = [self._numel(one) for one in sorted(self._in_bucket, key=self._order.__getitem__)]
        if self._stage == 3:
            elements = sum(ceil(each / ranks) * ranks for each in numel)
            copied = 0 if len(numel) == 1 and numel[0] % ranks == 0 else elements
        else:
            elements = sum(numel)
            parts = self._share.pieces(self._in_bucket)
            copied = most_copied(parts, self._section.reduce_bucket_size)
        flat = self._edit.add(
            "gradients to be reduced", size * copied, COMMUNICATION,
            collective=Collective(
                "reduce_scatter" if self._stage == 3 else "all_reduce",
                size * elements, ranks, 0, ranks - 1,
            ),
        )  # fmt: skip
        self._make(flat, place, backward)
        if self._stage == 3 and self._on_host:
            self._pass(
                "shares of gradients on their way to the host",
                self._on_their_way(numel, backward),
                place,
                backward,
            )
        self._free(flat, place, backward)
        if self._stage < 3 and not self._on_host:
            if self._kept is None:
                self._kept = self._share_buffer(place, backward)
            elif not backward.first and not backward.second:
                backward.second.append(self._share_buffer(place, backward))
        elif self._stage < 3 and backward.last:  # ``set_norm_for_param_grad_in_gpu``
            norm = 8 * min(max(numel), self._share.elements)
            self._pass("norm of a gradient in fp64", norm, place, backward)
        for storage in self._waiting:
            self._free(storage, place, backward)
        self._waiting.clear()
        self._in_bucket.clear()

    def _on_their_way(self, numel: list[int], backward: _Backward) -> int:
        """Bytes that ZeRO-3's offloaded shares take on the card, one parameter after the other.

        A copy of what is there; in the last backward its norm in fp64 and its fp32 copy as well,
        and of what goes to NVMe all fp32 copies of the bucket (``stage3.py: partition_grads,
        _offload_grad_partition_at_boundary, _constant_buffered_norm2``).
        """
        most = before = 0
        for each in (ceil(one / self._share.ranks) for one in numel):
            beside = max(8 * min(each, _NORM_BUFFER), 4 * each) if backward.last else 0
            most = max(most, before + self._share.accumulated_itemsize * each + beside)
            if backward.last and self._section.offload_optimizer == "nvme":
                before += 4 * each
        return most

    def _share_buffer(self, place: int, backward: _Backward) -> int:
        size = self._share.accumulated_itemsize * self._share.touched
        made = self._edit.add("share of the gradients", size, GRADIENTS)
        self._make(made, place, backward)
        return made

    def _numel(self, one: int) -> int:
        return int(self._edit.tape.numel[one])

    def _pass(self, what: str, size_bytes: int, place: int, backward: _Backward) -> None:
        """Something that is there at one moment only."""
        passing = self._edit.add(what, size_bytes, TEMPORARIES)
        self._make(passing, place, backward)
        self._free(passing, place, backward)

    def _make(self, storage: int, place: int, backward: _Backward) -> None:
        self._edit.make(storage, place, span=backward.span_at(place))

    def _free(self, storage: int, place: int, backward: _Backward) -> None:
        self._edit.free(storage, place, span=backward.span_at(place))
