from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples

import memplanner
from memplanner.errors import ExportError, PlanError
from memplanner.export import render, targets
from memplanner.export.registry import all_targets, find_target
from memplanner.export.settings import settings
from memplanner.export.target import Subject
from memplanner.messages.device import Device
from memplanner.model.loaded import Model
from memplanner.plan import Plan, keys
from memplanner.plan.file import parse_plan
from memplanner.plan.optimizer import FEW_BITS
from memplanner.techniques.checkpointed_operations import kernels_of
from memplanner.techniques.precision import STORED
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target
from tests.plan.plans import plans

_WALKS = {
    "for_loop": "foreach=False",
    "foreach": "foreach=True",
    "fused": "fused=True",
    "bitsandbytes_8bit": " bitsandbytes.optim.Adam",
    "bitsandbytes_paged_8bit": " bitsandbytes.optim.PagedAdam",
    "torchao_8bit": "return torchao.optim.Adam",
    "torchao_4bit": "return torchao.optim.Adam",
}
_KERNELS = {"flash": "FLASH_ATTENTION", "efficient": "EFFICIENT_ATTENTION"}


def test_every_target_is_listed_with_its_words() -> None:
    assert [target.name for target in targets()] == [
        "script",
        "hugging_face",
        "trl",
        "axolotl",
        "llama_factory",
        "torchtitan",
        "accelerate",
        "deepspeed",
        "slurm",
        "plan",
    ]
    for target in targets():
        assert target.title
        assert target.explanation.endswith(".")
        assert Path(target.file_name).suffix in (".py", ".yaml", ".json", ".sh", ".sbatch")


def test_an_unknown_target_is_refused_with_those_there_are(llama: Model, card: Device) -> None:
    with pytest.raises(ExportError, match="“megatron” is no export target; choose one of script"):
        render("megatron", llama, Plan(), card)
    with pytest.raises(
        ExportError, match="did you mean accelerate, or one of script, hugging_face, trl, axolotl"
    ):
        render("acelerate", llama, Plan(), card)


def test_the_package_attribute_is_the_function() -> None:
    assert memplanner.export is sys.modules["memplanner.export"].export


@pytest.fixture
def more_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose modules belong to the package of targets."""
    package = sys.modules["memplanner.export"]
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    all_targets.cache_clear()
    yield tmp_path
    all_targets.cache_clear()
    sys.modules.pop("memplanner.export.shout", None)


SHOUT = """
from memplanner.export.target import ExportTarget


class Shout(ExportTarget):
    name = "shout"
    title = "Shout"
    explanation = "Loud."
    file_name = "shout.txt"
    order = 1

    def said(self, subject):
        return frozenset({"precision"})

    def text(self, subject, cannot_say):
        return subject.plan.precision.upper()
