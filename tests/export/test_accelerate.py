from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from ruamel.yaml import YAML

from memplanner.export import export, render
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan


@pytest.mark.parametrize(
    ("precision", "mixed"),
    [
        ("fp32", "no"),
        ("bf16", "no"),
        ("bf16_mixed", "bf16"),
        ("bf16_autocast", "bf16"),
        ("fp16_mixed", "fp16"),
    ],
)
@pytest.mark.parametrize("device", ["cpu", "H100 80GB"])
def test_accelerates_own_loader_reads_it(
    tmp_path: Path, llama: Model, precision: str, mixed: str, device: str
) -> None:
    plan = Plan().with_values({"precision": precision})
    (path,) = export(llama, plan, "accelerate", tmp_path, device)
    config = load_config_from_file(path)
    assert config.mixed_precision == mixed
    assert config.distributed_type.value == "NO"
    assert config.use_cpu is (device == "cpu")

    parser = launch_command_parser()
    keys = set(YAML(typ="safe").load(Path(path)))
    known = {action.dest for action in parser._actions}
    # The two are no options of launch, and use_cpu is its --cpu.
    assert keys - known == {"compute_environment", "distributed_type", "use_cpu"}

    arguments = parser.parse_args(["--config_file", path, "train.py"])
    launched, _, _ = _validate_launch_command(arguments)
    assert (launched.mixed_precision, launched.num_processes) == (mixed, 1)
    assert not any((launched.multi_gpu, launched.use_fsdp, launched.use_deepspeed))


def test_a_local_card_is_named_by_its_index(llama: Model, card: Device) -> None:
    here = card.model_copy(update={"local": True, "index": 1})
    assert "gpu_ids: '1'\n" in render("accelerate", llama, Plan(), here).files[0].text
    assert "gpu_ids" not in render("accelerate", llama, Plan(), card).files[0].text


def test_what_it_cannot_say_stands_at_its_head(cnn: Model, card: Device) -> None:
    plan = Plan().with_values({"activation_checkpointing.policy": "full", "precision": "fp32"})
    rendering = render("accelerate", cnn, plan, card)
    keys = [sentence.partition("(")[2].partition("=")[0] for sentence in rendering.cannot_say]
    assert keys == [
        "training.batch_size",  # and no sequence, which this model does not take
        "optimizer.name",
        "activation_checkpointing.policy",
    ]
    head, _, body = rendering.files[0].text.partition("\n\n")
    assert all(line.startswith("# ") and len(line) <= 100 for line in head.splitlines())
    words = " ".join(line.lstrip("# ") for line in head.splitlines())
    assert all(sentence in words for sentence in rendering.cannot_say)
    assert "#" not in body


def test_pure_half_precision_is_not_mixed(llama: Model, card: Device) -> None:
    rendering = render("accelerate", llama, Plan(), card)
    assert any(s.startswith("Precision (precision=bf16): cast the") for s in rendering.cannot_say)
    assert "mixed_precision: 'no'" in rendering.files[0].text


CARDS = {"sharding.cards_per_node": 8, "training.sequence_length": 24}
SHARED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "DDP": ({"sharding.nodes": 2}, {"distributed_type": "MULTI_GPU", "num_processes": 16}),
    "ZeRO-1": ({"sharding.data": "zero_1"}, {"distributed_type": "DEEPSPEED", "zero_stage": 1}),
    "ZeRO-2": (
        {"sharding.data": "zero_2"},
        {"distributed_type": "FSDP", "fsdp_version": 2, "fsdp_reshard_after_forward": False},
    ),
    "hybrid": (
        {
            "sharding.data": "zero_3",
            "sharding.replicas": 2,
            "precision": "bf16_mixed",
            "activation_checkpointing.policy": "full",
        },
        {
            "mixed_precision": "bf16",
            "fsdp_reshard_after_forward": True,
            "fsdp_activation_checkpointing": True,
            "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
            "parallelism_config_dp_replicate_size": 2,
            "parallelism_config_dp_shard_size": 4,
        },
    ),
    "context": (
        {
            "sharding.data": "zero_3",
            "sharding.context": 2,
            "sharding.context_rotation": "all_to_all",
        },
        {
            "parallelism_config_cp_size": 2,
            "parallelism_config_cp_comm_strategy": "alltoall",
        },
    ),
}


@pytest.mark.parametrize("case", SHARED)
def test_cards_are_said_in_words_that_launch_knows(
    case: str, tmp_path: Path, llama: Model, card: Device
) -> None:
    changes, expected = SHARED[case]
    plan = Plan().with_values({**CARDS, **changes})
    (path,) = export(llama, plan, "accelerate", tmp_path, "H100 80GB")
    load_config_from_file(path)
    values = YAML(typ="safe").load(Path(path))
    nested = {
        key: value
        for name in ("fsdp_config", "deepspeed_config", "parallelism_config")
        for key, value in values.get(name, {}).items()
    }
    assert expected.items() <= {**values, **nested}.items()
    known = {action.dest for action in launch_command_parser()._actions}
    # it goes to DeepSpeed as it is (accelerate/utils/launch.py)
    assert nested.keys() - known <= {"gradient_accumulation_steps"}
    said = [text for text in render("accelerate", llama, plan, card).cannot_say if "Cards" in text]
    assert said == []


def test_what_accelerate_drops_on_the_cpu_is_said(llama: Model, cpu: Device) -> None:
    plan = Plan().with_values({**CARDS, "sharding.data": "zero_3"})
    rendering = render("accelerate", llama, plan, cpu)
    assert any("drops FSDP on the CPU" in sentence for sentence in rendering.cannot_say)
    assert "distributed_type: MULTI_CPU\n" in rendering.files[0].text


PRINT = """
from accelerate import Accelerator
accelerator = Accelerator()
print("launched", accelerator.mixed_precision, accelerator.device.type, accelerator.num_processes)
"""


@pytest.mark.slow
def test_accelerate_launches_with_it(tmp_path: Path, llama: Model) -> None:
    plan = Plan().with_values({"precision": "bf16_mixed"})
    (path,) = export(llama, plan, "accelerate", tmp_path)
    script = tmp_path / "show.py"
    script.write_text(PRINT)
    launch: list[Any] = ["-m", "accelerate.commands.launch", "--config_file", path, script]
    done = subprocess.run([sys.executable, *launch], capture_output=True, text=True, check=False)
    assert "launched bf16 cpu 1" in done.stdout, done.stderr
