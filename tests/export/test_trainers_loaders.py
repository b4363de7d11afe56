"""Files read by the trainers' own loaders, as far as those come without other packages."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import transformers
from ruamel.yaml import YAML

from memplanner.export.target import Subject
from memplanner.export.trainer import yaml_text
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests.export.test_trainers import target_of
from tests.export.trainer_plans import SAID, planned

OLD_NAMES = pytest.mark.filterwarnings("ignore:`\\w+` is deprecated and will be removed in v6")
"""Of transformers' keys, which older versions have alone."""
HERE = {"use_cpu": True, "report_to": "none"}
"""What the loaders need on a machine without a card."""


@pytest.fixture(scope="module")
def preset() -> Model:
    return load("preset:llama-3.1-8b")


def written(trainer: str, way: str, model: Model, card: Device, folder: Path) -> tuple[Path, Any]:
    """The file for a trainer, without DeepSpeed's part where that is not installed."""
    target, plan = target_of(trainer), planned(trainer, way)
    values = YAML(typ="safe").load(target.text(Subject(model, plan, card), ()))
    values.pop("deepspeed", None)  # read in test_deepspeed.py
    path = folder / target.file_name
    path.write_text(yaml_text({**values, **HERE, "output_dir": str(folder / "out")}))
    return path, values


def expected(plan: Plan, values: dict[str, Any], read: Any) -> None:
    training = plan.training
    assert read.per_device_train_batch_size == training.batch_size
    assert read.gradient_accumulation_steps == training.gradient_accumulation_steps
    assert read.learning_rate == plan.optimizer.learning_rate
    assert read.optim == values["optim"]
    assert read.bf16 == values["bf16"]
    assert bool(read.activation_checkpointing) == values["gradient_checkpointing"]
    if "fsdp" in values:
        plugin = read.fsdp_plugin_args
        assert plugin["fsdp_version"] == 2
        assert plugin["reshard_after_forward"] == (plan.sharding.data == "zero_3")
        assert plugin["transformer_cls_names_to_wrap"] == "LlamaDecoderLayer"
        assert plugin.get("activation_checkpointing", False) == (
            plan.activation_checkpointing.policy == "full"
        )
    steps = read.accelerator_config.gradient_accumulation_kwargs or {}
    shared = plan.sharding.ranks > 1 and training.gradient_accumulation_steps > 1
    each = shared and plan.sharding.reduction == "each_micro_batch"
    assert steps.get("sync_each_batch", False) == each


@OLD_NAMES
@pytest.mark.parametrize("way", SAID["hugging_face"])
def test_transformers_reads_every_key(
    way: str, preset: Model, card: Device, tmp_path: Path
) -> None:
    path, values = written("hugging_face", way, preset, card, tmp_path)
    known = {field.name for field in dataclasses.fields(transformers.TrainingArguments)}
    assert values.keys() <= known
    parser = transformers.HfArgumentParser(transformers.TrainingArguments)
    (read,) = parser.parse_yaml_file(str(path), allow_extra_keys=False)
    expected(planned("hugging_face", way), values, read)


@OLD_NAMES
@pytest.mark.parametrize("way", SAID["trl"])
def test_trl_reads_every_key(way: str, preset: Model, card: Device, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl", reason="trl is not installed")
    path, values = written("trl", way, preset, card, tmp_path)
    kinds = (trl.ScriptArguments, trl.SFTConfig, trl.ModelConfig)
    known = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert values.keys() <= known
    parser = trl.TrlParser(kinds)
    _, read, model = parser.parse_args_and_config(["--config", str(path)])
    plan = planned("trl", way)
    expected(plan, values, read)
    assert read.max_length == plan.training.sequence_length
    assert model.use_peft == (plan.adapters.method == "lora")
    assert model.load_in_4bit == (plan.quantization.method == "nf4")
    assert model.lora_r == (plan.adapters.rank if model.use_peft else 16)
    assert model.dtype == values["dtype"]
    assert read.activation_offloading == (plan.activation_offload.to == "host")
