"""Students, what is refused, the search under a budget, and the rows of an estimate."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.estimate import recorder
from memplanner.estimate.parts import PARTS
from memplanner.messages.device import Device
from memplanner.model.blocks import block_lists
from memplanner.techniques.distilled_model import planned_model
from memplanner.techniques.distilling.pair import Distilled
from memplanner.techniques.distilling.student import Shape, make_student
from memplanner.techniques.pruned_structure import check_reload
from memplanner.techniques.student_search import search_shape
from tests.truth.small_models import SMALL

CPU = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
CARD = Device(name="H100 80GB", kind="cuda", memory_bytes=80 * 1024**3, architecture="9.0")
META = torch.device("meta")
SHAPE = {"training.batch_size": 2, "training.sequence_length": 64, "precision": "fp32"}


def plan_of(**section: object) -> mp.Plan:
    changes = {f"distillation.{name}": value for name, value in section.items()}
    others = {key: value for key, value in changes.items() if "__" in key}
    for key in others:
        changes[key.removeprefix("distillation.").replace("__", ".")] = changes.pop(key)
    return mp.Plan().with_values({**SHAPE, "distillation.student": "smaller", **changes})


@pytest.fixture
def llama(tmp_path: Path) -> Any:
    return mp.load(SMALL["llama"].write(tmp_path))


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def block_paths(module: torch.nn.Module) -> tuple[str, ...]:
    return tuple(blocks.path for blocks in block_lists(module))


# Students


def test_a_student_keeps_the_weights_that_fit_and_its_own_configuration() -> None:
    teacher = SMALL["llama"].build()
    student = make_student(teacher, Shape(block_ratio=0.5), ("model.layers",))
    assert (teacher.config.num_hidden_layers, student.config.num_hidden_layers) == (7, 3)
    for own, theirs in zip((0, 1, 2), (0, 3, 6), strict=True):
        block = student.model.layers[own]
        assert block.self_attn.layer_idx == own
        for name, parameter in block.named_parameters():
            given = dict(teacher.model.layers[theirs].named_parameters())[name]
            assert torch.equal(parameter, given)
            assert parameter is not given
    check_reload(student, whole=True)


@pytest.mark.parametrize("name", ["llama", "gpt2 eager", "bert", "vit", "t5", "gemma2"])
@pytest.mark.parametrize(
    "shape",
    [
        Shape(block_ratio=0.5),
        Shape(mlp_ratio=0.5, width_multiple=8),
        Shape(hidden_ratio=0.5, width_multiple=8),
        Shape(block_ratio=0.3, mlp_ratio=0.3, hidden_ratio=0.3, width_multiple=16),
    ],
    ids=str,
)
def test_a_weightless_student_is_the_real_one_and_can_be_opened_again(
    name: str, shape: Shape, tmp_path: Path
) -> None:
    model = mp.load(SMALL[name].write(tmp_path))
    teacher = model.build(torch.device("cpu"))
    lists = block_paths(teacher) if shape.block_ratio else ()
    real = make_student(teacher, shape, lists)
    weightless = make_student(model.build(META), shape, lists)
    assert {name: part.shape for name, part in real.named_parameters()} == {
        name: part.shape for name, part in weightless.named_parameters()
    }
    assert all(part.is_meta for part in weightless.parameters())
    assert parameters(real) < parameters(teacher)
    check_reload(weightless, whole=True)
    output = real(**model.batch(2, 16, torch.device("cpu")))
    output["loss"].backward()


def test_narrower_hidden_states_keep_the_first_channels_of_every_part() -> None:
    teacher = SMALL["gpt2 eager"].build()
    student = make_student(teacher, Shape(hidden_ratio=0.5, width_multiple=8))
    assert (student.config.hidden_size, student.config.num_attention_heads) == (64, 2)
    wide = teacher.transformer.h[0].attn.c_attn.weight
    queries, keys, values = wide.split(128, dim=1)
    expected = torch.cat([part[:64, :64] for part in (queries, keys, values)], dim=1)
    assert torch.equal(student.transformer.h[0].attn.c_attn.weight, expected)
    table = teacher.transformer.wte.weight[:, :64]
    assert torch.equal(student.transformer.wte.weight, table)
    assert student.lm_head.weight is student.transformer.wte.weight


def test_a_built_pair_gets_the_teachers_weights_and_a_student_of_them(llama: Any) -> None:
    from dataclasses import replace

    def load_weights(module: torch.nn.Module) -> None:
        for parameter in module.parameters():
            parameter.data.fill_(0.5)

    model = planned_model(replace(llama, load_weights=load_weights), plan_of())
    pair: Any = model.build(torch.device("cpu"))
    assert isinstance(pair, Distilled)
    assert model.load_weights is not None
    model.load_weights(pair)
    assert all(bool((part == 0.5).all()) for part in pair.parameters())


def test_another_model_is_a_student_with_weights_of_its_own(llama: Any, tmp_path: Path) -> None:
    config = SMALL["llama"].config()
    config.update({"num_hidden_layers": 2, "hidden_size": 64, "head_dim": 16})
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(tmp_path / "other")
    plan = plan_of(student="source", student_source=str(tmp_path / "other"), hidden_weight=1)
    estimate = mp.estimate(llama, plan, device=CPU)
    own = transformers.LlamaForCausalLM(config)
    assert estimate.model.trainable_parameters == parameters(own) + 64 * 128  # the projection
    config.vocab_size = 512
    config.save_pretrained(tmp_path / "words")
    words = plan_of(student="source", student_source=str(tmp_path / "words"))
    with pytest.raises(PlanError, match="has 512 tokens and its teacher 1024"):
        mp.estimate(llama, words, device=CPU)


def test_a_program_that_a_plan_names_is_not_run_unread(
    llama: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMPLANNER_TRUSTED_FOLDERS", "")
    student = tmp_path / "student.py"
    student.write_text("raise SystemExit('it ran')")
    plan = plan_of(student="source", student_source=str(student))
    trusting = replace(llama, trust_code=True)  # of the teacher alone
    with pytest.raises(PlanError, match="open it once as a model, and agree"):
        mp.estimate(trusting, plan, device=CPU)


# Refusals


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"label_weight": 0, "logits_weight": 0}, "set distillation.logits_weight above 0"),
        ({"attention_weight": 1}, "choose attention.kernel=eager"),
        ({"loss__method": "chunked"}, "choose loss.method=whole, with distillation.top_k"),
        ({"teacher_logits": "ahead", "hidden_weight": 1}, "or choose live"),
        ({"teacher_logits": "ahead", "logits_weight": 0}, "set logits_weight above 0"),
        ({"teacher_offload": "host"}, "saves nothing on cpu"),
        ({"sharding__cards_per_node": 2}, "choose sharding.cards_per_node=1"),
        ({"top_k": 1024}, "keeps all of 1024 classes; choose 0"),
        ({"block_ratio": 0.99}, "leaves none of 7 repeated blocks; choose at most 0.857"),
        ({"block_ratio": 0.01}, "takes none of 7 repeated blocks"),
        ({"block_ratio": 0, "mlp_ratio": 0.001}, "takes none of 352 MLP neurons"),
        ({"block_ratio": 0, "head_ratio": 0.9}, "leaves none of 2 attention heads"),
        ({"student": "source"}, "needs a model in distillation.student_source"),
        ({"student": "budget", "budget_mib": 1, "width_multiple": 352}, "choose at least"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_with_the_nearest_choice(
    section: dict[str, object], sentence: str, llama: Any
) -> None:
    with pytest.raises(PlanError, match=sentence):
        mp.estimate(llama, plan_of(**section), device=CPU)


def test_heads_that_a_class_cannot_leave_out_are_refused(tmp_path: Path) -> None:
    model = mp.load(SMALL["bert"].write(tmp_path))
    with pytest.raises(PlanError, match=r"finds no attention heads .* set it to 0"):
        mp.estimate(model, plan_of(head_ratio=0.5), device=CPU)


# The search


@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama", "vit", "bert"])
def test_the_search_is_brute_force_over_built_students(name: str, tmp_path: Path) -> None:
    """Every shape is built; the most balanced of those that fit, then the largest, is found."""
    model = mp.load(SMALL[name].write(tmp_path))
    teacher = model.build(META)
    width, multiple = (352, 88) if name == "llama" else (512, 128)
    depth, heads = (7, 2) if name == "llama" else (6, 4)
    lists = block_paths(teacher)
    found = []
    for blocks, inner, units in product(
        range(1, depth + 1), range(multiple, width + 1, multiple), range(1, heads + 1)
    ):
        shape = Shape(
            block_ratio=1 - blocks / depth, mlp_ratio=1 - inner / width,
            head_ratio=1 - units / heads, width_multiple=multiple,
        )  # fmt: skip
        student = make_student(teacher, shape, lists)
        try:
            check_reload(student, whole=True)
        except PlanError:
            continue
        shares = blocks / depth, inner / width, units / heads
        found.append((min(shares), parameters(student), blocks, inner, units))
    for budget in {size * 4 for _, size, *_ in found[:: len(found) // 8]}:
        chosen = search_shape(teacher, budget, 4, multiple)
        best = max(each for each in found if each[1] * 4 <= budget)
        assert parameters(make_student(teacher, chosen, lists)) == best[1]
        assert round((1 - chosen.block_ratio) * depth) == best[2]
        assert round((1 - chosen.mlp_ratio) * width) == best[3]
        assert round((1 - chosen.head_ratio) * heads) == best[4]


def test_a_student_of_a_budget_is_searched_for_once(llama: Any) -> None:
    plan = plan_of(student="budget", budget_mib=3)
    first = planned_model(llama, plan)
    assert first.trainable_parameter_count * 4 <= 3 * 2**20
    other = plan.with_values({"training.batch_size": 8, "distillation.temperature": 5.0})
    assert planned_model(llama, other) is first
    assert planned_model(llama, plan_of(student="budget", budget_mib=2)) is not first
    assert planned_model(llama, mp.Plan()) is llama


# The estimate


@pytest.mark.parametrize(
    "section", [{}, {"top_k": 8}, {"teacher_logits": "ahead"}, {"hidden_weight": 1}], ids=str
)
def test_rows_of_teacher_and_student_add_up(section: dict[str, object], llama: Any) -> None:
    estimate = mp.estimate(llama, plan_of(**section), device=CPU).message()
    assert tuple(part.name for part in estimate.parts) == PARTS
    sizes = {part.name: part.size_bytes for part in estimate.parts}
    assert sum(sizes.values()) == estimate.peak.allocated_bytes
    logits = 2 * 64 * 1024 * 4
    assert sizes["student logits"] >= logits
    if section == {}:
        assert sizes["teacher"] == 4 * llama.parameter_count + 64  # and its rotary frequencies
        assert sizes["teacher logits"] == logits + 2 * 64 * 4  # probabilities and entropy
    elif section == {"top_k": 8}:
        assert 0 < sizes["teacher logits"] <= 2 * 64 * 8 * (4 + 8)
    elif section == {"teacher_logits": "ahead"}:
        assert sizes["teacher"] == 0
        assert sizes["teacher logits"] == 2 * logits + 2 * 64 * 4  # the batch's, too


def test_a_plan_without_a_student_has_no_such_rows(llama: Any) -> None:
    assert mp.estimate(llama, mp.Plan().with_values(SHAPE), device=CPU).message().parts == ()


def test_folding_gives_what_the_whole_recording_gives(llama: Any) -> None:
    """Teacher and student of seven and five blocks are cut to four each."""
    plan = plan_of(block_ratio=0.3)
    estimate = mp.estimate(llama, plan, device=CARD)
    assert "7 blocks folded to 4, 5 blocks folded to 4" in estimate.method
    model = planned_model(llama, plan)
    from memplanner.techniques.target import Target

    whole = recorder(model)._recordings.record(plan, Target.of(CARD), (2, 64), ())
    folded, _ = recorder(model).tape(plan, Target.of(CARD))
    assert (folded.curve_bytes.max(), len(folded.events)) == (
        whole.curve_bytes.max(),
        len(whole.events),
    )
    compared = mp.estimate(llama, plan_of(block_ratio=0.3, hidden_weight=1), device=CARD)
    assert "folded" not in compared.method  # which layer learns from which depends on all


def test_weights_of_terms_are_not_recorded_anew(llama: Any) -> None:
    plan = plan_of()
    records = recorder(planned_model(llama, plan))
    mp.estimate(llama, plan, device=CPU)
    mp.estimate(llama, plan_of(label_weight=0.9, temperature=7.0), device=CPU)
    assert len(records._structures) == 1


def test_an_offloaded_teacher_has_one_block_on_the_card(llama: Any) -> None:
    """Its blocks are no parameters there; in its forward one of them is."""
    on_card = mp.estimate(llama, plan_of(), device=CARD)
    in_host = mp.estimate(llama, plan_of(teacher_offload="host"), device=CARD)
    blocks = 4 * (llama.parameter_count - 2 * 1024 * 128 - 128)
    saved = on_card.peak.by_category.parameters - in_host.peak.by_category.parameters
    assert saved == blocks
    assert in_host.model.parameters == on_card.model.parameters


def test_adapters_checkpointing_and_packing_are_the_students(llama: Any) -> None:
    from memplanner.techniques.prepare import prepare
    from memplanner.techniques.target import Target

    plan = plan_of(
        adapters__method="lora",
        quantization__method="nf4",
        activation_checkpointing__policy="full",
        teacher_quantization="linear_8",
        teacher_precision="bf16",
    )
    pair: Any = prepare(llama, plan, Target(), META).module
    assert isinstance(pair, Distilled)
    kinds = {path: type(part).__name__ for path, part in pair.named_modules()}
    assert kinds["teacher.model.layers.0.mlp.up_proj"] == "QuantizedLinear"
    assert pair.teacher.model.layers[0].mlp.up_proj.kept.bits == 8
    assert pair.student.model.layers[0].mlp.up_proj.base_layer.kept.method == "nf4"
    assert not any("lora" in path for path in kinds if path.startswith("teacher"))
    assert pair.teacher.lm_head.weight.dtype is torch.bfloat16
    assert pair.student.lm_head.weight.dtype is torch.float32
    assert all(".lora_" in name for name, part in pair.named_parameters() if part.requires_grad)
