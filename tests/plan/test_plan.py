from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from pydantic import ValidationError

from memplanner.errors import PlanError
from memplanner.plan import Choices, Plan, Section, difference, keys, migrations
from memplanner.plan.pruning import Pruning
from memplanner.plan.quantization import Quantization
from tests.plan.plans import plans


def test_text_is_read_as_the_key_wants_it() -> None:
    plan = Plan().with_values(
        {
            "training.batch_size": "4",
            "optimizer.learning_rate": "3e-4",
            "adapters.target_modules": "q_proj, v_proj,",
            "precision": "fp32",
        }
    )
    assert plan.training.batch_size == 4
    assert plan.optimizer.learning_rate == 3e-4
    assert plan.adapters.target_modules == ("q_proj", "v_proj")
    assert plan.precision == "fp32"


def test_a_plan_shares_what_an_edit_leaves() -> None:
    before = Plan()
    after = before.with_values({"training.batch_size": 3, "precision": "fp32"})
    shared = {name for name, section in after.sections() if section is getattr(before, name)}
    assert shared == {name for name, _ in before.sections()} - {"training"}
    assert Plan.parse(after.to_dict()) == after


def test_a_plan_cannot_be_changed() -> None:
    plan = Plan()
    with pytest.raises(ValidationError, match="frozen"):
        plan.precision = "fp32"
    with pytest.raises(ValidationError, match="frozen"):
        plan.training.batch_size = 2


@given(plans(), plans())
def test_the_difference_turns_one_plan_into_the_other(before: Plan, after: Plan) -> None:
    changes = difference(before, after)
    assert before.with_values({change.key: change.after for change in changes}) == after
    assert bool(changes) == (before != after)


def test_the_difference_names_both_values_in_the_order_of_the_plan() -> None:
    after = Plan().with_values({"adapters.rank": 4, "training.batch_size": 2})
    assert [tuple(change) for change in difference(Plan(), after)] == [
        ("training.batch_size", 1, 2),
        ("adapters.rank", 16, 4),
    ]


def test_every_key_can_be_set_to_its_own_value() -> None:
    plan = Plan()
    for key in keys():
        value: object = plan
        for part in key.split("."):
            value = getattr(value, part)
        assert plan.with_values({key: value}) == plan


@given(plans())
def test_every_section_has_words(plan: Plan) -> None:
    for name, section in plan.sections():
        assert section.title, name
        assert section.explanation.endswith("."), name
        assert section.summary, name
        for key, field in type(section).model_fields.items():
            assert field.title, key
            assert field.description, key


def test_every_choice_is_explained_once() -> None:
    for _, section in Plan().sections():
        for name, field in type(section).model_fields.items():
            for part in field.metadata:
                if isinstance(part, Choices):
                    values = [choice.value for choice in part.options]
                    assert sorted(values) == sorted(field.annotation.__args__), name


def test_a_field_that_matters_only_sometimes_names_a_real_sibling() -> None:
    for _, section in Plan().sections():
        fields = type(section).model_fields
        for field in fields.values():
            when = (field.json_schema_extra or {}).get("when")
            if when is not None:
                sibling, _, values = when.partition("=")
                for value in values.split(","):
                    type(section).model_validate({sibling: value})


def test_a_new_section_takes_part_without_more_code() -> None:
    class Pruning(Section):
        share: float = 0.5

    class Wider(Plan):
        pruning: Pruning = Pruning()

    plan = Wider().with_values({"pruning.share": "0.25"})
    assert plan.pruning.share == 0.25
    with pytest.raises(PlanError, match=r"did you mean pruning\.share\?"):
        Wider().with_values({"pruning.shares": 1})


def test_older_plans_are_migrated_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(values: dict[str, object]) -> dict[str, object]:
        return {("precision" if key == "dtype" else key): value for key, value in values.items()}

    def lower(values: dict[str, object]) -> dict[str, object]:
        return {**values, "precision": str(values["precision"]).lower()}

    monkeypatch.setattr(migrations, "SCHEMA", 3)
    monkeypatch.setattr(migrations, "_STEPS", {1: rename, 2: lower})
    assert migrations.migrate({"schema": 1, "dtype": "FP32"}) == {
        "schema": 3,
        "precision": "fp32",
    }
    assert migrations.migrate({"schema": 2, "precision": "FP32"})["precision"] == "fp32"
    assert migrations.migrate({"precision": "bf16"}) == {"precision": "bf16"}


def test_every_older_schema_has_its_step() -> None:
    assert sorted(migrations._STEPS) == list(range(1, migrations.SCHEMA))


def test_the_plan_and_its_file_import_nothing_heavy() -> None:
    program = (
        "import sys, memplanner.plan.file\n"
        "print([n for n in ('torch', 'numpy', 'transformers', 'PySide6') if n in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_batches_for_scores_take_effect_wherever_scores_need_data() -> None:
    blocks = {"structure": "structured", "block_ratio": 0.25, "block_choice": "influence"}
    for section, needed in (
        (Pruning(structure="structured"), False),
        (Pruning(method="wanda"), False),
        (Pruning(structure="n_m", method="wanda"), True),
        (Pruning.model_validate(blocks), True),
    ):
        assert section.needs_data is needed
        assert section.takes_effect("calibration_batches") is needed


def test_a_field_takes_effect_where_all_that_it_depends_on_does() -> None:
    assert Quantization.depends_on("group_size") == ("granularity", frozenset({"group"}))
    assert Quantization.depends_on("method") is None
    assert Quantization().granularity == "group"
    assert not Quantization().takes_effect("group_size")
    assert Quantization(method="linear").takes_effect("group_size")
    assert not Quantization(method="linear", granularity="channel").takes_effect("group_size")
    assert not Quantization(method="nf4").takes_effect("group_size")
    assert all(
        section.takes_effect(name)
        for _, section in Plan().sections()
        for name in type(section).model_fields
        if section.depends_on(name) is None
    )
