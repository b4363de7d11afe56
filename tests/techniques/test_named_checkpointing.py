"""Modules that are recomputed by name: the same gradients, the planned peak, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.estimate.cutting import cuts
from memplanner.estimate.recorder import Recorder
from memplanner.plan import Plan
from memplanner.techniques.checkpointed_modules import named_modules
from memplanner.techniques.prepare import prepare
from tests.estimate.recordings import CPU, META, differences, planned, record_folded, tiny
from tests.truth.comparing import check, compare
from tests.truth.small_models import SMALL

REAL = torch.device("cpu")
LORA: dict[str, Any] = {"adapters__method": "lora", "adapters__target_modules": "q_proj,v_proj"}


def named(*patterns: str, **values: Any) -> Plan:
    return planned(
        2, 8, activation_checkpointing__policy="named",
        activation_checkpointing__modules=patterns, **values,
    )  # fmt: skip


def chosen(name: str, *patterns: str) -> list[str]:
    return named_modules(tiny(name).build(META), patterns)


def test_names_ends_and_patterns_choose_modules() -> None:
    assert chosen("llama", "model.layers.1") == ["model.layers.1"]
    assert chosen("llama", "model.layers.[0-1].mlp") == [f"model.layers.{n}.mlp" for n in (0, 1)]
    every = [name for name, _ in tiny("llama").build(META).named_modules() if name.endswith(".mlp")]
    assert chosen("llama", "mlp") == chosen("llama", "model.layers.*.mlp") == every


def test_what_lies_in_a_chosen_module_is_not_chosen_again() -> None:
    assert chosen("llama", "mlp", "model.layers.1")[1] == "model.layers.1"
    inside = [name.rpartition(".")[2] for name in chosen("llama", "model.layers.0.*")]
    assert inside == ["self_attn", "mlp", "input_layernorm", "post_attention_layernorm"]


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        ((), "needs names in activation_checkpointing.modules"),
        (
            ("model.layers.99",),
            "“model.layers.99”, which is no module of this model; choose model.",
        ),
        (("q_proj",), "is a linear layer, which keeps its input whether"),
        (("model.layers",), "is a list of modules, which has no forward; choose model.layers.*"),
    ],
)
def test_names_that_choose_nothing_are_refused(patterns: tuple[str, ...], words: str) -> None:
    with pytest.raises(PlanError, match=words.replace("*", r"\*")):
        mp.estimate(tiny("llama"), named(*patterns), "cpu")


def test_gradients_are_the_same() -> None:
    found = []
    for plan in (named("model.layers.1", "model.layers.*.mlp"), planned(2, 8)):
        torch.manual_seed(3)
        step = prepare(tiny("llama"), plan, CPU, REAL)
        torch.manual_seed(5)
        step.loss(step.module(**step.model.batch(2, 8, REAL))).backward()
        found.append({name: part.grad for name, part in step.module.named_parameters()})
    torch.testing.assert_close(found[0], found[1])


CASES: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
    ("llama", ("model.layers.1",), {}),
    ("llama", ("model.layers.0.mlp", "model.layers.2.mlp"), {"precision": "bf16"}),
    ("llama", ("model.layers.0.self_attn", "model.layers.3"), {"precision": "bf16_mixed"}),
    ("llama", ("model.norm", "model.layers.2"), {"adapters": {
        "method": "lora", "rank": 8, "target_modules": ["q_proj", "v_proj"]}}),
    ("gpt2 eager", ("transformer.h.1.mlp", "transformer.h.2"), {}),
    ("bert", ("bert.encoder.layer.0", "bert.embeddings"), {}),
    ("t5", ("decoder.block.1", "encoder.block.0"), {"optimizer": {"update": "in_backward"}}),
    ("vit", ("vit.embeddings",), {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "modules", "sections"), CASES)
def test_peak_is_what_a_real_step_takes(
    name: str,
    modules: tuple[str, ...],
    sections: dict[str, Any],
    tmp_path: Path,
) -> None:
    policy = {"policy": "named", "modules": modules}
    training = {"batch_size": 2, "sequence_length": 48}
    plan = mp.Plan.model_validate(
        {"precision": "fp32", "training": training, "activation_checkpointing": policy, **sections}
    )
    kernel = "eager" if SMALL[name].attention == "eager" else "auto"
    plan = plan.with_values({"attention.kernel": kernel})
    model = mp.load(SMALL[name].write(tmp_path))
    batch = model.batch(2, 48, REAL)
    title = f"{name}: recomputed {', '.join(modules)}"
    check(compare(model, SMALL[name].build(), batch, plan, title), [])


@pytest.mark.parametrize(
    ("patterns", "values", "folded"),
    [
        (("mlp",), {}, [(0, 10)]),
        (("model.layers.5",), {}, [(0, 5)]),
        (("model.layers.[0-4].mlp",), LORA, [(0, 5), (5, 5)]),
        (("model.layers.3", "model.layers.9.mlp"), {}, [(4, 5)]),
    ],
)
def test_runs_of_alike_blocks_fold_to_the_whole(
    patterns: tuple[str, ...], values: dict[str, Any], folded: list[tuple[int, int]]
) -> None:
    model, plan = tiny("long llama"), named(*patterns, **values)
    found = cuts(model.build(META), plan)
    assert [(cut.start, cut.periods) for cut in found] == folded
    records = Recorder(model)
    whole = records._recordings.record(plan, CPU, records.point(plan), ())
    if values:  # the first block's input needs no gradient: the fold begins after it
        tape = records.tape(plan, CPU)[0]
    else:
        tape = record_folded(model, plan)
        assert tape is not None
    assert differences(tape, whole) == []


@pytest.mark.parametrize("number", [0, 5, 9])
def test_bits_of_a_single_block_fold_to_the_whole(number: int) -> None:
    plan = planned(
        2, 8, quantization__method="nf4",
        quantization__per_layer=(f"model.layers.{number}.*=8", "down_proj=6"), **LORA,
    )  # fmt: skip
    records = Recorder(tiny("long llama"))
    tape, how = records.tape(plan, CPU)
    assert "folded to 4" in how
    assert differences(tape, records._recordings.record(plan, CPU, records.point(plan), ())) == []


def test_two_cuts_of_one_list_give_the_peaks_of_single_estimates() -> None:
    model, plan = tiny("long llama"), named("model.layers.[0-4]")
    records = Recorder(model)
    points = [(1, 8), (2, 8), (3, 16), (2, 24)]
    peaks = records.peaks_bytes(plan, CPU, points).tolist()
    for point, peak in zip(points, peaks, strict=True):
        whole = Recorder(model)._recordings.record(plan, CPU, point, ())
        assert peak == whole.without_scratch().curve_bytes.max()
