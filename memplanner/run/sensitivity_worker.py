"""The process in which sensitivity is measured: ``python -m memplanner.run.sensitivity_worker``.

It reads its request from standard input and answers with progress and one end, a line each. It
ends with its parent.
"""

from __future__ import annotations

import os
from threading import Thread
from time import monotonic
from typing import TextIO

import torch

from memplanner.errors import MemplannerError
from memplanner.messages.base import Message
from memplanner.messages.device import Device
from memplanner.messages.sensitivity import Sensitivity, SensitivityEnd, SensitivityProgress
from memplanner.model import load
from memplanner.plan import Plan
from memplanner.run.backend import torch_device
from memplanner.run.channel import Channel, take_standard_streams
from memplanner.run.memory_limit import limit_memory
from memplanner.run.out_of_memory import is_out_of_memory
from memplanner.run.quality_data import quality_data
from memplanner.run.sensitivity import measure

_SECONDS_APART = 0.2
"""Of progress, so that small layers make no flood of it."""


class SensitivityRequest(Message):
    """What is measured: the model is opened again from its source."""

    source: str
    inputs: tuple[str, ...]
    trust_code: bool
    plan: Plan
    device: Device
    data: str | None
    candidates: tuple[str, ...]


def main() -> None:
    """Reads the request, measures, sends the end."""
    requests, answers = take_standard_streams()
    channel = Channel(answers)
    request = SensitivityRequest.model_validate_json(requests.readline())
    Thread(target=_end_with_parent, args=(requests,), name="parent", daemon=True).start()
    channel.send(_end(request, channel))
    os._exit(0)  # the end is sent; nothing of user code may hold the process


def _end_with_parent(requests: TextIO) -> None:
    for _ in requests:
        pass
    os._exit(1)


def _end(request: SensitivityRequest, channel: Channel) -> SensitivityEnd:
    try:
        return SensitivityEnd(result=_measured(request, channel))
    except MemplannerError as error:
        return SensitivityEnd(error=type(error).__name__, sentence=str(error))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return SensitivityEnd(
            error="RunError",
            sentence="Memory ran out while bits were measured; free some, or measure on a larger "
            "device.",
        )


def _measured(request: SensitivityRequest, channel: Channel) -> Sensitivity:
    last = -_SECONDS_APART

    def say(text: str, fraction: float | None) -> None:
        nonlocal last
        now = monotonic()
        if now - last >= _SECONDS_APART:
            last = now
            channel.send(SensitivityProgress(text=text, fraction=fraction))

    limit_memory(request.device)
    say("Reading weights", None)
    model = load(request.source, inputs=request.inputs, trust_code=request.trust_code)
    data = quality_data(model, request.data, following=True)
    module = model.build(torch.device("cpu"))
    if model.load_weights is not None:
        model.load_weights(module)
    module = module.to(torch_device(request.device))
    return measure(model, module, request.plan, data, candidates=request.candidates, say=say)


if __name__ == "__main__":
    main()
