"""NVIDIA cards in this machine, asked through NVML (nvidia-ml-py). Imports no torch.

The cards are numbered as CUDA numbers them for this process: ``CUDA_VISIBLE_DEVICES`` is
honoured. A card that is divided (MIG) is seen as its first instance, the only one that CUDA
gives a process. Where a machine has different cards, CUDA's own order can differ from NVML's
unless ``CUDA_DEVICE_ORDER=PCI_BUS_ID`` is set.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from memplanner.messages.device import Device

T = TypeVar("T")


class Memory(NamedTuple):
    """A card's memory in bytes, without what the driver keeps for itself.

    So ``total_bytes`` is what ``torch.cuda.get_device_properties(i).total_memory`` says, some 1 %
    below what nvidia-smi shows; ``used_bytes`` is what all programs together hold.
    """

    total_bytes: int
    used_bytes: int

    @property
    def free_bytes(self) -> int:
        """What no program holds."""
        return self.total_bytes - self.used_bytes


class Probe(NamedTuple):
    """The cards found, and a sentence for each thing that could not be read."""

    devices: tuple[Device, ...]
    notes: tuple[str, ...]


def probe() -> Probe:
    """This machine's cards. Without a driver there are none, and that is no error.

    Of a card that answers only in part, what it does not say is None or empty, with a note.
    """
    handles, notes = _handles()
    devices = []
    for index, handle in enumerate(handles):
        name = _ask(_name, handle)
        if name is None:
            notes.append(f"The card cuda:{index} does not answer, so it is left out.")
            continue
        memory = _ask(_memory, handle)
        if memory is None:
            notes.append(f"The driver does not say how much memory {name} has.")
        capability = _ask(_nvml().nvmlDeviceGetCudaComputeCapability, handle)
        devices.append(
            Device(
                name=name,
                kind="cuda",
                memory_bytes=memory.total_bytes if memory else None,
                used_bytes=memory.used_bytes if memory else 0,
                architecture="{}.{}".format(*capability) if capability else "",
                index=index,
                local=True,
            )
        )
    return Probe(tuple(devices), tuple(notes))


def memory(index: int) -> Memory | None:
    """The memory of card ``index`` now; None when there is no such card or it does not answer.

    Cheap enough to call many times a second.
    """
    handles = _cached_handles()
    return _ask(_memory, handles[index]) if 0 <= index < len(handles) else None


def used_bytes(index: int) -> int | None:
    """What all programs together hold on card ``index`` now; None when it does not answer."""
    now = memory(index)
    return None if now is None else now.used_bytes


def identity(index: int) -> str | None:
    """What tells card ``index`` from all others for good: its UUID, hashed; None when unknown.

    The UUID itself stays where it is: it would tell one machine from all others too.
    """
    handles = _cached_handles()
    uuid = _ask(_uuid, handles[index]) if 0 <= index < len(handles) else None
    return None if uuid is None else hashlib.sha256(uuid.encode()).hexdigest()[:16]


def driver_version() -> str | None:
    """The NVIDIA driver's version, such as ``580.65.06``; None without a driver."""
    version = _ask(_nvml().nvmlSystemGetDriverVersion) if _started() else None
    return None if version is None else _text(version)


def forget() -> None:
    """Closes NVML; the next question opens it again. For tests, and after a driver's restart."""
    if _started.cache_info().currsize and _started():
        _ask(_nvml().nvmlShutdown)
    _started.cache_clear()
    _cached_handles.cache_clear()


def _nvml() -> Any:
    import pynvml

    return pynvml


def _ask(question: Callable[..., T], *about: Any) -> T | None:
    """The answer to ``question(*about)``; None when NVML refuses it."""
    try:
        return question(*about)
    except _nvml().NVMLError:
        return None


@cache
def _started() -> bool:
    """Whether NVML could be opened; it stays open, since opening can wake a sleeping driver."""

    def start() -> bool:
        _nvml().nvmlInit()
        return True

    return bool(_ask(start))


@cache
def _cached_handles() -> tuple[Any, ...]:
    return tuple(_handles()[0])


def _handles() -> tuple[list[Any], list[str]]:
    """The handles of the cards that this process may use, in CUDA's order, and notes."""
    notes: list[str] = []
    if not _started():
        return [], notes
    nvml = _nvml()
    count = _ask(nvml.nvmlDeviceGetCount)
    if count is None:
        notes.append("The NVIDIA driver does not say how many cards there are.")
        return [], notes
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    wanted = range(count) if visible is None else _visible(visible, count)
    handles = []
    for one in wanted:
        handle = (
            _ask(nvml.nvmlDeviceGetHandleByIndex, one)
            if isinstance(one, int)
            else _by_uuid(one, count)
        )
        if handle is None:
            notes.append(f"The NVIDIA driver gives no access to card {one}, so it is left out.")
        else:
            handles.append(_instance(handle))
    return handles, notes


def _visible(value: str, count: int) -> list[int | str]:
    """What ``CUDA_VISIBLE_DEVICES`` names: indices and UUIDs, up to the first that is invalid.

    As CUDA reads it: https://docs.nvidia.com/cuda/cuda-c-programming-guide/#cuda-environment-variables
    """
    wanted: list[int | str] = []
    for part in (part.strip() for part in value.split(",")):
        if part.startswith(("GPU-", "MIG-")):
            wanted.append(part)
        elif part.isdigit() and int(part) < count:
            wanted.append(int(part))
        else:
            break
    return wanted


def _by_uuid(uuid: str, count: int) -> Any | None:
    """The card or MIG instance with that UUID, or a card whose UUID begins so."""
    nvml = _nvml()
    exact = _ask(nvml.nvmlDeviceGetHandleByUUID, uuid)
    if exact is not None:
        return exact
    for index in range(count):
        handle = _ask(nvml.nvmlDeviceGetHandleByIndex, index)
        if handle is None:
            continue
        full = _ask(_uuid, handle)
        if full is not None and full.startswith(uuid):
            return handle
    return None


def _instance(handle: Any) -> Any:
    """The first MIG instance of a divided card, else the card itself."""
    nvml = _nvml()
    mode = _ask(nvml.nvmlDeviceGetMigMode, handle)
    if not mode or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
        return handle
    most = _ask(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
    for slot in range(most):
        instance = _ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, slot)
        if instance is not None:
            return instance
    return handle


def _memory(handle: Any) -> Memory:
    """The card's memory; older drivers do not tell what they keep, and count it as used."""
    nvml = _nvml()
    try:
        info = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported,
            nvml.NVMLError_InvalidArgument):  # fmt: skip
        info = nvml.nvmlDeviceGetMemoryInfo(handle)
        return Memory(int(info.total), int(info.used))
    return Memory(int(info.total) - int(info.reserved), int(info.used))


def _name(handle: Any) -> str:
    return _text(_nvml().nvmlDeviceGetName(handle))


def _uuid(handle: Any) -> str:
    return _text(_nvml().nvmlDeviceGetUUID(handle))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
