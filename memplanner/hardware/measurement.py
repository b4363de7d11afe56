"""What a CUDA context takes on a card of this machine: measured in a fresh process.

A context dies only with its process, so another one takes it while this one reads the card's
memory through NVML. What the two readings differ by, less what torch's allocator has reserved
meanwhile, is the context, and after some work the kernels it has loaded.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, NamedTuple

from memplanner.errors import DeviceError
from memplanner.hardware import nvml
from memplanner.hardware.margin import Margin
from memplanner.hardware.overhead import CONTEXT, KERNELS, overhead, row_of
from memplanner.messages.device import Device
from memplanner.messages.estimate import OverheadRow
from memplanner.units import MIB

CHILD = (sys.executable, "-m", "memplanner.hardware.measurement_child")
SECONDS = 180.0
"""How long the process may take; torch's first import from a cold disk is the most of it."""
_STEADY_BYTES = 16 * MIB
"""By how much the card's memory may differ before and after, without the process."""


class MeasuredOverhead(NamedTuple):
    """The rows that stand in for the catalogue's, and with what they were measured."""

    rows: tuple[OverheadRow, ...]
    torch: str
    cuda: str | None
    driver: str | None


class _Stage(NamedTuple):
    reserved_bytes: int
    used_bytes: int
    torch: str
    cuda: str | None


def measure_overhead(
    device: Device, command: Sequence[str] = CHILD, seconds: float = SECONDS
) -> MeasuredOverhead:
    """Takes a context on ``device``, a CUDA card of this machine, and measures it; some seconds.

    ``command`` runs the process, in the interpreter whose torch the user trains with. Raises
    ``DeviceError`` when the device is no such card, the process fails or takes too long, or
    another program's use of the card changed meanwhile.
    """
    if device.kind != "cuda" or not device.local or device.index is None:
        raise DeviceError(
            f"What {device.name} holds can be measured only on a CUDA card of this machine; "
            "choose one, such as cuda:0."
        )
    before_bytes = _used_bytes(device)
    with subprocess.Popen(
        [*command, device.selector],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as child:
        late: list[str] = []
        limit = threading.Timer(seconds, _stop, args=(child, late, seconds))
        limit.start()
        errors: list[str] = []
        reader = threading.Thread(target=_drain, args=(child.stderr, errors))
        reader.start()
        try:
            first, second = (_stage(device, child, name) for name in ("context", "kernels"))
            if first is not None and second is not None:
                child.wait()
        finally:
            limit.cancel()
            child.kill()
            reader.join()
    if first is None or second is None:
        why = (late or errors or ["it ended early"])[0].rstrip(".")
        raise DeviceError(f"The process that measures {device.name} failed: {why}.")
    if abs(_used_bytes(device) - before_bytes) > _STEADY_BYTES:
        raise DeviceError(
            f"Other programs’ use of {device.name} changed while its context was measured; measure "
            "again when they are still."
        )
    return MeasuredOverhead(
        _rows(device, before_bytes, first, second), second.torch, second.cuda, nvml.driver_version()
    )


def _rows(
    device: Device, before_bytes: int, first: _Stage, second: _Stage
) -> tuple[OverheadRow, ...]:
    """The context as it is; kernels from those seen up to as many more as the catalogue allows."""
    context_bytes = max(0, first.used_bytes - before_bytes - first.reserved_bytes)
    both_bytes = second.used_bytes - before_bytes - second.reserved_bytes
    kernels_bytes = max(0, both_bytes - context_bytes)
    catalogue = {row.name: row for row in overhead(device)}[KERNELS]
    more_bytes = catalogue.high_bytes - catalogue.expected_bytes
    source = f"measured on this card with torch {second.torch}"
    kernels = Margin(kernels_bytes, kernels_bytes, kernels_bytes + more_bytes)
    return (
        row_of(CONTEXT, Margin.exactly(context_bytes), source),
        row_of(KERNELS, kernels, source),
    )


def _stage(device: Device, child: subprocess.Popen[str], name: str) -> _Stage | None:
    """What the process and the card say after a stage; None when the process has ended."""
    assert child.stdin is not None
    assert child.stdout is not None
    said = f'{{"stage": "{name}"'
    line = next((line for line in child.stdout if line.startswith(said)), None)
    if line is None:  # what else it prints is not for us
        return None
    facts = json.loads(line)
    stage = _Stage(int(facts["reserved_bytes"]), _used_bytes(device), facts["torch"], facts["cuda"])
    try:
        child.stdin.write("on\n")
        child.stdin.flush()
    except BrokenPipeError:
        return None
    return stage


def _used_bytes(device: Device) -> int:
    used = nvml.used_bytes(device.index or 0)
    if used is None:
        raise DeviceError(
            f"The driver does not say how much of {device.name} is used, so its context cannot be "
            "measured."
        )
    return used


def _drain(stream: IO[str], lines: list[str]) -> None:
    """Reads all of ``stream``, so that its writer never waits, and keeps the last line."""
    for line in stream:
        if line.strip():
            lines[:] = [line.strip()]


def _stop(child: subprocess.Popen[str], late: list[str], seconds: float) -> None:
    late.append(f"it took more than {seconds:.0f} seconds")
    child.kill()
