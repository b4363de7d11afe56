"""The target ``script``: a training script on torch alone that carries the whole plan.

It does what ``memplanner.techniques`` do, in the same order, so that its peak is the predicted one.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from torch import nn

from memplanner.errors import ExportError, PlanError
from memplanner.export.head import one_line
from memplanner.export.layer_names import short_names
from memplanner.export.python_source import Imports, assignment, literal
from memplanner.export.script_checkpointing import checkpointing_values
from memplanner.export.script_compilation import compiled_values
from memplanner.export.script_data import META, Data, data
from memplanner.export.script_distillation import (
    built_type,
    distillation_constants,
    distillation_files,
    distilled_parts,
    trained_module,
)
from memplanner.export.script_generation import (
    INFERENCE_KEYS,
    generation_files,
    use_head,
    used_parts,
    without_training,
)
from memplanner.export.script_head import docstring, head, sequence_length
from memplanner.export.script_imports import add_imports
from memplanner.export.script_keys import KEYS
from memplanner.export.script_model import Building, building
from memplanner.export.script_optimizer import optimizer_files, projected_layers
from memplanner.export.script_parallel import names_blocks, parallel_files
from memplanner.export.script_pruning import SPARSITY_FILE, pruned_parts, sparsity_source
from memplanner.export.script_quantization import (
    LOW_BIT_FILE,
    low_bit_source,
    quantized_layers,
)
from memplanner.export.script_savers import (
    host_values,
    loss_arguments,
    offload_arguments,
    saver_files,
)
from memplanner.export.script_sharding import sharding_parts
from memplanner.export.target import ExportTarget, Rendering, Subject
from memplanner.messages.device import Device
from memplanner.messages.protocol import ExportedFile
from memplanner.model.blocks import block_lists
from memplanner.model.hugging_face import transformers_class
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.techniques.layer_choice import linear_names
from memplanner.techniques.optimizer import optimizer_class
from memplanner.techniques.precision import autocast_type, stored_type
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target

_KERNELS = {
    "math": "MATH",
    "flash": "FLASH_ATTENTION",
    "efficient": "EFFICIENT_ATTENTION",
    "cudnn": "CUDNN_ATTENTION",
}
_WALKS = {"for_loop": "foreach=False", "foreach": "foreach=True", "fused": "fused=True"}
_LABELS = frozenset({"labels", "start_positions"})
"""With one of these a transformers class returns its loss."""


class Script(ExportTarget):
    """Runs without memplanner; only the parts that the plan uses are in it."""

    name = "script"
    title = "PyTorch script"
    explanation = "A training script that carries the whole plan."
    file_name = "train.py"
    order = 10
    carries_use = True

    def said(self, subject: Subject) -> frozenset[str]:
        """What the template knows; a key that is new to the plan is not among them."""
        used = subject.plan.inference.use != "training"
        return KEYS | INFERENCE_KEYS if used else KEYS

    def render(self, model: Model, plan: Plan, device: Device) -> Rendering:
        """The script, and beside it the code of what the plan uses and no library has."""
        rendering = super().render(model, plan, device)
        beside = []
        if plan.pruning.structure != "none":
            beside.append(ExportedFile(name=SPARSITY_FILE, text=sparsity_source()))
        packs_cache = plan.inference.use == "generation" and plan.inference.cache == "quantized"
        if plan.quantization.method != "none" or packs_cache:
            beside.append(ExportedFile(name=LOW_BIT_FILE, text=low_bit_source()))
        beside += [*saver_files(plan), *parallel_files(plan)]
        if plan.inference.use != "training":
            first = rendering.files[0].model_copy(update={"name": f"{plan.inference.use}.py"})
            return Rendering((first, *beside, *generation_files(plan)), rendering.cannot_say)
        beside += optimizer_files(plan)
        beside += distillation_files(plan)
        return Rendering((*rendering.files, *beside), rendering.cannot_say)

    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The script. Raises ``PlanError`` where the plan cannot be carried out on the model."""
        check(subject.plan, Target.of(subject.device))
        used = used_parts(subject)
        if used is not None:
            subject = without_training(subject)
        imports = Imports()
        dtype = str(stored_type(subject.plan))
        built = building(subject.model, built_type(subject.plan), imports)
        training = subject.plan.training
        length = sequence_length(subject) if used is None else training.sequence_length
        batches = data(
            subject.model,
            training.batch_size,
            length,
            "" if dtype == "torch.float32" else dtype,
            bool(built.tokenizer),
        )
        values = _values(subject, built, batches, dtype)
        values["distilled"] = distilled_parts(subject, imports)
        values["sharded"] = sharding_parts(subject)
        values["used"] = used
        if used is not None:
            values["description"] = f"Use {docstring(one_line(subject.model.name))}"
            values["has_loss"] = values["has_loss"] or not (
                values["pruned"] and values["pruned"].batches
            )
        add_imports(imports, values)
        values["constants"] = _constants(subject, built, values)
        if used is None:
            values["head"] = head(subject, length, cannot_say)
        else:
            values["head"] = use_head(subject, cannot_say)
        name = "train.py.j2" if used is None else "generate.py.j2"
        return _template(name).render(values, imports=imports.source())


