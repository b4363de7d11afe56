"""Predicted peaks of distillation against really measured steps on the CPU.

The real ones are made without our code: transformers' models of the teacher's and of a smaller
configuration, and a loss of torch's own functions. Only few bits are ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import memplanner as mp
from memplanner.messages.device import Device
from memplanner.techniques.distillation import FORMATS
from memplanner.techniques.low_bit.linear import quantize_layers
from tests.techniques.plain_distillation import Plain
from tests.truth.real_step import measure, planned
from tests.truth.small_models import SMALL

CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
SHAPES = {"llama": (2, 64), "gpt2 eager": (2, 48), "bert": (4, 32), "vit": (4, 1)}
HALF: dict[str, dict[str, int]] = {
    "llama": {"num_hidden_layers": 3},
    "gpt2 eager": {"n_layer": 3},
    "bert": {"num_hidden_layers": 3},
    "vit": {"num_hidden_layers": 3},
}
"""What the configuration of a student with half the blocks says."""
NARROW: dict[str, dict[str, int]] = {
    "llama": {"hidden_size": 64, "head_dim": 16},
    "gpt2 eager": {"n_embd": 64, "n_head": 2},
    "bert": {"hidden_size": 64, "num_attention_heads": 2},
    "vit": {"hidden_size": 64, "num_attention_heads": 2},
}
HIDDEN = {"block_ratio": 0.0, "hidden_ratio": 0.5}
ALL = {"mlp_ratio": 0.5, "head_ratio": 0.5}
ALL_OF_LLAMA = {
    "num_hidden_layers": 3, "intermediate_size": 176, "num_attention_heads": 4,
    "num_key_value_heads": 1, "head_dim": 16,
}  # fmt: skip
LORA = {"method": "lora", "rank": 4, "target_modules": ["q_proj", "v_proj"]}
FULL = {"policy": "full"}

CASES: list[tuple[str, dict[str, int], dict[str, Any], dict[str, Any]]] = [
    *((name, half, {}, {}) for name, half in HALF.items()),
    *((name, narrow, HIDDEN, {}) for name, narrow in NARROW.items()),
    ("llama", ALL_OF_LLAMA, ALL, {}),
    *(("llama", HALF["llama"], {}, {"precision": each}) for each in ("bf16", "bf16_mixed")),
    ("vit", HALF["vit"], {"teacher_precision": "bf16"}, {}),
    ("llama", HALF["llama"], {"temperature": 1.0, "label_weight": 0.0}, {}),
    ("bert", HALF["bert"], {"logits_weight": 0.0, "hidden_weight": 1.0}, {}),
    ("llama", HALF["llama"], {"hidden_weight": 1.0}, {"precision": "bf16"}),
    ("gpt2 eager", NARROW["gpt2 eager"], {**HIDDEN, "hidden_weight": 1.0}, {}),
    ("gpt2 eager", HALF["gpt2 eager"], {"attention_weight": 1.0}, {}),
    ("llama", HALF["llama"], {"top_k": 16}, {}),
    ("llama", HALF["llama"], {"top_k": 16}, {"precision": "bf16"}),
    ("llama", HALF["llama"], {"teacher_logits": "ahead"}, {}),
    ("llama", HALF["llama"], {"teacher_logits": "ahead", "top_k": 16}, {"precision": "bf16"}),
    ("vit", HALF["vit"], {"teacher_logits": "ahead"}, {}),
    ("llama", HALF["llama"], {}, {"activation_checkpointing": FULL}),
    ("llama", HALF["llama"], {"hidden_weight": 1.0}, {"activation_checkpointing": FULL}),
    ("llama", HALF["llama"], {}, {"training": {"gradient_accumulation_steps": 2}}),
    ("llama", HALF["llama"], {}, {"adapters": LORA}),
    ("llama", HALF["llama"], {"teacher_quantization": "linear_8"}, {}),
    ("llama", HALF["llama"], {"teacher_quantization": "nf4"}, {"precision": "bf16"}),
    ("llama", HALF["llama"], {"teacher_quantization": "nf4", "top_k": 16},
     {"precision": "bf16_mixed", "activation_checkpointing": FULL}),
]  # fmt: skip


def plan_of(name: str, section: dict[str, Any], others: dict[str, Any]) -> mp.Plan:
    batch_size, sequence_length = SHAPES[name]
    return mp.Plan.model_validate(
        {
            "precision": "fp32",
            "attention": {"kernel": SMALL[name].attention.replace("sdpa", "auto")},
            "distillation": {"student": "smaller", **section},
            **others,
            "training": {"batch_size": batch_size, "sequence_length": sequence_length}
            | others.get("training", {}),
        }
    )


def built(name: str, changes: dict[str, int]) -> Any:
    """transformers' own model of a changed configuration."""
    config = SMALL[name].config()
    config.update(changes)
    config._attn_implementation = SMALL[name].attention
    return getattr(transformers, SMALL[name].model_class)(config)


def plain(name: str, changes: dict[str, int], plan: mp.Plan) -> Plain:
    """The pair as a script makes it, but for the plan's precision."""
    section = plan.distillation
    teacher = built(name, {})
    if section.teacher_precision == "bf16" or plan.precision == "bf16":
        teacher = teacher.bfloat16()
    if section.teacher_quantization != "none":
        names = [
            path
            for path, layer in teacher.named_modules()
            if isinstance(layer, torch.nn.Linear) and path != "lm_head"
        ]
        mixed = plan.precision == "bf16_mixed"
        kept = FORMATS[section.teacher_quantization]
        quantize_layers(teacher, names, kept, compute_type=torch.bfloat16 if mixed else None)
    student = planned(built(name, changes), plan)
    return Plain(None if section.teacher_logits == "ahead" else teacher, student, section)


def ahead(plan: mp.Plan, batch: dict[str, Any], classes: int) -> dict[str, Any]:
    """What a batch with the teacher's logits holds beside its own."""
    section = plan.distillation
    if section.teacher_logits == "live":
        return {}
    shape = tuple(batch["labels"].shape)
    if not section.top_k:
        return {"teacher_logits": torch.randn(*shape, classes)}
    few = (*shape, section.top_k)
    return {
        "teacher_log_probabilities": torch.full(few, -4.0),
        "teacher_classes": torch.randint(0, classes, few),
    }


@pytest.mark.slow
@pytest.mark.parametrize(("name", "changes", "section", "others"), CASES, ids=str)
def test_a_step_takes_what_was_predicted(
    name: str,
    changes: dict[str, int],
    section: dict[str, Any],
    others: dict[str, Any],
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    plan = plan_of(name, section, others)
    model = mp.load(SMALL[name].write(tmp_path))
    peak = mp.estimate(model, plan, device=CPU).peak
    batch = model.batch(*SHAPES[name], torch.device("cpu"))
    config = SMALL[name].config()
    classes = config.num_labels if name in ("bert", "vit") else config.vocab_size
    batch |= ahead(plan, batch, classes)
    module = plain(name, changes, plan)
    if plan.precision == "bf16" and module.projection is not None:
        module.projection.bfloat16()
    usual = mp.Plan()  # the student has these already
    done: dict[str, Any] = {
        "adapters": usual.adapters,
        "activation_checkpointing": usual.activation_checkpointing,
    }
    if plan.distillation.teacher_quantization != "none" and plan.precision == "bf16":
        done["precision"] = "fp32"  # a cast would change the scales of its weights
    measured = measure(module, batch, plan.model_copy(update=done)).tensor_bytes
    assert peak.allocated_bytes - peak.by_category.workspaces == measured
