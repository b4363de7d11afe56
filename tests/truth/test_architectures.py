"""Steps of many architectures against really measured ones, crossed with what a plan changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import memplanner as mp
from tests.truth.comparing import Row, check, compare
from tests.truth.picture_and_sound_models import PICTURES_AND_SOUND
from tests.truth.recipes import RECIPES
from tests.truth.text_models import TEXT

ALL = {**TEXT, **PICTURES_AND_SOUND}
SHAPE = {"batch_size": 2, "sequence_length": 40}
VARIATIONS: dict[str, dict[str, Any]] = {
    "bf16, sgd with momentum": {
        "precision": "bf16", "optimizer": {"name": "sgd", "momentum": 0.9},
    },
    "3 micro-batches, adam fused": {
        "training": {"gradient_accumulation_steps": 3},
        "optimizer": {"name": "adam", "implementation": "fused"},
    },
    "every second block recomputed": {
        "activation_checkpointing": {"policy": "every_n", "every": 2},
    },
    "batch 1, adafactor": {"training": {"batch_size": 1}, "optimizer": {"name": "adafactor"}},
    "24 tokens, rmsprop foreach": {
        "training": {"sequence_length": 24},
        "optimizer": {"name": "rmsprop", "implementation": "foreach"},
    },
}  # fmt: skip
# transformers' own code runs a loop that torch has a kernel for
pytestmark = pytest.mark.filterwarnings("ignore:.*falling back.*")


def _cases() -> list[Any]:
    """Each architecture in fp32, in mixed precision, and under one of the variations in turn."""
    cases: list[tuple[str, str, dict[str, Any]]] = []
    titles = list(VARIATIONS)
    for place, name in enumerate(ALL):
        # transformers' DeBERTa fills masks with fp32's least number, too low for bfloat16
        mixed = "fp32" if name == "deberta" else "bf16_mixed"
        title = titles[place % len(titles)]
        if "recomputed" in title and name not in TEXT:
            title = titles[0]  # blocks of stages are no list that is recomputed by number
        if name == "detr" and "bf16" in title:
            title = titles[1]  # torch has no distances of bfloat16 on the CPU
        cases += [
            (name, "fp32", {}),
            (
                name,
                f"{mixed}, foreach",
                {"precision": mixed, "optimizer": {"implementation": "foreach"}},
            ),
            (name, title, VARIATIONS[title]),
        ]
    return [pytest.param(*case, id=f"{case[0]}: {case[1]}") for case in cases]


@pytest.mark.parametrize(("name", "title", "changes"), _cases())
def test_a_step_is_what_is_measured(
    name: str, title: str, changes: dict[str, Any], tmp_path: Path, table: list[Row]
) -> None:
    small = ALL[name]
    model = mp.load(small.write(tmp_path))
    kernel = "eager" if small.attention == "eager" else "auto"
    plan = _plan({**changes, "attention": {"kernel": kernel}})
    training = plan.training
    batch = model.batch(training.batch_size, training.sequence_length, torch.device("cpu"))
    check(compare(model, small.build(), batch, plan, f"{name}: {title}"), table)


@pytest.mark.parametrize("precision", ["fp32", "bf16_mixed"])
@pytest.mark.parametrize("name", RECIPES)
def test_plain_torch(name: str, precision: str, tmp_path: Path, table: list[Row]) -> None:
    source = tmp_path / "recipe.py"
    source.write_text(RECIPES[name])
    model = mp.load(source)
    plan = _plan({"precision": precision})
    module = model.build(torch.device("cpu"))
    batch = model.batch(2, 40, torch.device("cpu"))
    try:
        row = compare(model, module, batch, plan, f"{name}: {precision}")
    except RuntimeError as error:  # oneDNN has no LSTM in bf16 without AVX-512
        if "could not create a primitive" not in str(error):
            raise
        pytest.skip("not on this CPU")
    check(row, table)


def _plan(changes: dict[str, Any]) -> mp.Plan:
    training = {**SHAPE, **changes.get("training", {})}
    return mp.Plan.model_validate({"precision": "fp32", **changes, "training": training})
