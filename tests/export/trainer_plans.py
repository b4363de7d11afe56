"""Plans that trainers' files carry whole, each saying something of one kind."""

from __future__ import annotations

from memplanner.plan import Plan

TRAINERS = ("hugging_face", "trl", "axolotl", "llama_factory", "torchtitan")
LOOP: dict[str, object] = {"training.outputs": "until_loss", "training.sequence_length": 4096}
TILES: dict[str, object] = {"loss.method": "recomputed", "loss.chunks": 4}
LORA: dict[str, object] = {
    "adapters.method": "lora", "adapters.rank": 8, "adapters.alpha": 32.0,
    "adapters.dropout": 0.1, "adapters.target_modules": "q_proj, v_proj",
}  # fmt: skip
NF4: dict[str, object] = {
    "quantization.method": "nf4", "quantization.double_quantization": False,
    "precision": "bf16_autocast",
}  # fmt: skip
EIGHT: dict[str, object] = {"sharding.cards_per_node": 8}
SHARED: dict[str, object] = {
    **EIGHT, "sharding.data": "zero_3", "training.gradient_accumulation_steps": 4,
    "activation_checkpointing.policy": "full",
}  # fmt: skip
DEEPSPEED: dict[str, object] = {
    **EIGHT, "sharding.engine": "deepspeed", "sharding.data": "zero_2",
    "sharding.reduce_bucket_size": 1_000_000, "sharding.offload_optimizer": "host",
    "precision": "bf16_mixed", "optimizer.implementation": "fused", "training.batch_size": 2,
}  # fmt: skip
QLORA_SHARED: dict[str, object] = {
    **DEEPSPEED, **LORA, **NF4, "sharding.data": "zero_3", "precision": "bf16_mixed",
}  # fmt: skip
WAYS: dict[str, dict[str, object]] = {
    "batch": {"training.batch_size": 4, "training.gradient_accumulation_steps": 8,
              "optimizer.learning_rate": 2e-4, "optimizer.weight_decay": 0.0},
    "fused": {"optimizer.implementation": "fused", "precision": "fp32"},
    "8 bits": {"optimizer.implementation": "bitsandbytes_8bit"},
    "paged": {"optimizer.implementation": "bitsandbytes_paged_8bit"},
    "torchao": {"optimizer.implementation": "torchao_4bit"},
    "momentum": {"optimizer.name": "sgd", "optimizer.momentum": 0.9},
    "adafactor": {"optimizer.name": "adafactor"},
    "galore": {"optimizer.projection": "galore", "optimizer.implementation": "for_loop",
               "optimizer.rank": 64, "optimizer.update": "in_backward"},
    "full": {"activation_checkpointing.policy": "full"},
    "eager": {"attention.kernel": "eager"},
    "flash": {"attention.kernel": "flash"},
    "lora": {**LORA, "precision": "bf16_autocast"},
    "qlora": {**LORA, **NF4},
    "host": {**LORA, "activation_offload.to": "host", "precision": "bf16_autocast"},
    "DDP": {**EIGHT, "sharding.bucket_mib": 50},
    "shared": SHARED,
    "shared, last": {**SHARED, "sharding.reduction": "last_micro_batch", "sharding.nodes": 2},
    "shared, host": {**SHARED, "sharding.reduction": "last_micro_batch",
                     "offload.parameters": "host", "offload.optimizer": "host"},
    "shared, host, unpinned": {**EIGHT, "sharding.data": "zero_2", "offload.parameters": "host",
                               "offload.optimizer": "host", "offload.pin_memory": False},
    "zero_2": {**EIGHT, "sharding.data": "zero_2"},
    "DeepSpeed": DEEPSPEED,
    "DeepSpeed, qlora": QLORA_SHARED,
    "selective": {"activation_checkpointing.policy": "selective",
                  "activation_checkpointing.operations": "attention, mm"},
    "hybrid": {**EIGHT, "sharding.nodes": 2, "sharding.data": "zero_3", "sharding.replicas": 2,
               "sharding.tensor": 2},
}  # fmt: skip
"""Plans that say something of one kind."""
TITAN: dict[str, dict[str, object]] = {
    "one card": {"precision": "bf16_mixed"},
    "bf16": {"precision": "bf16", "optimizer.implementation": "for_loop"},
    "autocast": {"precision": "bf16_autocast", "loss.chunks": 4},
    "DDP": {**EIGHT, "training.gradient_accumulation_steps": 2},
    "hybrid": {**EIGHT, "sharding.nodes": 4, "sharding.data": "zero_2", "sharding.replicas": 2,
               "sharding.tensor": 4, "sharding.sequence_parallel": True,
               "sharding.loss_parallel": True, "precision": "bf16"},
    "pipeline": {**EIGHT, "sharding.data": "zero_3", "sharding.pipeline": 4,
                 "sharding.schedule": "gpipe", "training.gradient_accumulation_steps": 8,
                 "training.batch_size": 2, "precision": "bf16_mixed",
                 "sharding.stage_blocks": "8, 9, 8, 7"},
    "stages": {**EIGHT, "sharding.data": "zero_3", "sharding.pipeline": 2,
               "sharding.schedule": "interleaved_1f1b", "sharding.stages_per_card": 3,
               "training.gradient_accumulation_steps": 4,
               "sharding.stage_blocks": "4, 6, 6, 6, 5, 5"},
    "host": {**EIGHT, "sharding.data": "zero_3", "offload.parameters": "host",
             "offload.optimizer": "host"},
    "ring": {**EIGHT, "sharding.data": "zero_3", "sharding.context": 4},
    "compiled": {"compilation.mode": "blocks", "compilation.memory_budget": 0.25},
    "selective": {"activation_checkpointing.policy": "selective",
                  "activation_checkpointing.operations": "attention, every_second_mm"},
}  # fmt: skip
SAID = {
    "hugging_face": ("batch", "fused", "8 bits", "paged", "torchao", "momentum", "adafactor",
                     "galore", "full", "DDP", "shared", "shared, last", "shared, host", "zero_2",
                     "DeepSpeed"),
    "trl": ("batch", "fused", "8 bits", "paged", "torchao", "momentum", "adafactor", "galore",
            "full", "eager", "flash", "lora", "qlora", "host", "DDP", "shared", "shared, last",
            "shared, host", "zero_2", "DeepSpeed", "DeepSpeed, qlora"),
    "axolotl": ("batch", "8 bits", "paged", "torchao", "momentum", "adafactor", "galore", "full",
                "eager", "flash", "lora", "qlora", "host", "DDP", "zero_2", "shared, last",
                "shared, host", "shared, host, unpinned", "selective", "hybrid"),
    "llama_factory": ("batch", "8 bits", "paged", "torchao", "momentum", "adafactor", "galore",
                      "full", "eager", "flash", "lora", "qlora", "DDP", "shared", "shared, last",
                      "shared, host", "zero_2", "DeepSpeed"),
}  # fmt: skip
"""Of the plans, those that a trainer's file carries whole."""


def planned(trainer: str, way: str) -> Plan:
    """A plan that the trainer's own loop runs."""
    if trainer == "torchtitan":
        own: dict[str, object] = {
            "training.zero_grad": "before_forward", "loss.method": "chunked", "loss.chunks": 8,
            "optimizer.implementation": "fused", "precision": "bf16_mixed",
        }  # fmt: skip
        return Plan().with_values({**LOOP, **own, **TITAN[way]})
    values = {**LOOP, **WAYS[way]}
    if trainer == "trl":
        values |= TILES
        tokens = int(str(values.get("training.batch_size", 1))) * 4096
        values["loss.chunks"] = tokens // 1024
    if trainer == "axolotl":
        values.setdefault("precision", "bf16_autocast")
        if way in ("shared, last", "shared, host", "DeepSpeed"):
            values["precision"] = "bf16_autocast"
    return Plan().with_values(values)


CASES = [(trainer, way) for trainer, ways in SAID.items() for way in ways]
CASES += [("torchtitan", way) for way in TITAN]
"""Every trainer with what it says."""
