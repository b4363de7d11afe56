"""Writing a safetensors file tensor by tensor: no second copy of a model in memory.

Format: 8 bytes of header length (little endian), a JSON header, then the data without holes
(https://github.com/huggingface/safetensors, ``README.md``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch

_CODES = {
    torch.bool: "BOOL", torch.uint8: "U8", torch.int8: "I8", torch.int16: "I16",
    torch.int32: "I32", torch.int64: "I64", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.float32: "F32", torch.float64: "F64", torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}  # fmt: skip
_ALIGNMENT = 8

Tensors = Mapping[str, torch.Tensor]


def file_bytes(tensors: Tensors) -> int:
    """The length of the file that ``write_tensors`` makes of them."""
    return 8 + len(_header(tensors)) + sum(tensor.nbytes for tensor in tensors.values())


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Writes them to the new file ``path`` and flushes it. Raises ``OSError``."""
    header = _header(tensors)
    with path.open("xb") as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for name in _order(tensors):
            flat = tensors[name].detach().cpu().contiguous().reshape(-1)
            if flat.numel():
                file.write(flat.view(torch.uint8).numpy().data)
        file.flush()
        os.fsync(file.fileno())


def _order(tensors: Tensors) -> list[str]:
    """The widest types first, so that each tensor lies at a multiple of its own width."""
    return sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))


def _header(tensors: Tensors) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name in _order(tensors):
        tensor = tensors[name]
        end = offset + tensor.nbytes
        entries[name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return text + b" " * (-len(text) % _ALIGNMENT)
