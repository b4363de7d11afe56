"""Tiny models, their tapes recorded whole, and what two tapes differ in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from memplanner.estimate.fold import unfold
from memplanner.estimate.recorder import Recorder
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.backends import CpuBackend
from memplanner.tape.record import record
from memplanner.tape.tape import Tape
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.prepare import prepare
from memplanner.techniques.step import Held, run_step
from memplanner.techniques.target import Target
from tests.model.small_models import small_model

META = torch.device("meta")
CPU, H100 = Target(), Target("cuda", (9, 0))

_TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "vocab_size": 31,
}
_GEMMA = {**_TEXT, "head_dim": 8, "sliding_window": 16}
_IMAGE = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
}
_THIRD_IS_GLOBAL = ["sliding_attention", "sliding_attention", "full_attention"]

_TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaForCausalLM", {**_TEXT, "num_hidden_layers": 6}),
    "long llama": ("LlamaForCausalLM", {**_TEXT, "num_hidden_layers": 10}),
    "mistral": ("MistralForCausalLM", {**_TEXT, "num_hidden_layers": 2, "sliding_window": 16}),
    "gemma2": ("Gemma2ForCausalLM", {**_GEMMA, "num_hidden_layers": 11}),
    "gemma3": (
        "Gemma3ForCausalLM",
        {**_GEMMA, "num_hidden_layers": 16, "layer_types": (_THIRD_IS_GLOBAL * 6)[:16]},
    ),
    "gpt2": (
        "GPT2LMHeadModel",
        {"n_embd": 16, "n_layer": 6, "n_head": 2, "vocab_size": 31, "n_positions": 64},
    ),
    "bert": ("BertForMaskedLM", {**_TEXT, "num_hidden_layers": 6}),
    "t5": (
        "T5ForConditionalGeneration",
        {
            "d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "vocab_size": 31,
            "num_layers": 6, "num_decoder_layers": 7, "decoder_start_token_id": 0,
        },
    ),
    "vit": ("ViTForImageClassification", {**_IMAGE, "num_hidden_layers": 6}),
    "swin": (
        "SwinForImageClassification",
        {
            "image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 10],
            "num_heads": [1, 2], "window_size": 2,
        },
    ),
    "mixtral": (
        "MixtralForCausalLM", {**_TEXT, "num_hidden_layers": 6, "num_local_experts": 2}
    ),
    "qwen2_moe": (
        "Qwen2MoeForCausalLM",
        {
            **_TEXT, "num_hidden_layers": 6, "num_experts": 2, "moe_intermediate_size": 8,
            "shared_expert_intermediate_size": 8, "num_experts_per_tok": 1,
        },
    ),
    "mamba2": (
        "Mamba2ForCausalLM",
        {
            "hidden_size": 16, "num_heads": 4, "head_dim": 8, "state_size": 4, "n_groups": 1,
            "num_hidden_layers": 1, "vocab_size": 31, "chunk_size": 16,
        },
    ),
}  # fmt: skip


@cache
def tiny(name: str, **changes: Any) -> Model:
    class_name, config = _TINY[name]
    return small_model(class_name, **{**config, **changes})


def recipe(folder: Path, source: str) -> Model:
    """The model of a recipe file with this text."""
    path = folder / "recipe.py"
    path.write_text(source)
    return load(path)


def planned(batch_size: int = 2, sequence_length: int = 12, **values: Any) -> Plan:
    """A plan; keyword arguments are keys with ``__`` for the dot."""
    changes = {key.replace("__", "."): value for key, value in values.items()}
    return Plan().with_values(
        {
            "precision": "fp32",
            "training.batch_size": batch_size,
            "training.sequence_length": sequence_length,
            **changes,
        }
    )


def record_whole(model: Model, plan: Plan, target: Target = CPU) -> Tape:
    """The tape with nothing cut away and nothing computed."""
    batch_size, sequence_length = Recorder(model).point(plan)
    exact = plan.with_values(
        {"training.batch_size": batch_size, "training.sequence_length": sequence_length}
    )
    return record(model, exact, target, model.build(META))


def real_peak_bytes(model: Model, plan: Plan) -> int:
    """The highest sum of storages in the second of two real steps on the CPU."""
    device = torch.device("cpu")
    prepared = prepare(model, plan, CPU, device)
    training = plan.training
    batches = [
        model.batch(training.batch_size, training.sequence_length, device)
        for _ in range(training.gradient_accumulation_steps)
    ][:1] * training.gradient_accumulation_steps
    held = Held()
    for _ in range(2):
        watch = StorageWatch(prepared.module)
        standing = [
            *prepared.module.parameters(),
            *prepared.module.buffers(),
            *(part for part in batches[0].values() if isinstance(part, torch.Tensor)),
            *(parameter.grad for parameter in prepared.module.parameters()),
            *(held.output.values() if held.output is not None else ()),
            held.loss,
            *(part for state in prepared.optimizer.state.values() for part in state.values()),
        ]
        watch.see_all((part, "standing", 0) for part in standing if isinstance(part, torch.Tensor))
        del standing
        with watch:  # keeping no loss either
            deque(run_step(prepared, batches, CpuBackend(plan), watch, held), maxlen=0)
    return watch.highest_bytes


@contextmanager
def recorded_whole() -> Iterator[None]:
    """Inside it no step is made of recordings that other plans share."""
    recording = import_module("memplanner.estimate.recording")  # its package's name is a function's
    with patch.object(recording, "divides", lambda plan: False):
        yield


def record_folded(model: Model, plan: Plan, target: Target = CPU) -> Tape | None:
    """The tape of the cut model unfolded, whatever a forward of the whole model would say."""
    records = Recorder(model)
    tape: Tape | None
    chosen = records._choose_cuts(plan, target)
    assert chosen, "nothing to fold"
    tape = records._recordings.record(plan, target, records.point(plan), chosen)
    for cut in chosen:
        tape = None if tape is None else unfold(tape, cut)
    return tape


def differences(one: Tape, other: Tape) -> list[str]:
    """In what two tapes differ, event by event; numbers of storages and modules do not count."""
    found = []
    storages = [np.abs(tape.events) - 1 for tape in (one, other)]
    pairs: dict[str, tuple[Any, Any]] = {
        "phases": (one.phases, other.phases),
        "modules": (
            sorted(zip(one.module_names, one.module_types, strict=True)),
            sorted(zip(other.module_names, other.module_types, strict=True)),
        ),
        "deltas": tuple(tape.deltas_bytes.tolist() for tape in (one, other)),
        "parameters": (int(one.numel.sum()), int(other.numel.sum())),
        "trained": tuple(int(tape.numel[tape.trainable].sum()) for tape in (one, other)),
    }
    for tape, own in zip((one, other), storages, strict=True):
        names = np.array(tape.module_names, dtype=object)
        for kind, values in (
            ("categories", tape.category[own]),
            ("owners", names[tape.module[own]]),
            ("modules at work", names[tape.context]),
            ("births and deaths", _partners(tape)),
        ):
            pairs[kind] = (*pairs.get(kind, ()), values.tolist())
    for kind, (left, right) in pairs.items():
        if left != right:
            found.append(kind)
    return found


def _partners(tape: Tape) -> np.ndarray:
    """For each event how far away the same storage's other event is; 0 without one."""
    place: dict[int, int] = {}
    partners = np.zeros(len(tape.events), dtype=np.int64)
    for index, event in enumerate(tape.events.tolist()):
        if event > 0:
            assert event not in place, "born twice"
            place[event] = index
        else:
            born = place.pop(-event)
            partners[index], partners[born] = born - index, index - born
    return partners
