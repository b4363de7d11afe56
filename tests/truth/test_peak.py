"""Predicted peaks against really measured training steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from tests.truth.comparing import Row, check, compare
from tests.truth.small_models import CNN, SMALL

IN_BACKWARD = {"update": "in_backward"}
CHUNKED = {"method": "chunked"}
RECOMPUTED = {"method": "recomputed"}


def _plan(batch_size: int, sequence_length: int, **sections: Any) -> mp.Plan:
    training = {"batch_size": batch_size, "sequence_length": sequence_length}
    training |= sections.pop("training", {})
    return mp.Plan.model_validate({"precision": "fp32", "training": training, **sections})


def _cases() -> list[Any]:
    cases: list[tuple[str, str, mp.Plan]] = []
    shapes = {
        "llama": (2, 128), "gpt2 eager": (2, 96), "gpt2 dropout": (2, 96), "bert": (4, 64),
        "vit": (4, 1), "gemma2": (2, 64), "t5": (2, 48), "resnet": (4, 1), "cnn": (8, 1),
    }  # fmt: skip
    # processors without products of bfloat16 take several times as long for them
    halves = {
        "llama": (2, 48), "gpt2 eager": (2, 48), "bert": (2, 48), "vit": (2, 1), "cnn": (8, 1),
    }  # fmt: skip
    for name in halves:
        for precision in ("fp32", "bf16", "bf16_mixed"):
            shape = shapes[name] if precision == "fp32" else halves[name]
            for implementation in ("for_loop", "foreach"):
                plan = _plan(
                    *shape, precision=precision, optimizer={"implementation": implementation}
                )
                cases.append((name, f"{precision}, adamw {implementation}", plan))
    cases += [
        (name, "fp32, adamw for_loop", _plan(*shapes[name]))
        for name in ("gpt2 dropout", "gemma2", "t5", "resnet")
    ]
    extra: dict[str, dict[str, Any]] = {
        "full checkpointing": {"activation_checkpointing": {"policy": "full"}},
        "full checkpointing, bf16": {
            "activation_checkpointing": {"policy": "full"}, "precision": "bf16",
        },
        "LoRA": {"adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]}},
        "LoRA, bf16": {
            "precision": "bf16",
            "adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]},
        },
        "LoRA, bf16 with autocast": {
            "precision": "bf16_autocast",
            "adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]},
        },
        "bf16 with autocast": {"precision": "bf16_autocast"},
        "LoRA, full checkpointing": {
            "activation_checkpointing": {"policy": "full"},
            "adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]},
        },
        "4 micro-batches": {"training": {"gradient_accumulation_steps": 4}},
        "batch 1": {"training": {"batch_size": 1}},
        "sgd": {"optimizer": {"name": "sgd"}},
        "sgd with momentum": {"optimizer": {"name": "sgd", "momentum": 0.9}},
        "adam fused": {"optimizer": {"name": "adam", "implementation": "fused"}},
        "adafactor": {"optimizer": {"name": "adafactor"}},
        "rmsprop foreach": {"optimizer": {"name": "rmsprop", "implementation": "foreach"}},
        "adagrad": {"optimizer": {"name": "adagrad"}},
        "updates in backward": {"optimizer": IN_BACKWARD},
        "updates in backward, full checkpointing": {
            "optimizer": IN_BACKWARD, "activation_checkpointing": {"policy": "full"},
        },
        "updates in backward, LoRA": {
            "optimizer": IN_BACKWARD,
            "adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]},
        },
        "updates in backward, bf16 mixed": {
            "optimizer": {**IN_BACKWARD, "implementation": "foreach"}, "precision": "bf16_mixed",
        },
        "loss in chunks": {"loss": CHUNKED},
        "loss in chunks, bf16": {"loss": CHUNKED, "precision": "bf16"},
        "loss in chunks, bf16 mixed": {"loss": CHUNKED, "precision": "bf16_mixed"},
        "loss in uneven chunks": {
            "loss": {"method": "chunked", "chunks": 7},
            "training": {"batch_size": 3, "sequence_length": 67},
        },
        "loss in chunks, LoRA, 2 micro-batches": {
            "loss": CHUNKED, "training": {"gradient_accumulation_steps": 2},
            "adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]},
        },
        "loss in chunks, full checkpointing, updates in backward": {
            "loss": CHUNKED, "activation_checkpointing": {"policy": "full"},
            "optimizer": IN_BACKWARD,
        },
        "loss computed twice": {"loss": RECOMPUTED},
        "loss computed twice, bf16 mixed": {"loss": RECOMPUTED, "precision": "bf16_mixed"},
        "loss computed twice, LoRA, 2 micro-batches": {
            "loss": RECOMPUTED, "training": {"gradient_accumulation_steps": 2},
            "adapters": {"method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]},
        },
        "loss computed twice, full checkpointing, updates in backward": {
            "loss": RECOMPUTED, "activation_checkpointing": {"policy": "full"},
            "optimizer": IN_BACKWARD, "precision": "bf16",
        },
        "updates in backward, few tokens": {
            "optimizer": IN_BACKWARD, "training": {"batch_size": 1, "sequence_length": 4},
        },
    }  # fmt: skip
    cases += [("llama", name, _plan(*shapes["llama"], **more)) for name, more in extra.items()]
    cases += [
        (name, title, _plan(*shapes[name], loss=section))
        for name in ("gpt2 eager", "gemma2")
        for title, section in (("loss in chunks", CHUNKED), ("loss computed twice", RECOMPUTED))
    ]
    cases += [
        (
            name,
            f"updates in backward, {optimizer}",
            _plan(*shapes[name], optimizer={**IN_BACKWARD, "name": optimizer}),
        )
        for name, optimizer in (
            ("gpt2 eager", "adafactor"),
            ("bert", "rmsprop"),
            ("vit", "adagrad"),
            ("cnn", "sgd"),
            ("t5", "adam"),
            ("gemma2", "adafactor"),
        )
    ]
    return [pytest.param(*case, id=f"{case[0]}: {case[1]}") for case in cases]


@pytest.mark.parametrize(("name", "title", "plan"), _cases())
def test_peak_is_what_a_real_step_takes(
    name: str, title: str, plan: mp.Plan, tmp_path: Path, table: list[Row]
) -> None:
    if name == "cnn":
        source = tmp_path / "classifier.py"
        source.write_text(CNN)
        model = mp.load(source)
        module = model.build(torch.device("cpu"))
    else:
        model = mp.load(SMALL[name].write(tmp_path))
        module = SMALL[name].build()
        plan = plan.with_values(
            {"attention.kernel": "eager" if SMALL[name].attention == "eager" else "auto"}
        )
    training = plan.training
    batch = model.batch(training.batch_size, training.sequence_length, torch.device("cpu"))
    check(compare(model, module, batch, plan, f"{name}: {title}"), table)
