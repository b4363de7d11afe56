"""The same code transforms the weightless copy and the real model: what you plan is what runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import memplanner.techniques
from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.base import Technique
from memplanner.techniques.prepare import cast_batch, check, prepare, techniques
from memplanner.techniques.target import Target
from tests.estimate.recordings import CPU, H100, META, planned, recipe, tiny

REAL = torch.device("cpu")
PLANS: dict[str, dict[str, Any]] = {
    "fp32": {},
    "bf16": {"precision": "bf16"},
    "fp16": {"precision": "fp16"},
    "mixed": {"precision": "bf16_mixed"},
    "lora": {"adapters__method": "lora"},
    "lora in halves": {"adapters__method": "lora", "precision": "bf16"},
    "checkpointed": {"activation_checkpointing__policy": "full"},
    "selective lora": {
        "activation_checkpointing__policy": "selective", "adapters__method": "lora",
        "optimizer__implementation": "foreach",
    },
    "fused": {"optimizer__implementation": "fused"},
    "eager": {"attention__kernel": "eager"},
}  # fmt: skip
Parts = dict[str, tuple[Any, ...]]


def described(module: nn.Module) -> tuple[Parts, Parts, list[tuple[str, str]]]:
    """Parameters and buffers by name, and the modules with their types."""
    parameters = {
        name: (tuple(part.shape), part.dtype, part.requires_grad)
        for name, part in module.named_parameters()
    }
    buffers = {name: (tuple(part.shape), part.dtype) for name, part in module.named_buffers()}
    return (
        parameters,
        buffers,
        [(name, type(part).__name__) for name, part in module.named_modules()],
    )


@pytest.mark.parametrize("values", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit", "mixtral"])
def test_weightless_and_real_are_transformed_alike(name: str, values: dict[str, Any]) -> None:
    model, plan = tiny(name), planned(2, 8, **values)
    if values.get("optimizer__implementation") == "fused":
        from memplanner.techniques.optimizer import weightless_fused

        with weightless_fused():
            weightless = prepare(model, plan, CPU, META)
    else:
        weightless = prepare(model, plan, CPU, META)
    real = prepare(model, plan, CPU, REAL)

    assert described(weightless.module) == described(real.module)
    assert weightless.module.training
    assert real.module.training
    assert type(weightless.optimizer) is type(real.optimizer)
    for one, other in zip(
        weightless.optimizer.param_groups, real.optimizer.param_groups, strict=True
    ):
        assert [tuple(part.shape) for part in one.pop("params")] == [
            tuple(part.shape) for part in other.pop("params")
        ]
        assert one == other


@pytest.mark.parametrize(
    ("precision", "stored"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("bf16_mixed", torch.float32)],
)
def test_precision_is_the_type_that_parameters_are_kept_in(
    precision: str, stored: torch.dtype
) -> None:
    plan = planned(2, 8, precision=precision)
    module = prepare(tiny("vit"), plan, CPU, REAL).module
    assert {part.dtype for part in module.parameters()} == {stored}
    batch = cast_batch(tiny("vit").batch(2, 8, REAL), plan)
    kinds = {name: part.dtype for name, part in batch.items()}
    assert kinds["pixel_values"] is stored
    assert kinds["labels"] is torch.int64


def test_a_frozen_model_is_refused(tmp_path: Path) -> None:
    model = recipe(
        tmp_path,
        "import torch\n"
        "def model():\n"
        "    return torch.nn.Linear(2, 2).requires_grad_(False)\n"
        "def batch(batch_size, sequence_length):\n"
        "    return {'input': torch.ones(batch_size, 2)}\n",
    )
    with pytest.raises(PlanError, match=r"^recipe has no trainable parameter; unfreeze some"):
        prepare(model, planned(), CPU, META)


@pytest.mark.parametrize("kernel", ["efficient", "cudnn"])
def test_a_kernel_that_the_target_lacks_is_refused_with_the_nearest(kernel: str) -> None:
    plan = planned(attention__kernel=kernel)
    with pytest.raises(PlanError, match=f"^attention.kernel={kernel} .*; choose flash or auto"):
        check(plan, CPU)
    check(plan, H100)


def test_every_kernel_but_those_is_everywhere() -> None:
    for kernel in ("auto", "eager", "math", "flash"):
        for target in (CPU, H100):
            check(planned(attention__kernel=kernel), target)


def test_attention_tells_the_model_which_code_to_use() -> None:
    for kernel, expected in (("eager", "eager"), ("auto", "sdpa"), ("math", "sdpa")):
        module = prepare(tiny("llama"), planned(attention__kernel=kernel), CPU, META).module
        config: Any = module.config
        assert config._attn_implementation == expected


def test_every_section_that_changes_the_model_has_a_technique_of_its_name() -> None:
    names = {technique.name for technique in techniques()}
    sections = {name for name, _ in Plan().sections()} | {"precision"}
    assert names <= sections
    assert {"attention", "activation_checkpointing", "adapters", "precision"} <= names


def test_techniques_are_applied_in_their_order() -> None:
    orders = [technique.order for technique in techniques()]
    assert orders == sorted(orders)
    place = {technique.name: index for index, technique in enumerate(techniques())}
    assert place["attention"] < place["precision"] < place["activation_checkpointing"]
    assert place["activation_checkpointing"] < place["adapters"]


MADE_UP = '''
"""A technique that somebody adds: doubles the bias of nothing, and says so."""

from memplanner.techniques.base import Technique


class MadeUp(Technique):
    """Marks the module."""

    name = "made_up"
    order = 5

    def conflicts(self, plan, target):
        return ("made_up cannot train so long a sequence; choose less than 5000.",) if (
            plan.training.sequence_length > 5000
        ) else ()

    def transform(self, module, situation):
        module.made_up = situation.plan.training.batch_size
        return module

    def notes(self, plan, target):
        return (f"Made up for {target.kind}.",)
'''


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A file more in the package of techniques."""
    (tmp_path / "made_up.py").write_text(MADE_UP)
    monkeypatch.setattr(
        memplanner.techniques, "__path__", [*memplanner.techniques.__path__, str(tmp_path)]
    )
    techniques.cache_clear()
    yield
    techniques.cache_clear()
    sys.modules.pop("memplanner.techniques.made_up", None)
    vars(memplanner.techniques).pop("made_up", None)


