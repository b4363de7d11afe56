"""One small valid file for each reader: what is cut, changed and mutated."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from typing import Any

from tests.hostile.folders import Entry, pack
from tests.model.test_gguf import small_llama
from tests.model.test_weight_files import field, graph, initializer

LLAMA: dict[str, Any] = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
    "intermediate_size": 8, "vocab_size": 9, "max_position_embeddings": 16,
}  # fmt: skip


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A file with this header, whose length may be a lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape: list[Any], start: Any, stop: Any, dtype: Any = "F32") -> dict[str, Any]:
    """An entry of a safetensors header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def zipped(method: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """An archive; ``__`` stands for a slash in a member's name, and ``_dot_`` for a dot."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return file.getvalue()


def state(pickled: bytes, **more: bytes) -> bytes:
    """A state dict's archive with this pickle and a storage of 64 bytes."""
    return zipped(a__data_dot_pkl=pickled, a__data__0=bytes(64), **more)


REBUILT = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
    b"X\1\0\0\x000X\3\0\0\0cpuK\x04tQK\0K\2K\2\x86K\2K\1\x86\x89}tR"
)
"""The pickle of a tensor of two rows and two columns."""
STATE = b"\x80\2}X\1\0\0\0w" + REBUILT + b"s."
PROGRAM = {
    "config": {
        "w": {
            "path_name": "weight_0", "is_param": True,
            "tensor_meta": {"dtype": 7, "sizes": [{"as_int": 2}], "storage_offset": {"as_int": 0}},
        }
    }
}  # fmt: skip
SNAPSHOT = {
    "segments": [{"device": 0, "total_size": 1024, "allocated_size": 512}],
    "device_traces": [
        [{"action": "alloc", "addr": 4096, "size": 512, "stream": 0, "time_us": 7,
          "frames": [{"name": "forward", "filename": "a.py", "line": 3}]}]
    ],
}  # fmt: skip
PLAN = (
    "schema: 1\ntraining:\n  batch_size: 2\noptimizer:\n  name: adamw\nprecision: bf16\n"
    "adapters:\n  method: lora\n  target_modules: [q_proj, v_proj]\n"
)
TRAINER = (
    "base_model: org/model\nmicro_batch_size: 2\nsequence_len: 512\nadapter: lora\nlora_r: 8\n"
    "optimizer: adamw_torch\nbf16: true\ndeepspeed: {zero_optimization: {stage: 2}}\n"
)


def keras() -> bytes:
    """A ``.keras`` file with one variable."""
    import h5py

    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=[[1.0, 2.0]])
    return zipped(model_dot_weights_dot_h5=inner.getvalue(), metadata_dot_json=b"{}")


def packed(reader: str) -> bytes:
    """A folder with a configuration, or with an index, which is opened."""
    shard = Entry("file", b"a.safetensors", safetensors({"w": tensor([2], 0, 8)}, bytes(8)))
    index = Entry("file", b"model.safetensors.index.json", b'{"weight_map":{"w":"a.safetensors"}}')
    if reader == "index":
        return pack([index, shard], opens=index.name)
    return pack([Entry("file", b"config.json", json.dumps(LLAMA).encode())])


def seed(reader: str) -> bytes:
    """A valid file of the reader."""
    if reader == "safetensors":
        return safetensors({"w": tensor([2], 0, 8), "b": tensor([1], 8, 12)}, bytes(12))
    if reader == "gguf":
        return small_llama()
    if reader == "onnx":
        return graph(initializer([2, 3], bytes(24)), initializer([4], bytes(32), b"i", 7))
    if reader == "archive":
        return state(STATE)
    if reader == "keras":
        return keras()
    if reader in ("index", "folder"):
        return packed(reader)
    if reader == "config":
        return json.dumps(LLAMA).encode()
    if reader == "snapshot":
        return pickle.dumps(SNAPSHOT, 4)
    if reader == "protocol":
        return b'{"kind": "hello", "id": 1}\n{"kind": "open_model", "id": 2, "source": "x"}\n'
    return {"plan": PLAN, "trainer": TRAINER, "text": "Some text, and äöü.\n"}[reader].encode()


__all__ = ["field", "graph", "initializer", "seed"]
