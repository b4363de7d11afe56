"""A card that is gone while a plan runs on it: fallen off the bus, reset, or with broken memory."""

from __future__ import annotations

import re

from memplanner.messages.device import Device

_LOST = re.compile(
    r"CUDA error: (uncorrectable ECC error|no CUDA-capable device is detected|unknown error|"
    r"CUDA-capable device\(s\) is/are busy or unavailable|the launch timed out|"
    r"driver shutting down|GPU is lost|invalid device ordinal)"
    r"|NVML_ERROR_GPU_IS_LOST|Xid"
)
"""Of the runtime's own messages those that no model's code can cause
(https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html, ``cudaError``)."""


def is_lost(error: BaseException) -> bool:
    """Whether an error means that the card does not work any more."""
    return isinstance(error, RuntimeError) and bool(_LOST.search(str(error)))


def lost_sentence(device: Device, where: str, reason: str) -> str:
    """What happened and what to do."""
    return (
        f"{device.name} was lost in {where} ({reason}); look at it with “nvidia-smi” and at the "
        "system's log, then run again or choose another device."
    )