"""


def test_a_new_file_is_a_new_target(more_targets: Path, llama: Model, card: Device) -> None:
    (more_targets / "shout.py").write_text(SHOUT)
    assert targets()[0].name == "shout"
    rendering = render("shout", llama, Plan(), card)
    assert [(file.name, file.text) for file in rendering.files] == [("shout.txt", "BF16")]
    assert rendering.cannot_say == (
        "Batch, micro-batch (training.batch_size=1): set it in the training script.",
        "Batch, sequence (training.sequence_length=2048): set it in the training script.",
        "Optimizer (optimizer.name=adamw): set it in the training script.",
    )


def test_a_setting_brings_along_what_depends_on_it() -> None:
    plan = Plan().with_values(
        {"adapters.method": "lora", "adapters.target_modules": "q, v", "optimizer.momentum": 0.5}
    )
    found = {setting.key: setting for setting in settings(plan)}
    lora = found["adapters.method"]
    assert (
        lora.assignment == "adapters.method=lora, rank=16, alpha=16, dropout=0, target_modules=q+v"
    )
    assert lora.changed
    assert found["optimizer.name"].keys == ("optimizer.name",)  # adamw has no momentum
    assert not found["optimizer.name"].changed
    assert "activation_checkpointing.every" not in found["activation_checkpointing.policy"].values


def test_the_sequence_is_no_setting_of_a_model_without_one() -> None:
    plan = Plan().with_values({"training.sequence_length": 7})
    assert all(s.key != "training.sequence_length" for s in settings(plan, takes_sequence=False))


def _bits_shown(plan: Plan) -> str:
    """That layers have bits of their own; only 16, or none but the usual, leave no trace."""
    own = {text.partition("=")[2] for text in plan.quantization.per_layer} - {"16"}
    usual = "nf4" if plan.quantization.method == "nf4" else str(plan.quantization.bits)
    last = plan.quantization.per_layer[-1]
    return "OWN_BITS = {" if last == "down_proj=8" and own - {usual} == {"8"} else "QUANTIZED = ("


def halves(plan: Plan) -> bool:
    """Whether every second product is kept, which a function of its own says."""
    kept = plan.activation_checkpointing.operations
    return "every_second_mm" in kept and "mm" not in kept


SHOWN: dict[str, Callable[[Plan], str]] = {
    "training.batch_size": lambda p: f"BATCH_SIZE = {p.training.batch_size}\n",
    "training.sequence_length": lambda p: f"SEQUENCE_LENGTH = {p.training.sequence_length}\n",
    "training.gradient_accumulation_steps": lambda p: (
        f"ACCUMULATION_STEPS = {p.training.gradient_accumulation_steps}\n"
    ),
    "training.zero_grad": lambda p: (
        "for step in range(1, steps + 1):\n        optimizer.zero_grad()\n"
        if p.training.zero_grad == "before_forward" and p.optimizer.update == "after_backward"
        else "optimizer.zero_grad()\n"
    ),
    "training.outputs": lambda p: {
        "until_loss": "del batch, loss\n",
        "until_next_output": "del batch  # the output stays",
    }[p.training.outputs],
    "optimizer.name": lambda p: (
        "lion.lion("
        if p.optimizer.name == "lion"
        else f"{p.optimizer.name}{p.optimizer.implementation[-4:]}("
        if p.optimizer.implementation in FEW_BITS
        else f"torch.optim.{p.optimizer.name}{',' if p.offload.optimizer == 'host' else '('}"
    ),
    "optimizer.implementation": lambda p: _WALKS[p.optimizer.implementation],
    "optimizer.projection": lambda p: "low_rank_updates(model, ",
    "optimizer.rank": lambda p: f"rank={p.optimizer.rank},",
    "optimizer.update_gap": lambda p: f"gap={p.optimizer.update_gap},",
    "optimizer.scale": lambda p: f"scale={p.optimizer.scale},",
    "optimizer.update": lambda p: "    update_in_backward(model)\n",
    "activation_offload.to": lambda p: "    keep_on_host(model",
    "activation_offload.modules": lambda p: "OFFLOADED = (",
    "activation_offload.pin_memory": lambda p: "pin_memory=False)",
    "offload.optimizer": lambda p: "HostUpdates(parameters, ",
    "offload.parameters": lambda p: "stream_blocks(",
    "offload.pin_memory": lambda p: (
        "pin_memory=False" if "host" in (p.offload.optimizer, p.offload.parameters) else ""
    ),
    "loss.method": lambda p: "    chunk_loss(model, ",
    "loss.chunks": lambda p: f"chunks={p.loss.chunks}",
    "optimizer.learning_rate": lambda p: f"lr={p.optimizer.learning_rate},",
    "optimizer.momentum": lambda p: f"momentum={p.optimizer.momentum},",
    "optimizer.weight_decay": lambda p: f"weight_decay={p.optimizer.weight_decay},",
    "precision": lambda p: {
        "fp32": "torch.float32).train()",
        "fp16": "torch.float16).train()",
        "bf16_mixed": "torch.autocast(device.type, dtype=torch.bfloat16)",
        "bf16_autocast": "torch.autocast(device.type, dtype=torch.bfloat16)",
        "fp16_mixed": "scaler.scale(",
    }[p.precision],
    "attention.kernel": lambda p: {
        "eager": 'set_attn_implementation("eager")',
        "math": "SDPBackend.MATH",
        "cudnn": "SDPBackend.CUDNN_ATTENTION",
    }.get(p.attention.kernel, "SDPBackend." + _KERNELS.get(p.attention.kernel, "?")),
    "activation_checkpointing.policy": lambda p: {
        "full": "checkpoint_blocks(model)",
        "every_n": "partial(checkpoint, block.forward",
        "named": "for name in RECOMPUTED:",
        "selective": "create_selective_checkpoint_contexts"
        + ("(keep)" if halves(p) else ", keep_products"),
        "budget": "KEPT = [",
    }[p.activation_checkpointing.policy],
    "activation_checkpointing.modules": lambda p: "RECOMPUTED = (",
    "activation_checkpointing.operations": lambda p: (
        f"torch.ops.aten.{kernels_of(p.activation_checkpointing.operations[0])[0]},\n"
    ),
    "activation_checkpointing.budget_mib": lambda p: "KEPT = [",
    "activation_checkpointing.every": lambda p: (
        f"index % {p.activation_checkpointing.every} == 0"
        if p.activation_checkpointing.every > 1
        else "partial(checkpoint"
    ),
    "distillation.student": lambda p: "return distill(teacher, model, device)",
    "distillation.student_source": lambda p: "STUDENT_",
    "distillation.block_ratio": lambda p: f"block_ratio={p.distillation.block_ratio},",
    "distillation.mlp_ratio": lambda p: f"mlp_ratio={p.distillation.mlp_ratio},",
    "distillation.head_ratio": lambda p: f"head_ratio={p.distillation.head_ratio},",
    "distillation.hidden_ratio": lambda p: f"hidden_ratio={p.distillation.hidden_ratio},",
    "distillation.budget_mib": lambda p: "    shape = Shape(\n",
    "distillation.width_multiple": lambda p: f"width_multiple={p.distillation.width_multiple},",
    "distillation.teacher_logits": lambda p: "logits_ahead(model.teacher, ",
    "distillation.top_k": lambda p: f"top_k={p.distillation.top_k},",
    "distillation.teacher_precision": lambda p: (
        f"teacher.to({STORED[p.distillation.teacher_precision]})"
    ),
    "distillation.teacher_quantization": lambda p: "quantize_layers(teacher, names, kept",
    "distillation.teacher_offload": lambda p: "stream_blocks(blocks, ",
    "distillation.label_weight": lambda p: f"labels={p.distillation.label_weight},",
    "distillation.logits_weight": lambda p: f"logits={p.distillation.logits_weight},",
    "distillation.temperature": lambda p: f"temperature={p.distillation.temperature},",
    "distillation.hidden_weight": lambda p: f"hidden={p.distillation.hidden_weight},",
    "distillation.attention_weight": lambda p: f"attention={p.distillation.attention_weight},",
    "pruning.structure": lambda p: " prune(model",
    "pruning.select": lambda p: f"threshold={p.pruning.threshold},",
    "pruning.threshold": lambda p: f"threshold={p.pruning.threshold},",
    "pruning.threshold_of": lambda p: f"threshold={p.pruning.threshold},",
    "pruning.per_layer": lambda p: "per_layer=(",
    "pruning.schedule": lambda p: f'kind="{p.pruning.schedule}",',
    "pruning.first_step": lambda p: f"first_step={p.pruning.first_step},",
    "pruning.last_step": lambda p: f"last_step={p.pruning.last_step},",
    "pruning.every": lambda p: f"every={p.pruning.every},",
    "pruning.exponent": lambda p: f"exponent={p.pruning.exponent},",
    "pruning.method": lambda p: f'method="{p.pruning.method}",',
    "pruning.ratio": lambda p: f"ratio={p.pruning.ratio},",
    "pruning.scope": lambda p: "together=True,",
    "pruning.n": lambda p: f"n_m=({p.pruning.n}, {p.pruning.m}),",
    "pruning.m": lambda p: f"n_m=({p.pruning.n}, {p.pruning.m}),",
    "pruning.layers": lambda p: "PRUNED = (",
    "pruning.target_modules": lambda p: "PRUNED = (",
    "pruning.kept_as": lambda p: f'kept_as="{p.pruning.kept_as}",',
    "pruning.mlp_ratio": lambda p: f"mlp_ratio={p.pruning.mlp_ratio},",
    "pruning.width_multiple": lambda p: f"width_multiple={p.pruning.width_multiple},",
    "pruning.head_ratio": lambda p: f"head_ratio={p.pruning.head_ratio},",
    "pruning.channel_ratio": lambda p: f"channel_ratio={p.pruning.channel_ratio},",
    "pruning.block_ratio": lambda p: f"block_ratio={p.pruning.block_ratio},",
    "pruning.block_choice": lambda p: "by_influence=True,",
    "pruning.calibration_batches": lambda p: f"islice(stream, {p.pruning.calibration_batches})",
    "quantization.method": lambda p: (
        "    round_layers(model, names, formats"
        if p.quantization.method == "qat"
        else "    use_float8(model, names, on_cuda="
        if p.quantization.method == "fp8"
        else f'kept = Format(\n        "{p.quantization.method}",\n'
    ),
    "quantization.bits": lambda p: f"bits={p.quantization.bits},",
    "quantization.granularity": lambda p: f'granularity="{p.quantization.granularity}",',
    "quantization.group_size": lambda p: f"group_size={p.quantization.group_size},",
    "quantization.symmetric": lambda p: f"symmetric={p.quantization.symmetric},",
    "quantization.clipping": lambda p: "clipping=True,",
    "quantization.curve": lambda p: f'curve="{p.quantization.curve}",',
    "quantization.curvature": lambda p: f"curvature={p.quantization.curvature},",
    "quantization.double_quantization": lambda p: "double_quantization=False,",
    "quantization.layers": lambda p: "QUANTIZED = (",
    "quantization.target_modules": lambda p: "QUANTIZED = (",
    "quantization.per_layer": lambda p: _bits_shown(p),
    "quantization.round_inputs": lambda p: "rounds_inputs=True",
    "quantization.compute_type": lambda p: f"compute_type={STORED[p.quantization.compute_type]}",
    "adapters.method": lambda p: "inject_adapter_in_model(config, model)",
    "adapters.rank": lambda p: f"r={p.adapters.rank},",
    "adapters.alpha": lambda p: f"lora_alpha={p.adapters.alpha}".removesuffix(".0"),
    "adapters.dropout": lambda p: f"lora_dropout={p.adapters.dropout},",
    "adapters.target_modules": lambda p: "target_modules=[",
}
"""What of the script shows each key of a plan where it differs from the default."""
APART = ("compilation", "inference", "sharding")
"""Sections whose scripts, where there are any, have tests of their own."""


def test_every_key_of_a_plan_has_its_place_in_the_script() -> None:
    assert SHOWN.keys() == {key for key in keys() if key.partition(".")[0] not in APART}


def _can_be_carried_out(plan: Plan) -> bool:
    """No conflict; names that are drawn are no layers; chunks need a plain head."""
    try:
        check(plan, Target("cuda", (9, 0)))
    except PlanError:
        return False
    default = Plan()
    if any(getattr(plan, name) != getattr(default, name) for name in APART):
        return False
    if plan.distillation.student != "none":
        return False  # what a model lets be a student is tested in test_script_distillation.py
    whole = plan.loss.method == "whole"
    named = bool(plan.adapters.target_modules) and plan.adapters.method != "none"
    if named and plan.activation_checkpointing.policy == "budget":
        return False
    section = plan.quantization
    pruning = plan.pruning  # what a model lets be taken away is tested in test_script_pruning.py
    if pruning.structure != "none" and (
        pruning.structure != "unstructured" or pruning.layers == "named" or not whole
    ):
        return False
    if plan.optimizer.projection != "none" and plan.optimizer.rank >= 32:
        return False  # no layer of the model is larger
    return (whole or not named) and (
        section.method == "none"
        or (section.layers != "named" and (whole or section.layers != "all"))
    )


@given(plan=plans(at_most=5).filter(_can_be_carried_out))
@examples(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
def test_what_differs_from_the_default_is_written_or_reported(
    plan: Plan, llama: Model, card: Device
) -> None:
    default = Plan().to_dict()
    script = render("script", llama, plan, card)
    target, subject = find_target("accelerate"), Subject(llama, plan, card)
    unsaid = target.unsaid(subject)
    configuration = target.text(subject, unsaid)
    assert script.cannot_say == ()
    text = script.files[0].text
    compile(text, "train.py", "exec")
    for setting in settings(plan):
        for key, value in setting.values.items():
            section, _, name = key.partition(".")
            if value == (default[section][name] if name else default[section]):
                continue
            expected = SHOWN[key](plan)
            assert expected in (text.lower() if key == "optimizer.name" else text)
            reported = any(f"({setting.key}=" in sentence for sentence in unsaid)
            mixed = {"bf16_mixed": "'bf16'", "fp16_mixed": "'fp16'", "fp32": "'no'"}
            line = f"mixed_precision: {mixed.get(plan.precision)}\n"
            assert reported != (key == "precision" and line in configuration)
    assert parse_plan(render("plan", llama, plan, card).files[0].text) == plan
