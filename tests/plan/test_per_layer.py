"""Choices for single layers as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.per_layer import Override, compact, parse, value_of, with_values, written

LAYERS = ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj", "mlp.down_proj")
NAMES = [f"model.layers.{block}.{layer}" for block in range(12) for layer in LAYERS]
NAMES += ["lm_head", "experts.0", "experts.1", "visual.blocks.1.fc1"]
VALUES = st.sampled_from(["2", "4", "8", "16", "nf4"])


def test_the_last_that_matches_counts() -> None:
    overrides = parse(["down_proj=8", "model.layers.0.*=16", "0.mlp.down_proj = nf4"])
    assert overrides[2] == Override("0.mlp.down_proj", "nf4")
    assert value_of("model.layers.0.mlp.down_proj", overrides) == "nf4"
    assert value_of("model.layers.0.mlp.up_proj", overrides) == "16"
    assert value_of("model.layers.10.mlp.down_proj", overrides) == "8"
    assert value_of("model.layers.10.mlp.up_proj", overrides) is None


@given(st.lists(st.sampled_from(NAMES), unique=True), st.data())
def test_compact_texts_say_what_each_layer_has(names: list[str], data: st.DataObject) -> None:
    values = {name: data.draw(st.none() | VALUES) for name in names}
    overrides = parse(compact(values))
    assert {name: value_of(name, overrides) for name in names} == values
    assert parse(written(overrides)) == overrides
    assert len(overrides) <= len(names)


@given(st.lists(VALUES, min_size=12, max_size=12), st.data())
def test_a_change_leaves_the_others_as_they_were(values: list[str], data: st.DataObject) -> None:
    texts = compact(dict(zip(NAMES, values, strict=False)))
    before = parse(texts)
    changed = data.draw(st.dictionaries(st.sampled_from(NAMES), st.none() | VALUES))
    after = parse(with_values(texts, NAMES, changed))
    for name in NAMES:
        assert value_of(name, after) == changed.get(name, value_of(name, before))


def test_blocks_and_kinds_of_layers_take_one_text_each() -> None:
    values: dict[str, str | None] = {
        name: "8" if name.endswith("down_proj") else "4" for name in NAMES[:48]
    }
    values |= dict.fromkeys(NAMES[:4], "16")
    assert compact(values) == (
        "model.layers.*.self_attn.q_proj=4",
        "model.layers.*.self_attn.v_proj=4",
        "model.layers.*.mlp.up_proj=4",
        "model.layers.*.mlp.down_proj=8",
        "model.layers.0.*=16",
    )


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (
            ["down_proj"],
            "“down_proj” is not PATTERN=VALUE, such as mlp.down_proj=8; write it so.",
        ),
        (["=8"], "“=8” is not PATTERN=VALUE, such as mlp.down_proj=8; write it so."),
        (["a=9"], "“a=9” is no choice; choose 16, 2 to 8 bits or nf4."),
        (["a=NF4"], "“a=NF4” is no choice; choose 16, 2 to 8 bits or nf4."),
    ],
)
def test_what_is_no_choice_is_one_sentence(texts: list[str], sentence: str) -> None:
    with pytest.raises(PlanError) as error:
        Plan.parse({"quantization": {"per_layer": texts}}, origin="p")
    assert str(error.value) == f"p: quantization.per_layer: {sentence}"


def test_it_is_written_on_one_line_at_the_terminal() -> None:
    plan = Plan().with_values({"quantization.per_layer": "down_proj=8, model.layers.0.*=16"})
    assert plan.quantization.per_layer == ("down_proj=8", "model.layers.0.*=16")
    assert Plan.parse(plan.to_dict()) == plan
