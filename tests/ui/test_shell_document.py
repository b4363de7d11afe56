"""The document: plan edits are commands, and what is open is told."""

from __future__ import annotations

from pathlib import Path
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import PlanError
from memplanner.messages.estimate import ModelInfo
from memplanner.plan import Plan
from memplanner_ui.document import NEW_PLAN, Document

MODEL = ModelInfo(
    name="tiny",
    class_name="Tiny",
    source="preset:tiny",
    kind="preset",
    parameters=10,
    trainable_parameters=10,
    buffers=0,
    weights="random",
)


@pytest.fixture
def document(qapp: object) -> Document:
    document = Document()
    document.open_model("preset:tiny", MODEL, Plan())
    return document


def test_an_edit_is_undone_and_redone(document: Document) -> None:
    told: list[int] = []
    document.plan_changed.connect(lambda plan: told.append(plan.training.batch_size))
    document.set_value("training.batch_size", 4)
    assert document.dirty
    document.history.undo()
    assert document.plan == Plan()
    assert not document.dirty
    document.history.redo()
    assert told == [4, 1, 4]


def test_the_moves_of_one_gesture_are_one_command(document: Document) -> None:
    for value in (2, 3, 4):
        document.set_value("training.batch_size", value, merge=True)
    document.end_gesture()
    for value in (5, 6):
        document.set_value("training.batch_size", value, merge=True)
    assert document.history.count() == 2
    document.history.undo()
    assert document.plan.training.batch_size == 4
    document.history.undo()
    assert document.plan.training.batch_size == 1


def test_moves_of_different_keys_do_not_merge(document: Document) -> None:
    document.set_value("training.batch_size", 2, merge=True)
    document.set_value("training.sequence_length", 64, merge=True)
    assert document.history.count() == 2


def test_a_gesture_that_returns_to_its_start_leaves_no_command(document: Document) -> None:
    for value in (2, 3, 1):
        document.set_value("training.batch_size", value, merge=True)
    assert document.history.count() == 0
    assert document.plan == Plan()


def test_a_command_says_what_it_changes(document: Document) -> None:
    document.set_value("optimizer.name", "sgd")
    assert document.history.undoText() == "name sgd"


def test_a_wrong_value_changes_nothing(document: Document) -> None:
    with pytest.raises(PlanError, match="batch_size"):
        document.set_value("training.batch_size", 0)
    assert document.plan == Plan()
    assert document.history.count() == 0


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 5), st.booleans())))
def test_undoing_everything_gives_the_first_plan(edits: list[tuple[str, int, bool]]) -> None:
    document = Document()
    first = Plan().with_values({"training.batch_size": 2})
    document.open_model("preset:tiny", MODEL, first)
    keys = {
        "a": "training.batch_size",
        "b": "training.sequence_length",
        "c": "training.gradient_accumulation_steps",
    }
    for key, value, merge in edits:
        document.set_value(keys[key], value, merge=merge)
    last = document.plan
    while document.history.canUndo():
        document.history.undo()
    assert document.plan == first
    while document.history.canRedo():
        document.history.redo()
    assert document.plan == last


def test_an_edited_document_goes_with_its_last_holder(qapp: object) -> None:
    document = Document()
    document.open_model("preset:tiny", MODEL, Plan())
    document.set_value("training.batch_size", 4)
    document.history.undo()
    gone = ref(document)
    del document
    assert gone() is None, "garbage collection would have to take it apart"


def test_a_section_is_reset_to_the_plan_the_model_came_with(qapp: object) -> None:
    document = Document()
    first = Plan().with_values({"training.sequence_length": 512})
    document.open_model("preset:tiny", MODEL, first)
    document.set_value("training.sequence_length", 64)
    document.set_value("precision", "fp32")
    document.reset_section("training")
    assert document.plan.training.sequence_length == 512
    assert document.plan.precision == "fp32"


def test_a_saved_plan_opens_again(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "large batch.yaml"
    document.set_value("training.batch_size", 32)
    saved = document.plan
    document.save_plan(path)
    assert not document.dirty
    assert document.plan_name == "large batch"
    document.set_value("training.batch_size", 1)
    document.open_plan(path)
    assert document.plan == saved
    assert not document.dirty


def test_a_file_that_is_no_plan_changes_nothing(document: Document, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("training: {batch_size: many}\n")
    with pytest.raises(PlanError, match=r"wrong\.yaml"):
        document.open_plan(path)
    assert document.plan == Plan()
    assert document.plan_name == NEW_PLAN


def test_closing_forgets_the_model_and_its_history(document: Document) -> None:
    document.set_value("training.batch_size", 2)
    document.close_model()
    assert document.model is None
    assert not document.history.canUndo()
    assert document.plan == Plan()
