"""Compression judged on real weights: before and after, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import nn

import memplanner as mp
from memplanner.model.loaded import Model
from memplanner.run import quality
from memplanner.run.layer_outputs import ROWS, LayerOutputs
from memplanner.run.quality_data import MOST_TOKENS, WINDOW, quality_data
from memplanner.techniques.low_bit.linear import QuantizedLinear
from tests.run.conftest import Run
from tests.run.judging import judge, planned, write_text
from tests.smollm2 import loaded

EIGHT = {"method": "linear", "bits": 8}
TWO = {"method": "linear", "bits": 2}
BLOCKS, LINEAR = 3, 7


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A folder with weights: far from any start, so that quantizing shows."""
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        num_hidden_layers=BLOCKS, hidden_size=64, intermediate_size=96, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, vocab_size=256, initializer_range=0.2,
        tie_word_embeddings=True,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("real")
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return mp.load(folder)


def own_loss(module: nn.Module, ids: torch.Tensor) -> float:
    """Cross-entropy of each token after the first, written plainly."""
    with torch.no_grad():
        logits = module(input_ids=ids).logits
    return float(nn.functional.cross_entropy(logits[0, :-1].float(), ids[0, 1:]))


def test_figures_are_the_models_own(real: Model, tmp_path: Path) -> None:
    plan = planned(quantization=EIGHT)
    lines: list[str] = []
    judged, module = judge(real, plan, data_path=write_text(tmp_path), lines=lines)
    report = judged.report
    assert report is not None
    data = quality_data(real, write_text(tmp_path))
    before = loaded(real).eval()
    losses = [own_loss(before, batch["input_ids"]) for batch in data.batches]
    assert report.before.loss == pytest.approx(sum(losses) / len(losses), rel=1e-6)
    assert report.before.perplexity == pytest.approx(math.exp(report.before.loss))
    after = [own_loss(module.eval(), batch["input_ids"]) for batch in data.batches]
    assert report.after.loss == pytest.approx(sum(after) / len(after), rel=1e-5)
    assert report.after.loss != report.before.loss
    assert report.count == data.count == 2 * WINDOW
    assert (report.unit, report.data) == ("tokens", data.description)
    assert report.before.per_second is not None
    assert report.before.per_second > 0
    assert [line.partition(":")[0] for line in lines] == [
        "Uncompressed model judged",
        "Compressed model judged",
    ]


def test_fewer_bits_cost_more(real: Model, tmp_path: Path) -> None:
    reports = {
        bits: judge(
            real,
            planned(quantization={"method": "linear", "bits": bits}),
            data_path=write_text(tmp_path),
        )[0].report
        for bits in (8, 4, 2)
    }
    errors = {bits: _mean_error(report) for bits, report in reports.items()}
    assert 0 < errors[8] < errors[4] < errors[2]
    sizes = [report.after.memory_bytes for report in reports.values() if report is not None]
    assert sizes == sorted(sizes, reverse=True)


def _mean_error(report: Any) -> float:
    assert report is not None
    assert len(report.layers) == BLOCKS * LINEAR
    return sum(layer.output_error for layer in report.layers) / len(report.layers)


def test_a_layers_error_is_that_of_its_own_inputs(real: Model, tmp_path: Path) -> None:
    """Deep in the model: what earlier layers have lost must not count."""
    path = write_text(tmp_path)
    judged, module = judge(real, planned(quantization=TWO), data_path=path)
    assert judged.report is not None
    name = f"model.layers.{BLOCKS - 1}.mlp.down_proj"
    row = next(layer for layer in judged.report.layers if layer.name == name)
    before = loaded(real).eval()
    given: list[torch.Tensor] = []
    layer = before.get_submodule(name)
    layer.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    batch = quality_data(real, path).batches[0]
    with torch.no_grad():
        before(**batch)
        rows = given[0].flatten(0, 1)
        rows = rows[torch.linspace(0, len(rows) - 1, ROWS).long()]
        wanted, found = layer(rows), module.get_submodule(f"{name}.base_layer")(rows)
    error = float((found - wanted).norm() / wanted.norm())
    assert row.output_error == pytest.approx(error, rel=1e-4)
    assert row.type == "QuantizedLinear"
    weight = before.get_submodule(name).weight
    assert row.before_bytes == weight.nbytes
    assert row.after_bytes < row.before_bytes / 4


def test_judging_leaves_the_module_as_it_was(real: Model, tmp_path: Path) -> None:
    _, judged = judge(real, planned(quantization=EIGHT), data_path=write_text(tmp_path))
    _, other = judge(real, planned(quantization=EIGHT), judging=False)
    assert [part.training for part in judged.modules()] == [
        part.training for part in other.modules()
    ]
    for part in judged.modules():
        assert not part._forward_hooks
    here, there = judged.state_dict(), other.state_dict()
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here if "lora" not in name)


def test_a_pruned_model_is_judged_alike(real: Model, tmp_path: Path) -> None:
    pruning = {"structure": "unstructured", "ratio": 0.5, "kept_as": "zeros"}
    judged, _ = judge(real, planned(pruning=pruning), data_path=write_text(tmp_path))
    report = judged.report
    assert report is not None
    assert report.after.memory_bytes == report.before.memory_bytes
    assert report.after.disk_bytes == report.before.disk_bytes
    assert min(layer.output_error for layer in report.layers) > 0


