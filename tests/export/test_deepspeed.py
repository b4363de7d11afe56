from __future__ import annotations

import json
from typing import Any

import pytest
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from memplanner.errors import ExportError
from memplanner.export import export, render
from memplanner.export.deepspeed import configuration
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan

ZERO_3: dict[str, object] = {
    "precision": "bf16_mixed",
    "training.batch_size": 2,
    "training.gradient_accumulation_steps": 4,
    "sharding.engine": "deepspeed",
    "sharding.data": "zero_3",
    "sharding.nodes": 2,
    "sharding.cards_per_node": 4,
}
PLANS: dict[str, dict[str, object]] = {
    "zero_3": ZERO_3,
    "zero_2": ZERO_3
    | {
        "sharding.data": "zero_2",
        "sharding.overlap_comm": "on",
        "sharding.offload_optimizer": "host",
        "sharding.reduce_bucket_size": 1_000_000,
        "sharding.allgather_bucket_size": 2_000_000,
    },
    "zero_1 fp16": ZERO_3 | {"sharding.data": "zero_1", "precision": "fp16_mixed"},
    "nvme": ZERO_3
    | {
        "sharding.offload_optimizer": "nvme",
        "sharding.offload_parameters": "nvme",
        "sharding.prefetch_bucket_size": 1,
        "sharding.param_persistence_threshold": 2,
        "sharding.max_live_parameters": 3,
        "sharding.max_reuse_distance": 4,
        "sharding.sub_group_size": 5,
    },
    "one card": {"precision": "fp32"},
}


def planned(name: str) -> Plan:
    return Plan().with_values(PLANS[name])


@pytest.mark.parametrize("name", PLANS)
def test_the_file_is_the_plans_configuration(name: str, llama: Model, card: Device) -> None:
    plan = planned(name)
    values = json.loads(render("deepspeed", llama, plan, card).files[0].text)

    assert values == configuration(plan)
    training = plan.training
    assert values["train_batch_size"] == (
        training.batch_size * training.gradient_accumulation_steps * plan.sharding.ranks
    )
    assert values["bf16"]["enabled"] == (plan.precision == "bf16_mixed")
    assert values["fp16"]["enabled"] == (plan.precision == "fp16_mixed")


@pytest.mark.parametrize("name", PLANS)
def test_deepspeed_reads_every_key(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    why = "deepspeed is not installed"
    config = pytest.importorskip("deepspeed.runtime.config", reason=why)
    zero = pytest.importorskip("deepspeed.runtime.zero.config", reason=why)
    plan, section = planned(name), planned(name).sharding
    values = configuration(plan)
    here = values | {"train_batch_size": values["train_batch_size"] // section.ranks}

    read = config.DeepSpeedConfig(here)

    assert read.train_micro_batch_size_per_gpu == plan.training.batch_size
    assert read.gradient_accumulation_steps == plan.training.gradient_accumulation_steps
    known = {
        alias
        for field, info in zero.DeepSpeedZeroConfig.model_fields.items()
        for alias in (field, info.alias)
    }
    assert values["zero_optimization"].keys() <= known
    assert int(read.zero_config.stage) == values["zero_optimization"]["stage"]
    if section.deepspeed:
        assert read.zero_config.reduce_bucket_size == section.reduce_bucket_size
        assert read.zero_config.overlap_comm == (
            section.data == "zero_3" if section.overlap_comm == "auto" else True
        )
        assert _device(read.zero_config.offload_optimizer) == section.offload_optimizer
        assert _device(read.zero_config.offload_param) == section.offload_parameters
    if section.data == "zero_3":
        for field in ("prefetch_bucket_size", "param_persistence_threshold", "max_live_parameters",
                      "max_reuse_distance", "sub_group_size"):  # fmt: skip
            assert getattr(read.zero_config, field) == getattr(section, field)


def _device(part: Any) -> str:
    if part is None:
        return "none"
    return {"cpu": "host", "nvme": "nvme"}[getattr(part.device, "value", part.device)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, {"torch_adam": True, "adam_w_mode": True}),
        ({"implementation": "for_loop"}, {"torch_adam": True, "foreach": False}),
        ({"implementation": "foreach", "name": "adam"}, {"foreach": True, "adam_w_mode": False}),
        ({"implementation": "fused"}, {"torch_adam": False}),
        ({"implementation": "fused", "name": "sgd", "momentum": 0.9}, {"fused": True}),
        ({"implementation": "foreach", "name": "adagrad"}, {"foreach": True}),
        ({"name": "lion"}, {}),
    ],
)
def test_the_optimizers_implementation_is_carried(
    changes: dict[str, object], said: dict[str, object]
) -> None:
    plan = planned("zero_3").with_values({f"optimizer.{k}": v for k, v in changes.items()})
    values = configuration(plan)["optimizer"]["params"]
    away = configuration(plan.with_values({"sharding.offload_optimizer": "host"}))

    assert {key: values.get(key) for key in said} == said
    assert ("foreach" in values) == ("foreach" in said)
    assert ("fused" in values) == ("fused" in said)
    assert values.get("momentum", 0.0) == plan.optimizer.momentum
    assert not {"foreach", "fused"} & away["optimizer"]["params"].keys()
    assert not away["optimizer"]["params"].get("torch_adam", False)


