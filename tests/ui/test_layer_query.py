"""The language of the layers' filter: what terms find, and what is said of wrong ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from memplanner.messages.estimate import Layer
from memplanner.units import KIB, MIB
from memplanner_ui.views.layer_query import QueryError, parse_query
from memplanner_ui.views.layer_query_field import QueryField
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.layers import LayersView
from memplanner_ui.views.parts import Around
from tests.ui import sample

ROWS = (
    Layer(name="", type="Net", inputs_bytes=3 * MIB),
    Layer(name="embed", type="Embedding", parameters=9, parameters_bytes=8 * MIB, dtypes=("f",)),
    Layer(name="blocks", type="ModuleList"),
    Layer(
        name="blocks.0",
        type="Linear",
        parameters=5,
        trainable_parameters=5,
        parameters_bytes=200 * MIB,
        gradients_bytes=200 * MIB,
        dtypes=("bfloat16",),
    ),
    Layer(
        name="blocks.1",
        type="QuantizedLinear",
        parameters=5,
        parameters_bytes=50 * MIB,
        activations_bytes=MIB,
        dtypes=("float8_e4m3fn", "uint8"),
    ),
    Layer(name="head", type="Sequential"),
    Layer(name="head.mlp", type="Linear", parameters=5, parameters_bytes=KIB, dtypes=("float32",)),
)


def found(text: str, rows: tuple[Layer, ...] = ROWS, *, modules_only: bool = True) -> list[str]:
    """The names of the modules that ``text`` finds, in the model's order."""
    table = LayerTable(rows, "Net", (Around("CUDA context", "", 7),))
    matches = table.matches(parse_query(text))
    return [
        name or "(root)"
        for name, kind, match in zip(table.names, table.kinds, matches, strict=True)
        if match and (kind == "module" or not modules_only)
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("type:Linear", ["blocks.0", "blocks.1", "head.mlp"]),
        ("type=linear", ["blocks.0", "head.mlp"]),
        ("type:Linear size>100MiB", ["blocks.0"]),
        ("type:Linear size > 100 MiB", ["blocks.0"]),
        ("type:Linear -name:blocks", ["head.mlp"]),
        ("type:embedding,sequential", ["embed", "head"]),
        ("dtype:bf16", ["blocks.0"]),
        ("dtype:bfloat16", ["blocks.0"]),
        ("dtype:fp8", ["blocks.1"]),
        ("dtype=uint8", ["blocks.1"]),
        ("dtype:fp32,bf16", ["blocks.0", "head.mlp"]),
        ("trainable:yes", ["blocks.0"]),
        ("trainable:no", ["embed", "blocks.1", "head.mlp"]),
        ("-trainable:yes,no", ["(root)", "blocks", "head"]),
        ("activations>=1MiB", ["(root)", "blocks", "blocks.1"]),
        ("grad>1 size<401MiB", ["blocks.0"]),
        ("parameters<=1KiB type:linear", ["head.mlp"]),
        ("size=1KiB", ["head", "head.mlp"]),
        ("overhead>1MiB", ["(root)"]),
        ("MLP", ["head.mlp"]),
        ("blocks linear", ["blocks.0", "blocks.1"]),
        ("-linear -blocks", ["(root)", "embed", "head"]),
        ('name:"head"', ["head", "head.mlp"]),
        ("name=head", ["head"]),
        ("", ["(root)", "embed", "blocks", "blocks.0", "blocks.1", "head", "head.mlp"]),
    ],
)
def test_every_term_has_to_hold(text: str, names: list[str]) -> None:
    assert found(text) == names


def test_sizes_are_those_of_the_row_with_what_is_below_it() -> None:
    assert found("size>300MiB") == ["(root)", "blocks", "blocks.0"]
    assert found("size>400MiB") == ["(root)", "blocks"]


def test_rows_that_are_no_modules_are_found_by_their_words() -> None:
    names = found("context", modules_only=False)
    assert names == ["(root)"], "the row of the context belongs to the model"
    assert found("context") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("typ:Linear", "did you mean “type”?"),
        ("colour:red", "use name, type, dtype, trainable or size"),
        ("activation>1GiB", "did you mean “activations”?"),
        ("size>big", "“big” is not a size"),
        ("size>1GG", "“1GG” is not a size"),
        ("size>", "needs a size"),
        ("size:1GiB", "compare it"),
        ("type>3", "“type” is a word"),
        ("type:", "needs a word"),
        ("type: Linear", "needs a word right after it"),
        ("trainable:maybe", "trainable:yes or trainable:no"),
        ("-", "looks for nothing"),
        ('name:mlp "open', "quotation mark"),
    ],
)
def test_a_wrong_term_is_said_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(QueryError) as error:
        parse_query(text)
    words = str(error.value)
    assert said in words
    assert words[-1] in ".?"
    assert ". " not in words


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_is_told_why_not(text: str) -> None:
    try:
        query = parse_query(text)
    except QueryError:
        return
    assert bool(query) == bool(text.strip())


@given(st.sampled_from(["type:Linear", "mlp", "size>1MiB", "trainable:yes", "dtype:bf16"]))
def test_a_minus_finds_the_rest(text: str) -> None:
    table = LayerTable(ROWS, "Net")
    assert (table.matches(parse_query(text)) ^ table.matches(parse_query(f"-{text}"))).all()


@given(st.lists(st.sampled_from(["type:Linear", "blocks", "size>1MiB", "-dtype:bf16"]), min_size=2))
def test_the_order_of_terms_does_not_matter(terms: list[str]) -> None:
    assert found(" ".join(terms)) == found(" ".join(reversed(terms)))


# The field


def test_the_field_says_what_is_wrong_and_keeps_the_query_before(qtbot: QtBot) -> None:
    field = QueryField("Filter modules")
    qtbot.addWidget(field)
    qtbot.addWidget(field.error)
    seen: list[object] = []
    field.query_changed.connect(seen.append)
    with qtbot.waitSignal(field.query_changed):
        field.setText("type:Linear")
    field.setText("type:Linear typ:x")
    qtbot.waitUntil(field.error.isVisible)
    assert "did you mean “type”?" in field.error.text()
    assert field.accessibleDescription() == field.error.text()
    assert seen == [parse_query("type:Linear")]
    assert field.query == seen[0]
    field.setText("type:Linear type:x")
    qtbot.waitUntil(lambda: not field.error.isVisible())
    assert field.accessibleDescription() == ""
    assert field.query == parse_query("type:Linear type:x")


def test_the_layers_are_filtered_by_terms(qtbot: QtBot) -> None:
    view = LayersView()
    qtbot.addWidget(view)
    view.resize(900, 500)
    view.show()
    view.set_estimate(sample.estimate())
    view.filter_field.setText("type:Linear size>4GiB")
    view.filter_field.read()
    table = view.tree.layer_model.table
    assert table is not None
    shown = [table.names[int(node)] for node in table.in_order if not table.children(node).size]
    assert shown == ["lm_head"]
    assert not view.filter_field.error.isVisible()
    view.filter_field.setText("sze>4GiB")
    view.filter_field.read()
    qtbot.waitUntil(view.filter_field.error.isVisible)
    assert view.filter_field.error.geometry().top() >= view.filter_field.geometry().bottom()