def test_narrower_layers_are_not_compared(real: Model, tmp_path: Path) -> None:
    pruning = {"structure": "structured", "mlp_ratio": 0.25}
    judged, _ = judge(real, planned(pruning=pruning), data_path=write_text(tmp_path))
    assert judged.report is not None
    assert judged.report.layers == ()
    assert any(note.startswith(f"{3 * BLOCKS} layers have other shapes") for note in judged.notes)
    assert judged.report.after.memory_bytes < judged.report.before.memory_bytes


def test_without_some_blocks_outputs_are_not_compared(real: Model, tmp_path: Path) -> None:
    pruning = {"structure": "structured", "mlp_ratio": 0, "block_ratio": 0.34}
    judged, _ = judge(real, planned(pruning=pruning), data_path=write_text(tmp_path))
    assert judged.report is not None
    assert judged.report.layers == ()
    assert judged.report.after.memory_bytes < judged.report.before.memory_bytes
    assert any("not compared" in note for note in judged.notes)


def test_a_model_without_text_has_a_loss_and_no_perplexity(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        image_size=16, patch_size=8, num_labels=4,
    )  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    report = judge(mp.load(tmp_path), planned(quantization=EIGHT))[0].report
    assert report is not None
    assert report.before.loss is not None
    assert report.before.perplexity is report.after.perplexity is None
    assert (report.unit, report.count, report.data) == ("samples", 4, "made-up data, 4 samples")


def test_a_loss_that_is_not_of_the_next_token_is_no_perplexity(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=256, d_model=32, d_ff=64, num_layers=1, num_heads=2, d_kv=16,
        decoder_start_token_id=0,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    plan = planned(quantization=EIGHT, precision="bf16_mixed")
    report = judge(mp.load(tmp_path), plan, data_path=write_text(tmp_path))[0].report
    assert report is not None
    assert report.before.loss is not None
    assert report.before.perplexity is None
    assert all(0 < layer.output_error < 0.1 for layer in report.layers)


def test_a_tokenizer_that_cannot_be_opened_is_a_note(real: Model, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    model = replace(real, tokenizer=str(tmp_path))
    judged, _ = judge(model, planned(quantization=EIGHT), save=tmp_path / "saved")
    assert judged.report is None
    assert judged.saved is not None
    assert any("is not judged: The tokenizer of" in note for note in judged.notes)
    assert any("it was not saved" in note for note in judged.notes)


def test_a_model_without_a_loss_still_has_its_errors_and_sizes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=256, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path)
    report = judge(mp.load(tmp_path), planned(quantization=EIGHT))[0].report
    assert report is not None
    assert report.before.loss is report.after.loss is None
    assert report.layers
    assert report.after.memory_bytes < report.before.memory_bytes


def test_stopping_ends_it_between_batches(real: Model, tmp_path: Path) -> None:
    calls = 0

    def stopped() -> bool:
        nonlocal calls
        calls += 1
        return calls > 2

    judged, module = judge(
        real, planned(quantization=EIGHT), stopped=stopped, data_path=write_text(tmp_path)
    )
    assert judged.report is None
    assert any(isinstance(part, QuantizedLinear) for part in module.modules())


def test_what_takes_too_long_is_judged_on_less(
    real: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "MOST_SECONDS", 0.0)
    judged, _ = judge(real, planned(quantization=EIGHT), data_path=write_text(tmp_path))
    assert judged.report is not None
    assert judged.report.count == WINDOW


def test_want_of_memory_is_a_note(
    real: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: LayerOutputs, module: nn.Module) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(LayerOutputs, "compare", refuse)
    judged, module = judge(real, planned(quantization=EIGHT), data_path=write_text(tmp_path))
    assert judged.report is None
    assert any("Memory ran out while judging the compressed model" in n for n in judged.notes)
    assert module.training


def test_the_text_that_comes_with_the_program(real: Model) -> None:
    data = quality_data(real, None)
    assert data.name == "alice.txt"
    assert data.count == MOST_TOKENS
    first = bytes(data.batches[0]["input_ids"][0].tolist()).decode()
    assert first.startswith("Alice’s Adventures in Wonderland")
    assert data.next_token


def test_a_short_text_is_one_short_window(real: Model, tmp_path: Path) -> None:
    path = tmp_path / "short.txt"
    path.write_text("few words")
    data = quality_data(real, str(path))
    assert data.count == len("few words")
    assert len(data.batches) == 1


# In a worker

Start = Callable[..., Run]


@pytest.mark.slow
def test_a_run_brings_the_report_and_measures_as_without_it(
    run: Start, real: Model, tmp_path: Path
) -> None:
    plan, text = planned(quantization={"method": "nf4"}), write_text(tmp_path)
    judged = run(real, plan, steps=2, data=text, save=tmp_path / "saved").result
    plain = run(real, plan, steps=2, data=text, quality=False).result
    assert judged.quality is not None
    assert judged.quality.after.memory_bytes < judged.quality.before.memory_bytes
    assert judged.saved == str(tmp_path / "saved")
    assert (plain.quality, plain.saved) == (None, None)
    assert judged.measured is not None
    assert plain.measured is not None
    assert judged.measured.by_category == plain.measured.by_category
    assert judged.measured.by_phase == plain.measured.by_phase
    assert judged.losses[0] == pytest.approx(plain.losses[0])  # later ones have new adapters


def test_random_weights_are_not_judged(run: Start, llama: Any) -> None:
    result = run(llama, planned(quantization=EIGHT), steps=1).result
    assert result.outcome == "finished"
    assert result.quality is None
    assert any("weights are random" in note for note in result.notes)
