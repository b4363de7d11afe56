"""Gradients under ZeRO: when each is ready, the buckets they are reduced in, and what is kept."""

from __future__ import annotations

from collections import defaultdict
from math import ceil

import numpy as np

from memplanner.estimate.deepspeed_editing import TapeEdit
from memplanner.estimate.deepspeed_share import Share
from memplanner.messages.estimate import Span
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.tape.collectives import Collective
from memplanner.tape.tape import COMMUNICATION, GRADIENTS, OPTIMIZER_STATE, TEMPORARIES


def overlaps(section: Sharding) -> bool:
    """Whether reductions overlap backward (``config.py: overlap_comm_valid``)."""
    if section.overlap_comm == "auto":
        return section.data == "zero_3"
    return section.overlap_comm == "on"


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
            last = number == backwards[-1][0]
            if self._stage == 1 and not last:
                self._make_buffers(self._first_ready(span))
                continue
            self._backward(number, span, first=number == backwards[0][0])

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
        for _ in range(2 if overlaps(self._section) else 1):
            self._buffers.append(self._edit.add("reduce bucket", size, COMMUNICATION))
            self._edit.make(self._buffers[-1], place)

    def _backward(self, number: int, span: Span, *, first: bool) -> None:
        ready = self._ready(span)
        in_hooks = self._stage > 1 or overlaps(self._section)
        order = sorted(ready, key=ready.__getitem__) if in_hooks else list(ready)
        self._make_buffers(self._first_ready(span))
        second: list[int] = []
        for one in order:
            place = ready[one] if in_hooks else span.stop
            elements = int(self._edit.tape.numel[one])
            full = sum(int(self._edit.tape.numel[each]) for each in self._in_bucket)
            if self._in_bucket and full + elements > self._section.reduce_bucket_size:
                self._reduce(place, number, span, second, first=first)
            self._take(one, elements, place, number, span)
        if self._in_bucket:
            self._reduce(span.stop, number, span, second, first=first)
        for storage in (*second, *self._buffers):  # ``independent_gradient_partition_epilogue``
            self._edit.free(storage, -1, span=number)
        self._buffers.clear()

    def _take(self, one: int, elements: int, place: int, number: int, span: Span) -> None:
        """A gradient goes into the bucket, or waits beside it."""
        self._in_bucket.append(one)
        copied = self._section.contiguous_gradients and elements <= self._section.reduce_bucket_size
        whole = self._whole.pop(one, [])
        if not copied and not whole:  # a later micro-batch's, which the step did not keep
            size = int(self._edit.tape.size_bytes[one])
            module = int(self._edit.tape.module[one])
            whole = [self._edit.add("whole gradient", size, GRADIENTS, module)]
            self._put(whole[0], place, number, span, born=True)
        if copied:
            for storage in whole:
                self._put(storage, place, number, span, born=False)
        else:
            self._waiting += whole

    def _reduce(
        self, place: int, number: int, span: Span, second: list[int], *, first: bool
    ) -> None:
        """The bucket is flattened into a buffer of its own, which is reduced.

        ZeRO-1 and ZeRO-2: ``allreduce_bucket``, then ``copy_grads_in_partition`` makes room for
        the share; ZeRO-3: ``runtime/comm/coalesced_collectives.py: reduce_scatter_coalesced``.
        """
        size, ranks = self._share.accumulated_itemsize, self._share.ranks
        numel = [int(self._edit.tape.numel[one]) for one in self._in_bucket]
        elements = sum(numel)
        in_place = False
        if self._stage == 3:
            in_place = len(numel) == 1 and numel[0] % ranks == 0
            elements = sum(ceil(each / ranks) * ranks for each in numel)
        flat = self._edit.add(
            "gradients to be reduced", 0 if in_place else size * elements, COMMUNICATION,
            collective=Collective(
                "reduce_scatter" if self._stage == 3 else "all_reduce",
                size * elements, ranks, 0, ranks - 1,
            ),
        )  # fmt: skip
        self._put(flat, place, number, span, born=True)
        self._put(flat, place, number, span, born=False)
        if self._stage < 3 and not self._on_host:
            if self._kept is None:
                self._kept = self._share_buffer(place, number, span)
            elif not first and not second:
                second.append(self._share_buffer(place, number, span))
        elif self._stage < 3:  # ``set_norm_for_param_grad_in_gpu``
            norm = self._edit.add(
                "norm of a gradient in fp64", 8 * min(max(numel), self._share.elements), TEMPORARIES
            )
            self._put(norm, place, number, span, born=True)
            self._put(norm, place, number, span, born=False)
        for storage in self._waiting:
            self._put(storage, place, number, span, born=False)
        self._waiting.clear()
        self._in_bucket.clear()

    def _share_buffer(self, place: int, number: int, span: Span) -> int:
        size = self._share.accumulated_itemsize * self._share.touched
        made = self._edit.add("share of the gradients", size, GRADIENTS)
        self._put(made, place, number, span, born=True)
        return made

    def _put(self, storage: int, place: int, number: int, span: Span, *, born: bool) -> None:
        put = self._edit.make if born else self._edit.free
        if place >= span.stop:
            put(storage, -1, span=number)
        else:
            put(storage, place)
