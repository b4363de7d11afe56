"""What the products of matrices take from torch's allocator for good. Imports no torch.

cuBLAS is given a workspace by torch, from torch's own caching allocator, so it counts as allocated
and as reserved. It is taken at the first product and kept until the process ends:
``aten/src/ATen/cuda/CublasHandlePool.cpp`` (``parseChosenWorkspaceSize``,
``setWorkspaceForHandle``, ``getCUDABlasLtWorkspace``), as of torch 2.13.

One is kept for each handle and stream, and a handle belongs to a thread
(``ATen/cuda/detail/DeviceThreadHandles.h``). Forward runs in the program's thread and backward in
autograd's own for the device, so a training step on one stream keeps two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from memplanner.errors import DeviceError
from memplanner.messages.device import Device
from memplanner.units import KIB, MIB

CUBLAS_CONFIG = "CUBLAS_WORKSPACE_CONFIG"
CUBLASLT_SIZE = "CUBLASLT_WORKSPACE_SIZE"
UNIFIED = "TORCH_CUBLASLT_UNIFIED_WORKSPACE"

TRAINING_THREADS = 2
"""Threads that multiply on the device in a training step: the program's, and autograd's."""

GRAD_SCALER_BYTES = (4, 4)
"""What a loss scaler keeps on the device: its scale and growth tracker, of one element each
(``torch/amp/grad_scaler.py: _lazy_init_scale_growth_tracker``)."""

_OLDER_BYTES = (2 * 4096 + 8 * 16) * KIB
"""``:4096:2:16:8``, for cards before Hopper."""
_NEWER_BYTES = 32 * MIB
_NEWER = frozenset({9, 10, 12})
"""Compute capabilities (major) that take the larger one: Hopper and Blackwell."""
_LT_BYTES = 1024 * KIB
"""cuBLASLt's own, where the two are kept apart (torch issue 73328)."""
_ROCM_BYTES = 32 * MIB
_ROCM_CDNA3_BYTES = 128 * MIB
_HIPBLASLT_BYTES = 76 * MIB
_CDNA3 = ("gfx94", "gfx95")

_PARTS = re.compile(r":([0-9]+):([0-9]+)")
_MOST_BYTES = 2**63 - 1


def cublas_workspace_bytes(capability: tuple[int, int], config: str | None = None) -> int:
    """Bytes of one cuBLAS workspace on a card of this compute capability, such as ``(9, 0)``.

    ``config`` is the value of ``CUBLAS_WORKSPACE_CONFIG``, such as ``:4096:8:16:8``: pairs of a
    size in KiB and a count, of which torch takes the sum; None where it is not set. Raises
    ``DeviceError`` when no pair can be read from it (torch would warn and take its default).
    """
    if config is None:
        return _NEWER_BYTES if capability[0] in _NEWER else _OLDER_BYTES
    return _configured(CUBLAS_CONFIG, config)


def cublaslt_workspace_bytes(
    capability: tuple[int, int],
    config: str | None = None,
    lt_size: str | None = None,
    unified: str | None = None,
) -> int:
    """Bytes that cuBLASLt's workspace takes beside cuBLAS's.

    None by default: torch hands cuBLASLt the workspace of cuBLAS. They are two only where
    ``TORCH_CUBLASLT_UNIFIED_WORKSPACE`` is 0; ``lt_size`` is then the value of
    ``CUBLASLT_WORKSPACE_SIZE``, in KiB. Raises ``DeviceError`` for a value that is no number.
    """
    if _unified(unified):
        cublas_workspace_bytes(capability, config)  # a malformed one is an error here too
        return 0
    return _LT_BYTES if lt_size is None else _kibibytes(CUBLASLT_SIZE, lt_size)


def product_workspaces(
    device: Device, environment: Mapping[str, str], threads: int = TRAINING_THREADS
) -> tuple[int, ...]:
    """Each allocation that products make once and keep on ``device``, in bytes; empty on a CPU.

    The first ``len // threads`` are made at the first product of the forward, the next ones at
    the first product of the backward. ``environment`` is the run's (``os.environ``). Raises
    ``DeviceError`` when one of its settings is malformed. A setting of zero makes none.
    """
    if device.kind == "cuda":
        capability = _capability(device.architecture)
        config = environment.get(CUBLAS_CONFIG)
        sizes = (
            cublas_workspace_bytes(capability, config),
            cublaslt_workspace_bytes(
                capability, config, environment.get(CUBLASLT_SIZE), environment.get(UNIFIED)
            ),
        )
    elif device.kind == "rocm":
        sizes = _rocm(device.architecture, environment)
    else:
        return ()
    return tuple(size for size in sizes if size) * threads


def _rocm(architecture: str, environment: Mapping[str, str]) -> tuple[int, int]:
    """The workspaces of hipBLAS and of hipBLASLt, which are never one on ROCm."""
    name = next(
        (name for name in (CUBLAS_CONFIG, "HIPBLAS_WORKSPACE_CONFIG", "ROCBLAS_WORKSPACE_CONFIG")
         if name in environment),
        None,
    )  # fmt: skip
    default = _ROCM_CDNA3_BYTES if architecture.startswith(_CDNA3) else _ROCM_BYTES
    size = default if name is None else _configured(name, environment[name])
    lt_name = next(
        (name for name in (CUBLASLT_SIZE, "HIPBLASLT_WORKSPACE_SIZE") if name in environment), None
    )
    lt = _HIPBLASLT_BYTES if lt_name is None else _kibibytes(lt_name, environment[lt_name])
    return size, lt


def _configured(name: str, config: str) -> int:
    pairs = _PARTS.findall(config)
    total = sum(int(size) * int(count) for size, count in pairs) * KIB
    if not pairs or total > _MOST_BYTES:
        raise DeviceError(
            f"{name} is “{config}”, which names no sizes; write it as :SIZE:COUNT in KiB, such as "
            ":4096:8, or unset it."
        )
    return total


def _kibibytes(name: str, value: str) -> int:
    number = value.strip()
    if not number.isdecimal() or int(number) >= 2**31:  # std::stoi
        raise DeviceError(f"{name} is “{value}”, which is no number of KiB; mend or unset it.")
    return int(number) * KIB


def _unified(value: str | None) -> bool:
    """As ``c10::utils::check_env`` reads it: unset counts as 1."""
    return value is None or value.strip() != "0"


def _capability(architecture: str) -> tuple[int, int]:
    """A card of unknown architecture counts as 8.0, as in ``techniques.target``."""
    major, _, minor = architecture.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (8, 0)