@pytest.mark.usefixtures("made_up")
def test_a_file_more_is_a_technique_more() -> None:
    assert techniques()[0].name == "made_up"
    prepared = prepare(tiny("llama"), planned(3, 8), CPU, META)
    assert prepared.module.made_up == 3
    assert "Made up for cpu." in prepared.notes
    with pytest.raises(PlanError, match="made_up cannot train so long"):
        prepare(tiny("llama"), planned(3, 6000), CPU, META)


def test_and_without_the_file_it_is_gone() -> None:
    assert "made_up" not in {technique.name for technique in techniques()}


def test_a_technique_does_nothing_by_itself() -> None:
    technique, module = Technique(), nn.Linear(1, 1)
    assert technique.conflicts(Plan(), Target()) == ()
    assert technique.notes(Plan(), Target()) == ()
    situation: Any = None
    assert technique.transform(module, situation) is module


def test_a_given_module_is_used_instead_of_a_new_one() -> None:
    module = tiny("llama").build(META)
    assert prepare(tiny("llama"), planned(), CPU, META, module=module).module is module


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [("9.0", (9, 0)), ("12.0", (12, 0)), ("", (8, 0)), ("gfx942", (8, 0))],
)
def test_the_target_is_the_cards_capability(architecture: str, expected: tuple[int, int]) -> None:
    from memplanner.messages.device import Device

    card = Device(name="card", kind="cuda", memory_bytes=None, architecture=architecture)
    assert Target.of(card) == Target("cuda", expected)
    assert Target.of(card.model_copy(update={"kind": "cpu"})) == Target()
