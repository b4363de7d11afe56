"""What each technique says of quality, and what a plan says of all of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from memplanner.messages.cost import RISKS
from memplanner.plan import Plan
from memplanner.plan.plan import keys
from memplanner.techniques.prepare import techniques
from memplanner.techniques.quality import quality_of

FP32 = {"precision": "fp32"}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"training.gradient_accumulation_steps": 8},
        {"activation_checkpointing.policy": "full"},
        {"activation_offload.to": "host"},
        {"offload.optimizer": "host"},
        {"loss.method": "chunked"},
        {"attention.kernel": "math"},
        {"optimizer.update": "in_backward"},
        {"optimizer.implementation": "fused"},
        {"compilation.mode": "blocks"},
        {"sharding.cards_per_node": 8, "sharding.data": "zero_3"},
    ],
)
def test_what_computes_the_same_gradients_has_no_risk(values: dict[str, Any]) -> None:
    quality = quality_of(Plan().with_values({**FP32, **values}))
    assert quality.risk == "same_result"
    assert quality.reasons == ()


def test_the_type_that_a_model_is_used_in_updates_nothing() -> None:
    for precision in ("bf16", "fp16"):
        plan = Plan().with_values({"precision": precision, "inference.use": "generation"})
        assert quality_of(plan).risk == "same_result"


@pytest.mark.parametrize(
    ("values", "section", "risk"),
    [
        ({"precision": "bf16_mixed"}, "precision", "small_change"),
        ({"precision": "bf16"}, "precision", "small_change"),
        ({"precision": "fp16"}, "precision", "check_quality"),
        ({"optimizer.implementation": "bitsandbytes_8bit"}, "optimizer", "small_change"),
        ({"optimizer.implementation": "torchao_4bit"}, "optimizer", "small_change"),
        ({"optimizer.name": "adafactor"}, "optimizer", "small_change"),
        ({"optimizer.projection": "galore"}, "optimizer", "check_quality"),
        ({"quantization.method": "fp8"}, "quantization", "small_change"),
        ({"quantization.method": "nf4"}, "quantization", "check_quality"),
        ({"adapters.method": "lora"}, "adapters", "check_quality"),
        ({"pruning.structure": "n_m"}, "pruning", "check_quality"),
        ({"distillation.student": "smaller"}, "distillation", "check_quality"),
    ],
)
def test_what_changes_what_is_learned_says_how_much(
    values: dict[str, Any], section: str, risk: str
) -> None:
    quality = quality_of(Plan().with_values({**FP32, **values}))
    assert quality.risk == risk
    (reason,) = quality.reasons
    assert (reason.section, reason.risk) == (section, risk)


def test_the_greatest_risk_is_the_plans() -> None:
    plan = Plan().with_values(
        {"precision": "bf16_mixed", "adapters.method": "lora", "quantization.method": "nf4"}
    )
    quality = quality_of(plan)
    assert quality.risk == "check_quality"
    assert {reason.section for reason in quality.reasons} == {
        "precision", "adapters", "quantization"
    }  # fmt: skip


def test_of_a_model_in_use_only_its_weights_and_cache_count() -> None:
    use = {**FP32, "inference.use": "generation"}
    learned = {"optimizer.name": "sgd", "adapters.method": "lora"}
    assert "optimizer" not in {
        reason.section for reason in quality_of(Plan().with_values({**use, **learned})).reasons
    }
    packed = quality_of(Plan().with_values({**use, "inference.cache": "quantized"}))
    assert packed.risk == "check_quality"


def test_every_choice_of_a_method_that_loses_something_is_told() -> None:
    """A new value of these keys has to be classed, too."""
    for key, harmless in (("quantization.method", {"none"}), ("adapters.method", {"none"})):
        section, name = key.split(".")
        field = type(getattr(Plan(), section)).model_fields[name]
        values = set(re.findall(r"'(\w+)'", str(field.annotation))) - harmless
        assert key in keys()
        assert values
        for value in values:
            found = quality_of(Plan().with_values({**FP32, key: value}))
            assert found.risk != RISKS[0], f"{key}={value}"


def test_every_reason_is_a_sentence() -> None:
    told = [
        reason
        for name in ("bf16", "bf16_mixed", "bf16_autocast", "fp16")
        for technique in techniques()
        for reason in technique.quality(Plan().with_values({"precision": name}))
    ]
    assert len(told) >= 4
    assert all(reason.sentence.endswith(".") for reason in told)
