"""Files for trainers that decide everything by them: what they say, lose, and really run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as examples

from memplanner.errors import ExportError
from memplanner.estimate import estimate
from memplanner.export import export, render
from memplanner.export.registry import find_target
from memplanner.export.settings import settings
from memplanner.export.target import Subject
from memplanner.export.trainer import TrainerTarget
from memplanner.importing import parse_trainer, read_trainer
from memplanner.messages.device import Device
from memplanner.model import load
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests.export.trainer_plans import (
    CASES,
    DEEPSPEED,
    LOOP,
    LORA,
    NF4,
    SHARED,
    TRAINERS,
    planned,
)
from tests.plan.plans import plans

GOLDEN = Path(__file__).parent / "golden" / "trainers"


@pytest.fixture(scope="module")
def preset() -> Model:
    return load("preset:llama-3.1-8b")


def target_of(name: str) -> TrainerTarget:
    found = find_target(name)
    assert isinstance(found, TrainerTarget)
    return found


def differing(plan: Plan, other: Plan) -> set[str]:
    """The settings that take effect and are not alike."""
    values = other.to_dict()
    found = set()
    for setting in settings(plan):
        for key, value in setting.values.items():
            section, _, name = key.partition(".")
            if (values[section][name] if name else values[section]) != value:
                found.add(setting.key)
    if plan.sharding.ranks == 1:
        found = {key for key in found if not key.startswith("sharding.")}
    return found


@pytest.mark.parametrize(("trainer", "way"), CASES)
def test_what_a_trainer_has_words_for_comes_back_whole(
    trainer: str, way: str, preset: Model, card: Device, tmp_path: Path
) -> None:
    plan, target = planned(trainer, way), target_of(trainer)
    subject = Subject(preset, plan, card)
    for file in target.beside(subject):
        (tmp_path / file.name).write_text(file.text)
    path = tmp_path / target.file_name
    path.write_text(target.text(subject, ()))

    imported = read_trainer(path, plan)

    assert imported.trainer == trainer
    assert differing(plan, imported.plan) == set()
    assert imported.no_place == ()
    told = {sentence.partition("(")[2].partition("=")[0] for sentence in target.unsaid(subject)}
    assert told == target.left_out(subject) & {setting.key for setting in settings(plan)}
    if trainer not in ("hugging_face", "torchtitan"):
        assert imported.source == "preset:llama-3.1-8b"


@pytest.mark.parametrize("trainer", TRAINERS)
@given(plan=plans(at_most=5))
@examples(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_what_comes_back_is_the_plan_but_for_what_is_told(
    trainer: str, plan: Plan, preset: Model, llama: Model, card: Device
) -> None:
    assume(plan.inference.use == "training")
    model = preset if trainer == "torchtitan" else llama  # which is sooner built
    target, subject = target_of(trainer), Subject(model, plan, card)
    try:
        text = target.text(subject, ())
        files = {file.name: file.text for file in target.beside(subject)}
    except ExportError:
        assume(False)
    imported = parse_trainer(text, plan, beside=files)

    lost = differing(plan, imported.plan)
    told = {sentence.partition("(")[2].partition("=")[0] for sentence in target.unsaid(subject)}
    assert told - target.left_out(subject) == lost - target.left_out(subject)
    assert lost <= told


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_peak_of_what_really_runs_is_told(trainer: str, preset: Model, card: Device) -> None:
    plan = Plan().with_values(
        {**LOOP, "precision": "bf16_mixed", "pruning.structure": "unstructured"}
    )
    rendering = render(trainer, preset, plan, card)
    really = rendering.runs_as

    assert really is not None
    assert really.plan == target_of(trainer).as_run(Subject(preset, plan, card))
    peak = estimate(preset, really.plan, card).peak
    assert (really.allocated_bytes, really.device_bytes) == (
        peak.allocated_bytes, peak.device_bytes
    )  # fmt: skip
    head = " ".join(line.lstrip("# ") for line in rendering.files[0].text.splitlines())
    assert really.sentence in head
    assert all(sentence in head for sentence in rendering.cannot_say)
    assert any("pruning.structure=unstructured" in one for one in rendering.cannot_say)


def golden(trainer: str) -> tuple[str, dict[str, object]]:
    ways: dict[str, dict[str, object]] = {
        "hugging_face": {**SHARED, **DEEPSPEED},
        "trl": {**LORA, **NF4},
        "axolotl": {**SHARED, "precision": "bf16_autocast"},
        "llama_factory": {**LORA, **NF4},
        "torchtitan": {**SHARED, "sharding.tensor": 2, "precision": "bf16_mixed"},
    }
    return target_of(trainer).file_name, ways[trainer]


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_file_is_as_it_was(trainer: str, preset: Model, card: Device, tmp_path: Path) -> None:
    """With ``UPDATE_GOLDEN=1`` in the environment the files are written anew."""
    name, changes = golden(trainer)
    plan = Plan().with_values({**LOOP, **changes})
    target = target_of(trainer)
    subject = Subject(preset, plan, card)
    text = target.text(subject, target.unsaid(subject))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


def test_models_that_a_trainer_cannot_open_are_refused(cnn: Model, card: Device) -> None:
    with pytest.raises(ExportError, match=r"from elsewhere \(recipe\); choose the target script"):
        render("axolotl", cnn, Plan(), card)
    with pytest.raises(ExportError, match="torchtitan trains models of its own"):
        render("torchtitan", load("preset:gpt2"), Plan(), card)
    with pytest.raises(ExportError, match="trains causal language models"):
        render("trl", load("preset:vit-b-16"), Plan(), card)
    arguments = render("hugging_face", cnn, Plan(), card)
    assert "per_device_train_batch_size: 1" in arguments.files[0].text


def test_files_are_written_together(preset: Model, tmp_path: Path) -> None:
    plan = planned("trl", "DeepSpeed")
    written = export(preset, plan, "trl", tmp_path, "H100 80GB")
    assert [Path(path).name for path in written] == ["sft.yaml", "deepspeed.json"]
    assert differing(plan, read_trainer(written[0], plan).plan) == set()
