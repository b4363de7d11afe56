"""A compressed model saved and opened again: the same tensors, the same logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import memplanner as mp
from memplanner.errors import RunError, SourceError
from memplanner.model.loaded import Model
from memplanner.run.saving import CONFIG_FILE, PLAN_FILE, TENSORS_FILE, check_save
from memplanner.run.tensor_file import file_bytes, write_tensors
from memplanner.techniques.low_bit.linear import QuantizedLinear
from memplanner.techniques.quantization import format_of
from tests.run.judging import CPU, judge, planned

NF4 = {"quantization": {"method": "nf4"}}
KINDS: dict[str, dict[str, Any]] = {
    "8 bits": {"quantization": {"method": "linear", "bits": 8}},
    "3 bits by channel": {
        "quantization": {"method": "linear", "bits": 3, "granularity": "channel"}
    },
    "4 bits in bf16": {"quantization": {"method": "linear", "bits": 4}, "precision": "bf16"},
    "NF4": NF4,
    "NF4 without double quantization": {
        "quantization": {"method": "nf4", "double_quantization": False}
    },
    "companding": {"quantization": {"method": "companding", "bits": 4}},
    "zeros": {"pruning": {"structure": "unstructured", "kept_as": "zeros"}},
    "masks": {"pruning": {"structure": "unstructured", "kept_as": "masks"}},
    "packed zeros": {"pruning": {"structure": "n_m", "kept_as": "packed"}},
    "narrower MLPs": {"pruning": {"structure": "structured", "mlp_ratio": 0.25}},
    "fewer blocks": {"pruning": {"structure": "structured", "mlp_ratio": 0, "block_ratio": 0.34}},
    "narrower and NF4": {**NF4, "pruning": {"structure": "structured", "mlp_ratio": 0.25}},
}
LLAMA = transformers.LlamaConfig(
    num_hidden_layers=3, hidden_size=64, intermediate_size=96, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, vocab_size=256, initializer_range=0.2,
    tie_word_embeddings=True,
)  # fmt: skip
GPT2 = transformers.GPT2Config(
    n_embd=32, n_layer=2, n_head=2, n_positions=64, vocab_size=256, resid_pdrop=0.0,
    embd_pdrop=0.0, attn_pdrop=0.0,
)  # fmt: skip
IDS = torch.arange(40).view(1, 40) * 5 % 256


def written(folder: Path, model_class: Any, config: Any) -> Model:
    torch.manual_seed(3)
    model_class(config).save_pretrained(folder)
    return mp.load(folder)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return written(tmp_path_factory.mktemp("llama"), transformers.LlamaForCausalLM, LLAMA)


def logits(module: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = module.eval()(input_ids=IDS).logits
    return found


@pytest.mark.parametrize("sections", KINDS.values(), ids=KINDS)
def test_what_is_saved_comes_back(real: Model, tmp_path: Path, sections: dict[str, Any]) -> None:
    folder = tmp_path / "saved"
    judged, module = judge(real, planned(**sections), judging=False, save=folder)
    assert judged.saved == str(folder)
    again = mp.load_compressed(folder)
    assert not again.training
    # new adapters add nothing
    assert torch.equal(logits(again), logits(module))
    assert not any(part.is_meta for part in (*again.parameters(), *again.buffers()))


def test_other_architectures(tmp_path: Path) -> None:
    """Whose layers lie the other way round, with biases and buffers of their own."""
    model = written(tmp_path / "gpt2", transformers.GPT2LMHeadModel, GPT2)
    _, module = judge(model, planned(**NF4), judging=False, save=tmp_path / "saved")
    assert torch.equal(logits(mp.load_compressed(tmp_path / "saved")), logits(module))


def test_packed_tensors_are_what_is_saved(real: Model, tmp_path: Path) -> None:
    folder, plan = tmp_path / "saved", planned(**NF4)
    judged, _ = judge(real, plan, save=folder)
    stored = safetensors.torch.load_file(folder / TENSORS_FILE)
    name = "model.layers.0.mlp.up_proj"
    layout = format_of(plan.quantization).layout((96, 64), torch.float32)
    assert {
        key.removeprefix(name + "."): (tuple(value.shape), value.dtype)
        for key, value in stored.items()
        if key.startswith(name + ".") and key.rpartition(".")[2] in layout
    } == layout
    assert f"{name}.weight" not in stored
    assert "lm_head.weight" not in stored  # shares the embedding's
    assert not any("lora" in key for key in stored)
    assert judged.report is not None
    size_bytes = (folder / TENSORS_FILE).stat().st_size
    assert judged.report.after.disk_bytes == size_bytes
    again = mp.load_compressed(folder)
    assert again.lm_head.weight is again.model.embed_tokens.weight
    layer = again.get_submodule(name)
    assert isinstance(layer, QuantizedLinear)
    assert layer.codes.nbytes == 96 * 64 // 2


def test_the_size_before_is_that_of_the_same_file_uncompressed(real: Model, tmp_path: Path) -> None:
    judged, _ = judge(real, planned(**NF4))
    assert judged.report is not None
    source = Path(real.source) / TENSORS_FILE
    data = safetensors.torch.save(safetensors.torch.load_file(source), metadata={"format": "pt"})
    assert judged.report.before.disk_bytes == len(data) == source.stat().st_size


def test_plain_weights_open_without_memplanner(real: Model, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    _, module = judge(real, planned(**KINDS["narrower MLPs"]), judging=False, save=folder)
    again = transformers.LlamaForCausalLM.from_pretrained(folder)
    assert again.config.intermediate_size == 72
    assert torch.equal(logits(again), logits(module))
    assert mp.load(folder).load_weights is not None


def test_packed_weights_are_not_taken_for_plain_ones(real: Model, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    judge(real, planned(**NF4), judging=False, save=folder)
    model = mp.load(folder)
    assert model.load_weights is None
    assert any("stored quantized (memplanner)" in note for note in model.notes)


def test_a_folder_is_whole_or_not_there(
    real: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("memplanner.run.saving.write_whole", full)
    with pytest.raises(RunError, match="no space left"):
        judge(real, planned(**NF4), judging=False, save=tmp_path / "saved")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved_is_refused_at_once(real: Model, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    random = mp.load("preset:smollm2-135m")
    for model, plan, folder, words in (
        (real, planned(), "new", "compresses nothing"),
        (random, planned(**NF4), "new", "random weights"),
        (real, planned(**NF4), "full", "there already"),
    ):
        with pytest.raises(RunError, match=words):
            check_save(model, plan, tmp_path / folder)
    check_save(real, planned(**NF4), tmp_path / "new")


@pytest.mark.parametrize("broken", ["cut", "missing", "another plan", "another config"])
def test_a_broken_folder_is_one_sentence(real: Model, tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "saved"
    judge(real, planned(**NF4), judging=False, save=folder)
    tensors = folder / TENSORS_FILE
    if broken == "cut":
        tensors.write_bytes(tensors.read_bytes()[:-8])
    elif broken == "missing":
        stored = safetensors.torch.load_file(tensors)
        del stored["model.norm.weight"]
        safetensors.torch.save_file(stored, tensors)
    elif broken == "another plan":
        plan = folder / PLAN_FILE
        plan.write_text(plan.read_text().replace("method: nf4", "method: linear"))
    else:
        config = folder / CONFIG_FILE
        config.write_text(config.read_text().replace('"hidden_size": 64', '"hidden_size": 32'))
    with pytest.raises(SourceError) as caught:
        mp.load_compressed(folder)
    assert str(folder) in str(caught.value)


TYPES = [torch.float32, torch.bfloat16, torch.uint8, torch.int64, torch.bool, torch.float16]
SHAPES = st.lists(st.integers(0, 5), max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=8).filter(
    lambda name: name != "__metadata__" and name.isprintable()), st.tuples(SHAPES,
    st.sampled_from(TYPES)), max_size=5))  # fmt: skip
def test_the_file_is_what_safetensors_reads(
    tmp_path_factory: pytest.TempPathFactory, described: dict[str, Any]
) -> None:
    tensors = {
        name: torch.randint(0, 2, shape, device=CPU).to(dtype)
        for name, (shape, dtype) in described.items()
    }
    path = tmp_path_factory.mktemp("file") / "tensors.safetensors"
    write_tensors(path, tensors)
    assert path.stat().st_size == file_bytes(tensors)
    back = safetensors.torch.load_file(path)
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)
