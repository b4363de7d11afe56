"""Keys that few files have: what plan they mean, and what is told where a plan has no place."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from memplanner.errors import PlanError
from memplanner.importing import parse_trainer, read_trainer
from memplanner.importing.imported import Imported
from memplanner.plan import Plan

AXOLOTL = "base_model: org/model\nmicro_batch_size: 1\nsequence_len: 64\n"
FACTORY = "model_name_or_path: org/model\nstage: sft\nfinetuning_type: full\ncutoff_len: 64\n"
TRL = "model_name_or_path: org/model\nmax_length: 64\nuse_peft: false\n"
TRAINER = "output_dir: out\nper_device_train_batch_size: 1\n"
LAUNCH = "compute_environment: LOCAL_MACHINE\nnum_machines: 1\n"
TITAN = "torchrun --nproc_per_node=8 -m torchtitan.train --module llama3 --config llama3_8b "

Row = tuple[str, str, dict[str, Any], str]

AXOLOTLS: list[Row] = [
    ("bf16: full", "", {"precision": "bf16"}, ""),
    ("fp16: true\nbf16: false", "", {"precision": "fp16"}, "plain fp16 is planned"),
    ("bf16: false", "", {"precision": "fp32"}, ""),
    ("dp_shard_size: 16", "", {"sharding.nodes": 2, "sharding.cards_per_node": 8}, ""),
    ("dp_replicate_size: 2\ntensor_parallel_size: 2\ncontext_parallel_size: 2", "8",
     {"sharding.replicas": 2, "sharding.tensor": 2, "sharding.context": 2,
      "sharding.cards_per_node": 8}, ""),
    ("tensor_parallel_size: 3", "", {"sharding.cards_per_node": 3, "sharding.tensor": 3}, ""),
    ("chunked_cross_entropy: true\nchunked_cross_entropy_num_chunks: 4", "",
     {"loss.method": "chunked", "loss.chunks": 4}, "keeps the logits whole"),
    ("gradient_checkpointing: offload", "", {"activation_checkpointing.policy": "full"},
     "moves the blocks' inputs off the card"),
    ("selective_checkpointing: {save: [aten::mm, mine]}", "",
     {"activation_checkpointing.policy": "selective",
      "activation_checkpointing.operations": ("mm",)}, "selective_checkpointing of mine"),
    ("selective_checkpointing: true", "",
     {"activation_checkpointing.operations": ("attention",)}, ""),
    ("activation_offloading: true\nadapter: lora\nlora_target_linear: true", "",
     {"activation_offload.to": "host", "activation_checkpointing.policy": "none",
      "adapters.rank": 8, "adapters.target_modules": ()}, ""),
    ("activation_offloading: legacy", "", {"activation_checkpointing.policy": "full"}, ""),
    ("activation_offloading: disk", "", {"activation_offload.to": "none"},
     "activation_offloading: disk has no place"),
    ("load_in_4bit: true\nbnb_config_kwargs: {bnb_4bit_quant_type: fp4}", "",
     {"quantization.method": "nf4"}, "The levels fp4 take what NF4 takes"),
    ("load_in_8bit: true\nadapter: lora", "",
     {"quantization.bits": 8, "quantization.granularity": "channel",
      "adapters.target_modules": ("q_proj", "v_proj")}, "a scale a row"),
    ("adapter: llama-adapter", "", {"adapters.method": "none"}, "adapter: llama-adapter"),
    ("flash_attention: true", "", {"attention.kernel": "flash"}, ""),
    ("eager_attention: true", "", {"attention.kernel": "eager"}, ""),
    ("attn_implementation: mine", "", {"attention.kernel": "auto"}, "sdpa is planned"),
    ("dp_shard_size: 8\nfsdp_version: 2\n"
     "fsdp_config: {offload_params: true, cpu_offload_pin_memory: false}", "",
     {"sharding.cards_per_node": 8, "offload.parameters": "host", "offload.optimizer": "host",
      "offload.pin_memory": False}, ""),
    ("fsdp_config: {version: 1, activation_checkpointing: true}", "8",
     {"sharding.data": "zero_3", "activation_checkpointing.policy": "full"}, "asks for FSDP1"),
    ("ddp_bucket_cap_mb: 50\nddp_static_graph: true", "8",
     {"sharding.bucket_mib": 50, "sharding.static_graph": True}, ""),
]  # fmt: skip
FACTORIES: list[Row] = [
    ("pure_bf16: true", "", {"precision": "bf16"}, ""),
    ("fp16: true", "", {"precision": "fp16_mixed"}, ""),
    ("fp16: true\nfinetuning_type: lora", "", {"precision": "fp16_mixed"}, "fp32 ones are planned"),
    ("quantization_bit: 4\nquantization_type: fp4", "", {"quantization.method": "nf4"}, "levels"),
    ("quantization_bit: 8", "", {"quantization.bits": 8}, "a scale a row"),
    ("quantization_bit: 3\nquantization_method: hqq", "", {"quantization.method": "none"},
     "quantization_bit: 3 of hqq"),
    ("finetuning_type: freeze", "", {"adapters.method": "none"}, "every parameter is planned"),
    ("packing: true", "", {}, "Samples are packed"),
    ("fsdp: full_shard\ndisable_gradient_checkpointing: true\n"
     "fsdp_config: {fsdp_activation_checkpointing: true}", "8",
     {"activation_checkpointing.policy": "full"}, ""),
]  # fmt: skip
TRLS: list[Row] = [
    ("dtype: auto\nbf16: true", "", {"precision": "bf16_autocast"}, "the type of its checkpoint"),
    ("dtype: float8", "", {"precision": "bf16_mixed"}, "dtype: float8"),
    ("dtype: bfloat16\nbf16: false", "", {"precision": "bf16"}, ""),
    ("dtype: float16\nbf16: true", "", {"precision": "fp16"}, "under bf16 autocast"),
    ("fp16: true", "", {"precision": "fp16_mixed"}, ""),
    ("activation_offloading: true", "", {"activation_offload.to": "host"}, ""),
    ("loss_type: dft", "", {"loss.method": "recomputed"}, "loss_type: dft"),
    ("packing: true", "", {}, "Samples are packed"),
    ("load_in_4bit: true\nbnb_4bit_quant_type: fp4\nuse_bnb_nested_quant: true", "",
     {"quantization.method": "nf4", "quantization.double_quantization": True}, "levels fp4"),
    ("load_in_8bit: true\nuse_peft: true\nlora_alpha: 4\nlora_target_modules: [o_proj]", "",
     {"quantization.bits": 8, "adapters.rank": 16, "adapters.alpha": 4.0,
      "adapters.dropout": 0.05, "adapters.target_modules": ("o_proj",)}, "adapters of a quantized"),
    ("use_peft: true\nuse_dora: true\nlora_target_modules: all-linear", "",
     {"adapters.target_modules": ()}, "plain LoRA is planned"),
    ("torch_compile: true\ntorch_compile_backend: mine", "", {"compilation.mode": "blocks"},
     "torch_compile_backend: mine"),
]  # fmt: skip
TRAINERS: list[Row] = [
    ("optim: galore_adamw\noptim_args: rank=4, scale=0.5, more=1\noptim_target_modules: [mlp]", "",
     {"optimizer.projection": "galore", "optimizer.rank": 4, "optimizer.update_gap": 200,
      "optimizer.scale": 0.5}, "optim_args more=1"),
    ("optim: galore_adamw\noptim_target_modules: [mlp]", "", {}, "projects every linear layer"),
    ("optim: sgd\noptim_args: {momentum: 0.5}", "", {"optimizer.momentum": 0.5}, ""),
    ("optim: mine", "", {"optimizer.name": "adamw"}, "The optimizer mine"),
    ("dtype: bfloat16\nbf16: true", "", {"precision": "bf16_autocast"}, ""),
    ("fsdp: shard_grad_op offload", "8",
     {"sharding.data": "zero_2", "offload.parameters": "host"}, ""),
    ("fsdp: full_shard offload", "", {"offload.parameters": "none"}, "planned on the card"),
    ("fsdp: true\nfsdp_config: {cpu_offload: true}", "8",
     {"offload.parameters": "host", "offload.optimizer": "host", "offload.pin_memory": True}, ""),
    ("fsdp: true\nfsdp_config: {fsdp_offload_params: false}", "8",
     {"offload.parameters": "none", "offload.optimizer": "none"}, ""),
    ("gradient_accumulation_steps: 2\naccelerator_config:\n"
     "  gradient_accumulation_kwargs: {sync_each_batch: true}", "8",
     {"sharding.reduction": "each_micro_batch"}, ""),
    ("deepspeed: {bf16: auto, zero_optimization: {stage: 2}, mine: 1}", "8",
     {"sharding.data": "zero_2"}, "deepspeed.mine"),
    ("deepspeed: missing.json", "", {}, "missing.json does not lie beside the file"),
]  # fmt: skip
LAUNCHES: list[Row] = [
    ("distributed_type: TPU", "", {}, "distributed_type: TPU"),
    ("num_processes: 4\ndistributed_type: MULTI_GPU", "", {"sharding.data": "replicated"}, ""),
    ("mixed_precision: fp8", "", {}, "mixed_precision: fp8"),
    ("dynamo_config: {dynamo_backend: INDUCTOR}", "", {"compilation.mode": "blocks"}, "compiled"),
    ("distributed_type: FSDP\nnum_processes: 4\n"
     "parallelism_config: {parallelism_config_cp_comm_strategy: ring}", "", {}, "rotation ring"),
    ("distributed_type: FSDP\nnum_processes: 4\nfsdp_config: {fsdp_sharding_strategy: 2}", "",
     {"sharding.data": "zero_2"}, ""),
    ("distributed_type: FSDP\nnum_processes: 4\nfsdp_config: {fsdp_offload_params: true}", "",
     {"offload.parameters": "host", "offload.optimizer": "host", "offload.pin_memory": True}, ""),
    ("distributed_type: FSDP\nnum_processes: 1\nfsdp_config: {fsdp_offload_params: true}", "",
     {"offload.parameters": "none"}, "planned on the card"),
    ("distributed_type: DEEPSPEED\nnum_processes: 4\ndeepspeed_config: "
     "{zero_stage: 3, gradient_accumulation_steps: 2, offload_optimizer_device: cpu}", "",
     {"sharding.data": "zero_3", "training.gradient_accumulation_steps": 2,
      "sharding.offload_optimizer": "host"}, ""),
    ("distributed_type: DEEPSPEED\ndeepspeed_config: {deepspeed_config_file: x.json}", "", {},
     "x.json does not lie beside the file"),
]  # fmt: skip
TITANS: list[Row] = [
    ("--optimizer.implementation=mine", "", {"optimizer.implementation": "fused"}, "mine"),
    ("--compile.enable --compile.backend=mine", "", {"compilation.mode": "blocks"},
     "compile.backend: mine"),
    ("--parallelism.no_enable_sequence_parallel --parallelism.tensor_parallel_degree=2", "",
     {"sharding.sequence_parallel": False}, ""),
    ("--parallelism.data_parallel_replicate_degree=8", "", {"sharding.data": "replicated"}, ""),
    ("--parallelism.data_parallel_replicate_degree=8 --training.enable_cpu_offload", "",
     {"offload.parameters": "none"}, "they are planned on the card"),
    ("--training.enable_cpu_offload", "",
     {"offload.parameters": "host", "offload.pin_memory": True}, ""),
    ("--parallelism.context_parallel_degree=2 --parallelism.context_parallel_rotate_method=x", "",
     {"sharding.context_rotation": "all_gather"}, "rotation x"),
    ("--parallelism.pipeline_parallel_degree=2 --parallelism.pipeline_parallel_schedule=x", "",
     {"sharding.pipeline": 2}, "schedule x"),
    ("--parallelism.pipeline_parallel_degree=2 --parallelism.pipeline_parallel_schedule="
     "Interleaved1F1B --parallelism.pipeline_parallel_layers_per_stage=9 "
     "--training.local_batch_size=8", "",
     {"sharding.stages_per_card": 2, "training.batch_size": 1,
      "sharding.stage_blocks": (8, 9, 8, 7)}, ""),
    ("activation-checkpoint:memory-budget --activation_checkpoint.memory_budget=0.25", "",
     {"compilation.memory_budget": 0.25}, ""),
    ("activation-checkpoint:selective", "", {"activation_checkpointing.policy": "selective"},
     "every second product"),
    ("activation-checkpoint:mine", "", {}, "activation-checkpoint:mine"),
    ("--training.dtype=bfloat16", "", {"precision": "bf16"}, ""),
    ("--training.dtype=bfloat16 --training.mixed_precision_param=float32", "",
     {"precision": "bf16"}, "gathered in float32"),
    ("--training.dtype=bfloat16 --parallelism.data_parallel_replicate_degree=8", "",
     {"precision": "bf16_autocast"}, ""),
]  # fmt: skip
ROWS = [
    (start, *row)
    for start, rows in (
        (AXOLOTL, AXOLOTLS), (FACTORY, FACTORIES), (TRL, TRLS), (TRAINER, TRAINERS),
        (LAUNCH, LAUNCHES), (TITAN, TITANS),
    )
    for row in rows
]  # fmt: skip


def value(plan: Plan, name: str) -> Any:
    return reduce(getattr, name.split("."), plan)


def told(read: Imported) -> str:
    return "\n".join((*read.no_place, *read.notes))


@pytest.mark.parametrize(
    ("start", "more", "cards", "means", "says"), ROWS, ids=[row[1][:50] for row in ROWS]
)
def test_a_key_means_this(
    start: str, more: str, cards: str, means: dict[str, Any], says: str
) -> None:
    base = Plan().with_values({"sharding.cards_per_node": int(cards or 1)})
    names = {line.partition(":")[0] for line in more.splitlines()}
    kept = [line for line in start.splitlines() if line.partition(":")[0] not in names]
    text = start + more if start is TITAN else "\n".join((*kept, more))
    read = parse_trainer(text, base)
    assert {name: value(read.plan, name) for name in means} == means
    assert says in told(read)


def deepspeed(**values: Any) -> str:
    return json.dumps({"train_micro_batch_size_per_gpu": 1, "zero_optimization": {}, **values})


@pytest.mark.parametrize(
    ("values", "means", "says"),
    [
        ({"train_micro_batch_size_per_gpu": None, "train_batch_size": 64,
          "gradient_accumulation_steps": 2},
         {"training.batch_size": 4, "training.gradient_accumulation_steps": 2}, ""),
        ({"train_batch_size": 64}, {"training.gradient_accumulation_steps": 8}, ""),
        ({"optimizer": "auto"}, {}, "optimizer is auto in the DeepSpeed configuration"),
        ({"zero_optimization": "auto", "bf16": "auto", "fp16": {"enabled": True}},
         {"precision": "bf16"}, "bf16 is auto in the DeepSpeed configuration; left as it is."),
        ({"optimizer": {"type": "Mine", "params": {"lr": 1}}}, {}, "DeepSpeed's optimizer Mine"),
        ({"optimizer": {"type": "Adam", "params": {"lr": "auto", "adam_w_mode": False}}},
         {"optimizer.name": "adam", "optimizer.implementation": "fused"}, ""),
        ({"optimizer": {"type": "Adam", "params": {"weight_decay": 0.5}},
          "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}},
         {"optimizer.weight_decay": 0.5, "sharding.offload_optimizer": "host"}, ""),
    ],
)  # fmt: skip
def test_deepspeeds_keys_mean_this(
    values: dict[str, Any], means: dict[str, Any], says: str
) -> None:
    base = Plan().with_values({"sharding.cards_per_node": 8})
    read = parse_trainer(deepspeed(**values), base)
    assert {name: value(read.plan, name) for name in means} == means
    assert says in told(read)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LAUNCH.replace("1", "2") + "num_processes: 3\n", "takes a multiple of 2 machines"),
        (deepspeed(zero_optimization={"stage": 2, "offload_param": {"device": "moon"}}),
         "takes none, cpu or nvme"),
        (TRL.replace("false", "true") + "lora_target_modules: [1]\n", "takes a list of words"),
        (FACTORY + "fsdp_config: 3\nfsdp: full_shard\n", "takes keys and values"),
    ],
)  # fmt: skip
def test_what_a_key_cannot_be_is_told(text: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=sentence):
        parse_trainer(text, Plan().with_values({"sharding.cards_per_node": 8}))


def test_what_is_said_of_a_file_is_text() -> None:
    read = parse_trainer(FACTORY + '"a\\e[2J": 1\n')
    assert read.no_place[-1].startswith("a [2J: 1 has no place")


def test_a_file_beside_it_that_is_no_text_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    (tmp_path / "zero.json").write_bytes(b"\xff\xfe")
    path = tmp_path / "train.yaml"
    path.write_text(TRAINER + "deepspeed: zero.json\n")
    assert "zero.json does not lie beside the file" in read_trainer(path).no_place[0]


def test_a_launchers_file_takes_deepspeeds_from_beside_it(tmp_path: Path) -> None:
    (tmp_path / "zero.json").write_text(deepspeed(zero_optimization={"stage": 3}))
    path = tmp_path / "launch.yaml"
    path.write_text(
        LAUNCH + "distributed_type: DEEPSPEED\nnum_processes: 4\n"
        "deepspeed_config: {deepspeed_config_file: zero.json}\n"
    )
    assert read_trainer(path).plan.sharding.data == "zero_3"