@cache
def _template(name: str) -> Template:
    folder = files("memplanner.resources").joinpath("templates")
    environment = Environment(
        loader=FunctionLoader(lambda one: folder.joinpath(one).read_text("utf-8")),
        autoescape=False,  # noqa: S701  (the text is Python, not HTML)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(name)


def _values(subject: Subject, built: Building, batches: Data, dtype: str) -> dict[str, Any]:
    """What the template reads, but for the constants, the head and the imports."""
    plan, model = subject.plan, subject.model
    checkpointing = plan.activation_checkpointing
    autocast = autocast_type(plan)
    optimizer_module, optimizer_name = optimizer_class(plan)
    needs_module = (
        checkpointing.policy != "none"
        or plan.compilation.mode != "none"
        or plan.activation_offload.modules
        or plan.adapters.method != "none"
        or plan.pruning.structure != "none"
        or plan.quantization.method != "none"
        or plan.optimizer.projection != "none"
    )
    module = trained_module(subject) if needs_module else nn.Module()
    pruned = pruned_parts(module, subject)
    return {
        "description": f"Train {docstring(one_line(model.name))}",
        "definition": built.definition,
        "model_words": built.words,
        "model_lines": built.lines,
        "dtype": dtype,
        "dtype_words": _WORDS[str(stored_type(plan))],
        "half": dtype != "torch.float32",
        "attention_implementation": _attention_implementation(model, plan),
        "kernel": _KERNELS.get(plan.attention.kernel),
        "around": _around(plan),
        "policy": checkpointing.policy,
        "every": checkpointing.every if checkpointing.policy == "every_n" else 1,
        "blocks": _blocks(module, plan),
        **checkpointing_values(module, subject),
        "pruned": pruned,
        "projected": projected_layers(module, subject),
        "quantized": quantized_layers(module, subject),
        "lora": _lora(module, plan),
        "optimizer_name": optimizer_name,
        "optimizer_class": f"{optimizer_module}.{optimizer_name}",
        "optimizer_options": _optimizer_options(plan),
        **compiled_values(module, plan),
        "chunked_loss": loss_arguments(subject),
        "offload": offload_arguments(plan),
        **host_values(subject),
        "in_backward": plan.optimizer.update == "in_backward",
        "names_blocks": names_blocks(plan),
        "batch_lines": batches.lines,
        "nested_recipe": model.kind == "recipe" and batches.nested,
        "recipe": model.kind == "recipe",
        "ids_shape": batches.ids_shape,
        "ids_count": batches.ids_count,
        "vocabulary": batches.vocabulary,
        "tokenizer": built.tokenizer,
        "has_loss": model.kind not in ("recipe", "importable")
        and not _LABELS.isdisjoint(model.batch(1, 16, META)),
        "autocast": None if autocast is None else str(autocast),
        "scaled": plan.precision == "fp16_mixed",
        "accumulation": plan.training.gradient_accumulation_steps,
        "zero_grad": plan.training.zero_grad,
        "outputs": plan.training.outputs,
        "accelerator": "xpu" if subject.device.kind == "xpu" else "cuda",
        "default_device": _default_device(subject),
    }


def _around(plan: Plan) -> str:
    """What training runs in, as source; empty for nothing."""
    kernel, section = _KERNELS.get(plan.attention.kernel), plan.sharding
    contexts = [f"sdpa_kernel(SDPBackend.{kernel})"] if kernel else []
    if section.splits_loss and section.pipeline == 1:  # stages see to it themselves
        contexts.append("splitting_loss(PLAN)")
    return ", ".join(contexts)


_WORDS = {"torch.float32": "fp32", "torch.bfloat16": "bf16", "torch.float16": "fp16"}


def _constants(subject: Subject, built: Building, values: dict[str, Any]) -> list[str]:
    training = subject.plan.training
    constants = [*built.constants, f"BATCH_SIZE = {training.batch_size}"]
    if subject.model.takes_sequence:
        constants.append(f"SEQUENCE_LENGTH = {sequence_length(subject)}")
    if values["used"] and values["used"].generates:
        constants.append(f"NEW_TOKENS = {subject.plan.inference.new_tokens}")
    if values["sharded"]:
        constants.append(f"RANKS = {values['sharded'].ranks}")
        if values["sharded"].units:
            constants.append(assignment("UNITS", values["sharded"].units))
        constants += values["sharded"].constants
    if training.gradient_accumulation_steps > 1:
        constants.append(f"ACCUMULATION_STEPS = {training.gradient_accumulation_steps}")
    if values["recomputed"]:
        constants.append(assignment("RECOMPUTED", values["recomputed"]))
    if values["offloaded"]:
        constants.append(assignment("OFFLOADED", values["offloaded"]))
    if values["blocks"] and values["policy"] != "budget":
        constants.append(assignment("BLOCKS", values["blocks"]))
    if values["compiled"]:
        constants.append(assignment("COMPILED", values["compiled"]))
    if values["streamed"]:
        constants.append(assignment("STREAMED", values["streamed"]))
    if values["pruned"]:
        name = "PRUNED" if values["pruned"].zeros else "BLOCK_LISTS"
        constants.append(assignment(name, values["pruned"].names))
    if values["projected"]:
        constants.append(assignment("PROJECTED", values["projected"].names))
    if values["distilled"]:
        constants += distillation_constants(values["distilled"])
    if values["quantized"]:
        constants.append(assignment("QUANTIZED", values["quantized"].names))
        if values["quantized"].own_names:
            constants.append(assignment("OWN_BITS", values["quantized"].own_names))
    return constants


def _attention_implementation(model: Model, plan: Plan) -> str | None:
    """What the model's own code is told, where its class can be told."""
    known = transformers_class(model.class_name)
    if model.set_attention is None or known is None or not known._can_set_attn_implementation():
        return None
    if plan.attention.kernel == "eager":
        return "eager"
    return "sdpa" if getattr(known, "_supports_sdpa", False) else None


def _blocks(module: nn.Module, plan: Plan) -> tuple[str, ...]:
    policy = plan.activation_checkpointing.policy
    if policy in ("none", "named"):
        return ()
    paths = tuple(blocks.path for blocks in block_lists(module))
    if not paths:
        raise PlanError(
            f"activation_checkpointing.policy={policy} needs repeated blocks, and this model has "
            "none; choose none."
        )
    return paths


def _names_block(name: str) -> bool:
    return any(part.isdecimal() for part in name.split("."))


def _lora(module: nn.Module, plan: Plan) -> dict[str, Any] | None:
    section = plan.adapters
    if section.method == "none":
        return None
    targets = list(section.target_modules) or short_names(module, linear_names(module))
    if not targets:
        raise PlanError(
            "adapters.method=lora finds no linear layer in this model; name layers in "
            "adapters.target_modules or choose none."
        )
    if plan.sharding.pipeline > 1 and any(map(_names_block, targets)):
        raise ExportError(
            "The script gives each stage's layers adapters by the ends of their names, and "
            "adapters.target_modules names layers of single blocks; choose names such as q_proj, "
            "or sharding.pipeline=1."
        )
    alpha = int(section.alpha) if section.alpha.is_integer() else section.alpha
    return {
        "rank": section.rank,
        "alpha": alpha,
        "dropout": section.dropout,
        "targets": literal(targets, before=23, indent=8, after=1),
    }


def _optimizer_options(plan: Plan) -> list[str]:
    section = plan.optimizer
    options = [f"lr={section.learning_rate!r}", f"weight_decay={section.weight_decay!r}"]
    if section.name in ("sgd", "rmsprop") and section.momentum:
        options.append(f"momentum={section.momentum!r}")
    if section.implementation in _WALKS:
        options.append(_WALKS[section.implementation])
    return options


def _default_device(subject: Subject) -> str:
    device = subject.device
    if device.kind in ("cpu", "mps", "xpu"):
        return f'"{device.kind}"'
    alone = subject.plan.sharding.ranks == 1  # else each rank has a card of its own
    index = f":{device.index}" if alone and device.local and device.index else ""
    return f'"cuda{index}" if torch.cuda.is_available() else "cpu"'
