from __future__ import annotations

import pytest

from memplanner.errors import PlanError
from memplanner.plan import Plan


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], "p: a plan must be a mapping of keys to values, not a list."),
        ({"training": None}, "p: training must be a mapping of keys to values, not empty."),
        (
            {"training": {"batchsize": 1}},
            "p: “training.batchsize” is not a key of a plan; did you mean training.batch_size?",
        ),
        (
            {"batch_size": 1},
            "p: “batch_size” is not a key of a plan; did you mean training.batch_size?",
        ),
        (
            {"zzz": 1},
            "p: “zzz” is not a key of a plan; use one of "
            + ", ".join(field.alias or name for name, field in Plan.model_fields.items())
            + ".",
        ),
        (
            {"precision": "fp7"},
            "p: precision cannot be “fp7”; choose fp32, bf16, fp16, bf16_mixed, bf16_autocast or "
            "fp16_mixed.",
        ),
        (
            {"precision": "bf16-mixed"},
            "p: precision cannot be “bf16-mixed”; "
            "choose bf16_mixed, fp32, bf16, fp16, bf16_autocast or fp16_mixed.",
        ),
        (
            {"training": {"batch_size": "big"}},
            "p: training.batch_size is “big”, but must be a whole number from 1 to 1048576.",
        ),
        (
            {"training": {"batch_size": True}},
            "p: training.batch_size is true, but must be a whole number from 1 to 1048576.",
        ),
        (
            {"training": {"batch_size": 1.5}},
            "p: training.batch_size is 1.5, but must be a whole number from 1 to 1048576.",
        ),
        (
            {"optimizer": {"learning_rate": 0}},
            "p: optimizer.learning_rate is 0, but must be a number above 0 and at most 10.",
        ),
        (
            {"optimizer": {"momentum": 1}},
            "p: optimizer.momentum is 1, but must be a number of at least 0 and below 1.",
        ),
        (
            {"optimizer": {"name": "rmsprop", "implementation": "fused"}},
            "p: optimizer: torch has no fused rmsprop; "
            "choose foreach, or one of adagrad, adam, adamw, sgd.",
        ),
        (
            {"adapters": {"target_modules": 3}},
            "p: adapters.target_modules is 3, but must be a list of names, such as q_proj, v_proj.",
        ),
        (
            {"schema": 99},
            "p: it was written by a newer memplanner (schema 99, this one reads 1); "
            "update memplanner.",
        ),
        ({"schema": "x"}, "p: schema is “x”, but must be a number such as 1."),
    ],
)
def test_a_problem_is_one_sentence_with_the_key_and_the_fix(values: object, sentence: str) -> None:
    with pytest.raises(PlanError) as caught:
        Plan.parse(values, origin="p")
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("key", "ends"),
    [
        ("batch_size", "did you mean training.batch_size?"),
        ("training.batch", "did you mean training.batch_size?"),
        ("optimiser.name", "did you mean optimizer.name?"),
        ("lora.rank", "did you mean optimizer.rank or adapters.rank?"),
        ("adapters.zzz", "use one of adapters.method, adapters.rank, adapters.alpha, "
         "adapters.dropout, adapters.target_modules."),
        ("training.batch_size.x", "did you mean training.batch_size?"),
    ],
)  # fmt: skip
def test_an_unknown_key_leads_to_the_known_one(key: str, ends: str) -> None:
    with pytest.raises(PlanError) as caught:
        Plan().with_values({key: "1"}, origin="--set")
    assert str(caught.value) == f"--set: “{key}” is not a key of a plan; {ends}"


def test_a_section_is_no_key() -> None:
    with pytest.raises(PlanError, match=r"“attention” is a section; .* attention\.kernel\.$"):
        Plan().with_values({"attention": "flash"})


def test_long_values_are_cut() -> None:
    with pytest.raises(PlanError) as caught:
        Plan.parse({"precision": "x" * 10_000})
    assert len(str(caught.value)) < 200