def test_settings_of_zero_3_are_not_offered_with_other_stages(llama: Model, card: Device) -> None:
    plan = planned("nvme")
    assert plan.sharding.takes_effect("sub_group_size")
    other = planned("zero_2").with_values({"sharding.sub_group_size": 5})
    assert not other.sharding.takes_effect("sub_group_size")
    assert "sub_group_size" not in render("deepspeed", llama, other, card).files[0].text


def test_what_it_cannot_say_is_told(llama: Model, card: Device) -> None:
    plan = planned("nvme").with_values({"activation_checkpointing.policy": "full"})
    told = " ".join(render("deepspeed", llama, plan, card).cannot_say)

    assert "training.sequence_length=" in told
    assert "activation_checkpointing.policy=full" in told
    assert "/local_nvme" in told
    assert "sharding." not in told
    assert "optimizer." not in told
    assert "precision" not in told


def test_torchs_buffers_are_not_passed_off_as_deepspeeds(llama: Model, card: Device) -> None:
    plan = planned("zero_3").with_values({"sharding.engine": "torch"})
    with pytest.raises(ExportError, match=r"choose sharding\.engine=deepspeed"):
        render("deepspeed", llama, plan, card)
    with pytest.raises(ExportError, match=r"choose sharding\.tensor=1"):
        render("deepspeed", llama, planned("zero_3").with_values({"sharding.tensor": 2}), card)


@pytest.mark.parametrize("name", ["zero_3", "zero_2", "nvme"])
def test_accelerate_launches_deepspeed(name: str, llama: Model, tmp_path: Any) -> None:
    (path,) = export(llama, planned(name), "accelerate", tmp_path, "H100 80GB")
    arguments = launch_command_parser().parse_args(["--config_file", path, "train.py"])
    launched, _, _ = _validate_launch_command(arguments)

    assert launched.use_deepspeed
    assert launched.zero_stage == int(name[-1]) if name != "nvme" else 3
    places = {"zero_3": ("none", "none"), "zero_2": ("cpu", "none"), "nvme": ("nvme", "nvme")}
    assert (launched.offload_optimizer_device, launched.offload_param_device) == places[name]
    assert int(launched.gradient_accumulation_steps) == 4


def test_accelerate_tells_of_buckets_that_are_not_deepspeeds_own(
    llama: Model, card: Device
) -> None:
    told = [" ".join(render("accelerate", llama, planned(name), card).cannot_say)
            for name in ("zero_3", "zero_2")]  # fmt: skip
    assert "sharding." not in told[0]
    assert "target deepspeed" in told[1]
