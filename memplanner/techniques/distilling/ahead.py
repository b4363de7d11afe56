"""A teacher's logits computed before the first step, for the batches that will be taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import cycle, islice
from typing import Any

import torch
from torch import nn

from memplanner.techniques.distilling.logits import Largest, TeacherLogits
from memplanner.techniques.distilling.pair import (
    AHEAD_CLASSES,
    AHEAD_LOGITS,
    AHEAD_VALUES,
    Lesson,
    call_teacher,
    logits_in,
)

Batch = dict[str, Any]


def logits_ahead(
    teacher: nn.Module,
    batches: Iterable[Batch],
    count: int,
    lesson: Lesson,
    device: torch.device,
    dtype: torch.dtype,
    autocast: torch.dtype | None = None,
) -> Iterator[Batch]:
    """The first ``count`` batches with the teacher's logits, again and again, on ``device``.

    All are computed before this returns, so that the teacher can be let go. They wait in host
    memory as ``dtype``; of ``lesson.top_k`` classes their numbers and logarithms alone.
    """
    host = torch.device("cpu")
    kept = TeacherLogits(lesson.top_k)
    made = []
    for batch in islice(batches, count):
        with torch.no_grad(), torch.autocast(
            device.type, dtype=autocast, enabled=autocast is not None
        ):  # fmt: skip
            logits = logits_in(call_teacher(teacher, batch), teacher)
            taught = {AHEAD_LOGITS: logits.to(host, dtype)}
            if lesson.top_k:
                largest = kept(logits, lesson.temperature)
                assert isinstance(largest, Largest)
                taught = {
                    AHEAD_VALUES: largest.log_probabilities.to(host, dtype),
                    AHEAD_CLASSES: largest.classes.to(host),
                }
            del logits
        made.append({**_on(host, batch), **taught})
    return (_on(device, batch) for batch in cycle(made))


def _on(device: torch.device, batch: Batch) -> Batch:
    return {
        name: value.to(device) if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }
