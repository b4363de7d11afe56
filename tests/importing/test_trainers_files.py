"""Files as people write them: what plan they mean, and what is told of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from memplanner.errors import PlanError
from memplanner.importing import parse_trainer, read_trainer
from memplanner.plan import Plan

QLORA = """
base_model: NousResearch/Meta-Llama-3.1-8B-Instruct
load_in_4bit: true
adapter: qlora
lora_r: 32
lora_alpha: 16
lora_dropout: 0.05
lora_target_linear: true
sequence_len: 4096
micro_batch_size: 2
gradient_accumulation_steps: 4
optimizer: paged_adamw_8bit
learning_rate: 2e-4
bf16: auto
gradient_checkpointing: true
sample_packing: true
relora: true
flash_attention: yes
datasets:
  - path: words
    type: alpaca
wandb_project:
"""
FSDP = """
model_name_or_path: meta-llama/Llama-3.1-8B
dataset_name: words
dtype: bfloat16
max_length: 4096
per_device_train_batch_size: 4
fsdp: full_shard auto_wrap
fsdp_config:
  fsdp_transformer_layer_cls_to_wrap: LlamaDecoderLayer
  fsdp_activation_checkpointing: true
  fsdp_offload_params: true
gradient_checkpointing: false
output_dir: out
"""
FACTORY = """
model_name_or_path: Qwen/Qwen3-8B
stage: sft
do_train: true
finetuning_type: lora
lora_target: all
dataset: identity
template: qwen
cutoff_len: 2048
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
bf16: true
output_dir: saves/qwen
use_unsloth: true
"""
TITAN = """#!/bin/bash
set -e
NGPU=8
torchrun --nproc_per_node=8 --rdzv_backend c10d --local-ranks-filter 0 \\
    -m torchtitan.train --module llama3 --config llama3_70b \\
    --parallelism.tensor-parallel-degree 4 --training.local_batch_size=2 \\
    --training.seq_len 4096 --metrics.enable_wandb --compile.enable activation-checkpoint:full
"""
DEEPSPEED = """{
  "train_micro_batch_size_per_gpu": 2,
  "gradient_accumulation_steps": 4,
  "bf16": {"enabled": true},
  "zero_optimization": {
    "stage": 3,
    "stage3_param_persistence_threshold": 10000,
    "offload_optimizer": {"device": "cpu", "pin_memory": true},
    "zero_quantized_weights": true
  },
  "activation_checkpointing": {"partition_activations": true},
  "steps_per_print": 10
}"""
LAUNCH = """
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
fsdp_config:
  fsdp_version: 2
  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP
  fsdp_reshard_after_forward: false
mixed_precision: bf16
num_machines: 2
num_processes: 16
"""
ARGUMENTS = """{"output_dir": "out", "per_device_train_batch_size": 2, "bf16": true,
  "optim": "adafactor", "gradient_checkpointing": true, "logging_steps": 5, "neftune": 5}"""


def test_axolotl() -> None:
    read = parse_trainer(QLORA)
    plan = read.plan
    assert (read.trainer, read.source) == ("axolotl", "preset:llama-3.1-8b")
    assert plan.training.batch_size == 2
    assert plan.training.sequence_length == 4096
    assert plan.training.gradient_accumulation_steps == 4
    assert plan.training.outputs == "until_loss"
    assert plan.quantization.method == "nf4"
    assert plan.quantization.double_quantization
    assert (plan.adapters.rank, plan.adapters.alpha, plan.adapters.dropout) == (32, 16, 0.05)
    assert plan.adapters.target_modules == ()
    assert plan.optimizer.implementation == "bitsandbytes_paged_8bit"
    assert plan.optimizer.learning_rate == 2e-4
    assert plan.precision == "bf16_autocast"
    assert plan.activation_checkpointing.policy == "full"
    assert plan.attention.kernel == "flash"
    assert read.no_place == ("relora: true has no place in a plan.",)
    assert read.aside == ("datasets",)


def test_trl_with_the_older_words_of_fsdp() -> None:
    read = parse_trainer(FSDP, Plan().with_values({"sharding.cards_per_node": 4}))
    plan = read.plan
    assert read.trainer == "trl"
    assert (plan.sharding.data, plan.sharding.ranks) == ("zero_3", 4)
    assert plan.activation_checkpointing.policy == "full"
    assert plan.precision == "bf16_autocast"  # TRL's bf16 is on where nothing is said
    assert plan.loss.method == "recomputed"
    assert plan.loss.chunks == 4 * 4096 // 1024
    assert plan.optimizer.learning_rate == 2e-5
    assert (plan.offload.parameters, plan.offload.optimizer) == ("host", "host")
    alone = parse_trainer(FSDP)
    assert any("offload to host memory has no place" in one for one in alone.no_place)
    assert any("does not say how many cards" in one for one in alone.notes)


def test_llama_factory() -> None:
    read = parse_trainer(FACTORY)
    plan = read.plan
    assert (read.trainer, read.source) == ("llama_factory", "preset:qwen3-8b")
    assert (plan.adapters.rank, plan.adapters.alpha) == (8, 16)  # alpha: twice the rank
    assert plan.precision == "bf16_autocast"
    assert plan.activation_checkpointing.policy == "full"  # unless it is switched off
    assert read.no_place == ("use_unsloth: true has no place in a plan.",)


def test_torchtitan() -> None:
    read = parse_trainer(TITAN)
    plan = read.plan
    assert (read.trainer, read.source) == ("torchtitan", "preset:llama-3.1-70b")
    assert (plan.sharding.ranks, plan.sharding.tensor, plan.sharding.shard_degree) == (8, 4, 2)
    assert plan.sharding.sequence_parallel
    assert plan.sharding.loss_parallel
    assert plan.sharding.data == "zero_3"
    assert (plan.training.batch_size, plan.training.sequence_length) == (2, 4096)
    assert plan.precision == "bf16_mixed"
    assert plan.compilation.mode == "blocks"
    assert plan.activation_checkpointing.policy == "full"
    assert plan.loss.method == "chunked"
    assert read.no_place == ()


def test_deepspeed() -> None:
    base = Plan().with_values({"sharding.cards_per_node": 8, "adapters.method": "lora"})
    read = parse_trainer(DEEPSPEED, base)
    section = read.plan.sharding
    assert read.trainer == "deepspeed"
    assert (section.data, section.engine, section.ranks) == ("zero_3", "deepspeed", 8)
    assert section.param_persistence_threshold == 10_000
    assert section.offload_optimizer == "host"
    assert read.plan.precision == "bf16_mixed"
    assert read.plan.training.gradient_accumulation_steps == 4
    assert read.plan.adapters.method == "lora"  # the script's
    assert sorted(one.partition(":")[0] for one in read.no_place) == [
        "activation_checkpointing",
        "zero_optimization.zero_quantized_weights",
    ]


def test_accelerate() -> None:
    read = parse_trainer(LAUNCH, Plan().with_values({"training.batch_size": 3}))
    section = read.plan.sharding
    assert read.trainer == "accelerate"
    assert (section.nodes, section.cards_per_node, section.data) == (2, 8, "zero_2")
    assert read.plan.precision == "bf16_mixed"
    assert read.plan.training.batch_size == 3
    assert read.no_place == ()


def test_training_arguments_as_json() -> None:
    base = Plan().with_values({"training.sequence_length": 77, "precision": "fp32"})
    read = parse_trainer(ARGUMENTS, base)
    assert read.trainer == "hugging_face"
    assert read.plan.training.sequence_length == 77
    assert read.plan.precision == "bf16_mixed"
    assert read.plan.optimizer.name == "adafactor"
    assert read.no_place == ("neftune: 5 has no place in a plan.",)
    assert read.aside == ("output_dir", "logging_steps")


def test_a_json_beside_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "zero.json").write_text(DEEPSPEED)
    path = tmp_path / "train.yaml"
    path.write_text(FACTORY.replace("use_unsloth: true", "deepspeed: examples/zero.json"))
    base = Plan().with_values({"sharding.cards_per_node": 8})
    read = read_trainer(path, base)
    assert read.plan.sharding.data == "zero_3"
    assert read.plan.sharding.deepspeed
    (tmp_path / "zero.json").unlink()
    assert "does not lie beside the file" in read_trainer(path, base).no_place[0]


def test_a_plan_is_read_too() -> None:
    plan = Plan().with_values({"training.batch_size": 5})
    read = parse_trainer("training:\n  batch_size: 5\n")
    assert (read.trainer, read.plan) == ("plan", plan)
    with pytest.raises(PlanError, match="precision"):
        parse_trainer("precison: fp32\n")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour: red", "has no keys of a trainer"),
        ("- 1\n- 2", "holds no keys and values"),
        ("base_model: x\nmicro_batch_size: two", "micro_batch_size: two, but that takes a number"),
        ("base_model: x\nmicro_batch_size: 1.5", "takes a whole number"),
        ("base_model: x\nmicro_batch_size: 0", "training.batch_size"),
        ("base_model: x\ngradient_checkpointing: [1]", "takes one word"),
        ("base_model: &a x\nadapter: *a", r"uses a YAML alias \(\*a\)"),
        ("base_model: !!python/object:os.system x", "uses a YAML tag"),
        ("base_model: {" * 20, "nested too deeply"),
        ("base_model: [x", "is not valid YAML"),
        ('{"train_batch_size": 1,', "is not valid JSON"),
        ('{"zero_optimization": {"stage": 7}, "bf16": {}}', "takes 0, 1, 2 or 3"),
        ("flash_attn: fa9\nstage: sft", "takes one of auto"),
        ("torchrun --module 'x", "cannot be read as a shell's words"),
        ("base_model: x\nlora_r: true\nadapter: lora", "takes a number"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence) as error:
        parse_trainer(text, origin="train.yaml")
    assert str(error.value).startswith("train.yaml")
    assert str(error.value).count(". ") == 0


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="could not be read"):
        read_trainer(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"a: b\n" * 300_000)
    with pytest.raises(PlanError, match="larger than 256 KiB"):
        read_trainer(large)
    odd = tmp_path / "odd.yaml"
    odd.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="not text in UTF-8"):
        read_trainer(odd)
