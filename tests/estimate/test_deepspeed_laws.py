"""How DeepSpeed shares, buckets and gathers, against plain counting of the same."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._utils import _flatten_dense_tensors

from memplanner.estimate.deepspeed.gathering import Gathering, Released, Use, gathered
from memplanner.estimate.deepspeed.share import (
    most_copied,
    most_touched,
    pieces,
    update_groups,
)
from memplanner.plan.sharding import Sharding

SIZES = st.lists(st.integers(1, 500), min_size=1, max_size=40)


@given(sizes=SIZES, limit=st.integers(1, 2000))
def test_update_groups_are_closed_when_they_are_full(sizes: list[int], limit: int) -> None:
    groups = update_groups(sizes, limit)

    assert sum(groups) == sum(sizes)
    assert all(group >= limit for group in groups[:-1])


@given(sizes=SIZES, ranks=st.integers(1, 9))
def test_the_fullest_stretch_is_that_of_plain_counting(sizes: list[int], ranks: int) -> None:
    share = -(-sum(sizes) // (2 * ranks)) * 2
    owners = np.repeat(np.arange(len(sizes)), sizes)
    counted = [
        sum(sizes[one] for one in set(owners[rank * share : (rank + 1) * share].tolist()))
        for rank in range(ranks)
    ]

    assert most_touched(sizes, share) == max(counted)


@given(sizes=SIZES, ranks=st.integers(1, 5), limit=st.integers(1, 600), data=st.data())
def test_copies_are_those_that_torch_makes_of_a_buckets_pieces(
    sizes: list[int], ranks: int, limit: int, data: st.DataObject
) -> None:
    """A bucket of neighbouring gradients, last first, reduced as DeepSpeed does."""
    share = -(-sum(sizes) // (2 * ranks)) * 2
    first = data.draw(st.integers(0, len(sizes) - 1))
    starts = np.cumsum([0, *sizes]).tolist()
    stretches = [*pairwise(starts)][first:][::-1]
    owners = [element // share for start, stop in stretches for element in range(start, stop)]
    bucket = torch.zeros(len(owners))
    waiting: list[torch.Tensor] = []
    most = place = 0
    for _, run in groupby(owners):
        length = len(list(run))
        waiting.append(bucket[place : place + length])
        place += length
        if sum(map(len, waiting)) > limit or place == len(owners):
            flat = _flatten_dense_tensors(waiting)
            if flat.untyped_storage().data_ptr() != bucket.untyped_storage().data_ptr():
                most = max(most, len(flat))
            waiting = []

    assert most_copied(pieces(stretches, share), limit) == most


@given(
    order=st.lists(st.integers(0, 7), min_size=1, max_size=25),
    sizes=st.lists(st.integers(1, 100), min_size=8, max_size=8),
    prefetch=st.integers(0, 300),
    live=st.integers(0, 400),
    reuse=st.integers(0, 400),
)
@settings(max_examples=300)
def test_every_parameter_is_there_when_its_module_runs_and_gone_in_the_end(
    order: list[int], sizes: list[int], prefetch: int, live: int, reuse: int
) -> None:
    """Module n has parameter n and, for odd n, that of n − 1 as well."""
    trace = [
        Use(10 * place, 10 * place + 9, module, (module, module - 1) if module % 2 else (module,))
        for place, module in enumerate(order)
    ]
    section = Sharding(engine="deepspeed", prefetch_bucket_size=prefetch,
                       max_live_parameters=live, max_reuse_distance=reuse)  # fmt: skip
    found = list(gathered(trace, np.array(sizes), frozenset({7}), section, 10 * len(order)))

    assert all(each.ahead or each.place == each.copied
               for each in found if isinstance(each, Gathering))  # fmt: skip
    for parameter in range(7):
        made = sorted(
            _there(each)
            for each in found
            if isinstance(each, Gathering) and parameter in each.parameters
        )
        freed = sorted(each.place for each in found
                       if isinstance(each, Released) and each.parameter == parameter)  # fmt: skip
        assert len(made) == len(freed)
        assert all(born <= died for born, died in zip(made, freed, strict=True))
        assert all(died <= born for died, born in zip(freed, made[1:], strict=False))
        for use in trace:
            if parameter in use.parameters:
                assert any(born <= use.start and died >= use.stop
                           for born, died in zip(made, freed, strict=True))  # fmt: skip
    assert not any(isinstance(each, Gathering) and 7 in each.parameters for each in found)


def _there(each: Gathering) -> int:
    return each.place if each.one else each.copied
