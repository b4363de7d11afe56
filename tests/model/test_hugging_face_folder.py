from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from memplanner.errors import SourceError, TrustNeeded
from memplanner.model import load
from tests.model.small_models import CPU, SMALL

Saved = Callable[..., tuple[Path, Any]]


def config_file(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(values))
    return path


def filled(source: str | Path) -> dict[str, torch.Tensor]:
    model = load(source)
    module = model.build(CPU)
    assert model.load_weights is not None
    model.load_weights(module)
    return dict(module.state_dict())


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.mark.parametrize("tied", [False, True])
def test_a_saved_folder_opens_and_its_weights_come_back(llama_folder: Saved, tied: bool) -> None:
    folder, module = llama_folder(tie_word_embeddings=tied)

    assert load(folder).kind == "hugging_face"
    assert load(folder).notes == ()
    assert_same(filled(folder), dict(module.state_dict()))


def test_shards_open_by_folder_index_or_any_shard(llama_folder: Saved) -> None:
    folder, module = llama_folder(shard="20KB")
    shard = sorted(folder.glob("model-*.safetensors"))[1]

    for source in (folder, folder / "model.safetensors.index.json", shard):
        assert load(source).notes == ()
        assert_same(filled(source), dict(module.state_dict()))


def test_merged_experts_are_loaded_by_their_own_names(llama_folder: Saved) -> None:
    folder, module = llama_folder("MixtralForCausalLM", num_local_experts=4, num_key_value_heads=2)
    assert load(folder).notes == ()
    assert_same(filled(folder), dict(module.state_dict()))


def test_missing_weights_are_named(llama_folder: Saved) -> None:
    folder, module = llama_folder("BertForMaskedLM")
    values = json.loads((folder / "config.json").read_text())
    config_file(folder, **{**values, "architectures": ["BertForSequenceClassification"]})

    model = load(folder)
    assert any("classifier.weight" in note and "start random" in note for note in model.notes)
    weights = filled(folder)
    name = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(weights[name], module.state_dict()[name])


def test_weights_of_another_size_are_refused(llama_folder: Saved) -> None:
    folder, _ = llama_folder()
    values = json.loads((folder / "config.json").read_text())
    config_file(folder, **{**values, "vocab_size": 120})

    with pytest.raises(SourceError, match=r"weight as \[99, 32\]"):
        load(folder)


def test_a_config_alone_trains_on_random_weights(tmp_path: Path) -> None:
    path = config_file(tmp_path, model_type="llama", architectures=["LlamaForCausalLM"], **SMALL)
    model = load(path)

    assert model.load_weights is None
    assert model.class_name == "LlamaForCausalLM"
    assert model.name == tmp_path.name


def test_the_task_stands_in_for_a_class_that_is_not_named(tmp_path: Path) -> None:
    config_file(tmp_path, model_type="vit", **SMALL, image_size=32, patch_size=8)
    model = load(tmp_path)

    assert model.class_name == "ViTForImageClassification"
    assert any("names no class" in note for note in model.notes)


def test_a_pickle_of_weights_stays_unread_and_is_named(tmp_path: Path) -> None:
    config_file(tmp_path, model_type="llama", architectures=["LlamaForCausalLM"], **SMALL)
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04 not opened")
    model = load(tmp_path)

    assert model.load_weights is None
    assert any("pytorch_model.bin" in note and "random" in note for note in model.notes)


def test_an_adapter_beside_a_model_is_left_aside(llama_folder: Saved) -> None:
    folder, module = llama_folder()
    file = folder / "model.safetensors"
    renamed = {name.removeprefix("model."): held for name, held in load_file(file).items()}
    save_file(renamed, file)
    (folder / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"]}'
    )
    (folder / "adapter_model.bin").write_bytes(b"PK\x03\x04 not opened")

    assert load(folder).notes == (
        "adapter_config.json is left aside; plan an adapter under adapters.",
    )
    assert_same(filled(folder), dict(module.state_dict()))


CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
class TinyConfig(PretrainedConfig):
    model_type = "tiny_own"
class Tiny(PreTrainedModel):
    config_class = TinyConfig
    main_input_name = "input_ids"
    def __init__(self, config):
        super().__init__(config)
        self.table = torch.nn.Embedding(config.vocab_size, 4)
        self.post_init()
    def _init_weights(self, module):
        pass
    def forward(self, input_ids, labels=None):
        return {"loss": self.table(input_ids).sum()}
"""


def test_code_of_a_model_runs_only_when_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "c"))
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "modeling_tiny.py").write_text(CODE)
    config_file(
        folder,
        model_type="tiny_own",
        architectures=["Tiny"],
        vocab_size=10,
        auto_map={
            "AutoConfig": "modeling_tiny.TinyConfig",
            "AutoModelForCausalLM": "modeling_tiny.Tiny",
        },
    )

    with pytest.raises(TrustNeeded, match=r"modeling_tiny\.py"):
        load(folder)
    model = load(folder, trust_code=True)
    assert model.parameter_count == 40
    assert any("own code was run" in note for note in model.notes)


def test_installed_classes_are_preferred_to_code(tmp_path: Path) -> None:
    config_file(
        tmp_path, model_type="llama", architectures=["LlamaForCausalLM"], **SMALL,
        auto_map={"AutoModelForCausalLM": "modeling_x.X"},
    )  # fmt: skip
    assert load(tmp_path).class_name == "LlamaForCausalLM"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"model_type": "no_such", "architectures": ["NoSuchLM"]}, "architecture “NoSuchLM”"),
        ({"hidden_size": 3}, "neither architectures nor a model_type"),
        ({"model_type": "llama", "num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"model_type": "bert", "num_labels": 10**9}, "num_labels is 1000000000"),
        ({"model_type": "gpt2", "n_layer": 10**9}, "n_layer is 1000000000"),
        ({"model_type": "resnet", "depths": [3, 10**8]}, "depths is 100000000"),
        ({"model_type": "llama", "hidden_size": 10**15}, "hidden_size is 1000000000000000"),
        ({"model_type": "llama", "hidden_size": "wide"}, "does not fit LlamaConfig"),
        ({"model_type": "llama", "num_attention_heads": 0}, "correct"),
        ({"model_type": "llama", "hidden_size": -5}, "does not fit LlamaConfig"),
        ({"model_type": ["llama"]}, "neither architectures nor a model_type"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(
    tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    path = config_file(tmp_path, **values)
    with pytest.raises(SourceError) as caught:
        load(path)
    sentence = str(caught.value)
    assert words in sentence
    assert str(path) in sentence or tmp_path.name in sentence
    assert "\n" not in sentence


def test_folders_of_other_kinds_say_what_to_open(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no config\.json"):
        load(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(SourceError, match="open the base model"):
        load(tmp_path)


def test_floats_that_json_lacks_are_read_as_transformers_writes_them(tmp_path: Path) -> None:
    model = load(
        config_file(
            tmp_path, model_type="mamba2", architectures=["Mamba2ForCausalLM"], vocab_size=64,
            hidden_size=16, num_hidden_layers=1, state_size=8, num_heads=4, head_dim=8, n_groups=1,
            expand=2, time_step_limit=[0.0, {"__float__": "Infinity"}],
        )
    )  # fmt: skip
    assert model.config["time_step_limit"] == [0.0, float("inf")]
