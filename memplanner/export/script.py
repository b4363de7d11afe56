"""The target ``script``: a training script on torch alone that carries the whole plan.

It does what ``memplanner.techniques`` do, in the same order, so that its peak is the predicted one.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from textwrap import wrap
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from torch import nn

from memplanner.errors import PlanError
from memplanner.export.head import WIDTH, one_line, origin
from memplanner.export.layer_names import short_names
from memplanner.export.python_source import Imports, assignment, literal
from memplanner.export.script_data import META, Data, data
from memplanner.export.script_model import Building, building
from memplanner.export.script_pruning import SPARSITY_FILE, pruned_parts, sparsity_source
from memplanner.export.script_quantization import (
    LOW_BIT_FILE,
    low_bit_source,
    quantized_layers,
)
from memplanner.export.script_savers import loss_arguments, offload_arguments, saver_files
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

    def said(self, subject: Subject) -> frozenset[str]:
        """What the template knows; a key that is new to the plan is not among them."""
        return frozenset(
            {
                "training.batch_size",
                "training.sequence_length",
                "training.gradient_accumulation_steps",
                "training.zero_grad",
                "training.outputs",
                "optimizer.name",
                "optimizer.implementation",
                "optimizer.update",
                "optimizer.learning_rate",
                "optimizer.momentum",
                "optimizer.weight_decay",
                "precision",
                "attention.kernel",
                "activation_checkpointing.policy",
                "activation_checkpointing.every",
                "activation_offload.to",
                "activation_offload.pin_memory",
                "loss.method",
                "loss.chunks",
                "pruning.structure",
                "pruning.method",
                "pruning.ratio",
                "pruning.scope",
                "pruning.n",
                "pruning.m",
                "pruning.layers",
                "pruning.target_modules",
                "pruning.kept_as",
                "pruning.mlp_ratio",
                "pruning.width_multiple",
                "pruning.head_ratio",
                "pruning.block_ratio",
                "pruning.block_choice",
                "pruning.calibration_batches",
                "quantization.method",
                "quantization.bits",
                "quantization.granularity",
                "quantization.group_size",
                "quantization.symmetric",
                "quantization.clipping",
                "quantization.curve",
                "quantization.curvature",
                "quantization.double_quantization",
                "quantization.layers",
                "quantization.target_modules",
                "quantization.compute_type",
                "adapters.method",
                "adapters.rank",
                "adapters.alpha",
                "adapters.dropout",
                "adapters.target_modules",
            }
        )

    def render(self, model: Model, plan: Plan, device: Device) -> Rendering:
        """The script, and beside it the code of what the plan uses and no library has."""
        rendering = super().render(model, plan, device)
        beside = []
        if plan.pruning.structure != "none":
            beside.append(ExportedFile(name=SPARSITY_FILE, text=sparsity_source()))
        if plan.quantization.method != "none":
            beside.append(ExportedFile(name=LOW_BIT_FILE, text=low_bit_source()))
        beside += saver_files(plan)
        return Rendering((*rendering.files, *beside), rendering.cannot_say)

    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The script. Raises ``PlanError`` where the plan cannot be carried out on the model."""
        check(subject.plan, Target.of(subject.device))
        imports = Imports()
        dtype = str(stored_type(subject.plan))
        built = building(subject.model, dtype, imports)
        length = _sequence_length(subject)
        batches = data(
            subject.model,
            subject.plan.training.batch_size,
            length,
            "" if dtype == "torch.float32" else dtype,
            bool(built.tokenizer),
        )
        values = _values(subject, built, batches, dtype)
        _add_imports(imports, values)
        values["constants"] = _constants(subject, built, values)
        values["head"] = _head(subject, length, cannot_say)
        return _template().render(values, imports=imports.source())


@cache
def _template() -> Template:
    text = files("memplanner.resources").joinpath("templates/train.py.j2").read_text("utf-8")
    environment = Environment(
        autoescape=False,  # noqa: S701  (the text is Python, not HTML)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.from_string(text)


def _values(subject: Subject, built: Building, batches: Data, dtype: str) -> dict[str, Any]:
    """What the template reads, but for the constants, the head and the imports."""
    plan, model = subject.plan, subject.model
    checkpointing = plan.activation_checkpointing
    autocast = autocast_type(plan)
    optimizer_module, optimizer_name = optimizer_class(plan)
    needs_module = (
        checkpointing.policy != "none"
        or plan.adapters.method != "none"
        or plan.pruning.structure != "none"
    )
    module = model.build(META) if needs_module else nn.Module()
    pruned = pruned_parts(module, subject)
    return {
        "description": f"Train {_docstring(one_line(model.name))}",
        "definition": built.definition,
        "model_words": built.words,
        "model_lines": built.lines,
        "dtype": dtype,
        "dtype_words": _WORDS[str(stored_type(plan))],
        "half": dtype != "torch.float32",
        "attention_implementation": _attention_implementation(model, plan),
        "kernel": _KERNELS.get(plan.attention.kernel),
        "policy": checkpointing.policy,
        "every": checkpointing.every if checkpointing.policy == "every_n" else 1,
        "blocks": _blocks(module, plan),
        "pruned": pruned,
        "quantized": quantized_layers(module, subject),
        "lora": _lora(module, plan),
        "optimizer_name": optimizer_name,
        "optimizer_class": f"{optimizer_module}.{optimizer_name}",
        "optimizer_options": _optimizer_options(plan),
        "chunked_loss": loss_arguments(subject),
        "offload": offload_arguments(plan),
        "in_backward": plan.optimizer.update == "in_backward",
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
        "default_device": _default_device(subject.device),
    }


_WORDS = {"torch.float32": "fp32", "torch.bfloat16": "bf16", "torch.float16": "fp16"}


def _constants(subject: Subject, built: Building, values: dict[str, Any]) -> list[str]:
    training = subject.plan.training
    constants = [*built.constants, f"BATCH_SIZE = {training.batch_size}"]
    if subject.model.takes_sequence:
        constants.append(f"SEQUENCE_LENGTH = {_sequence_length(subject)}")
    if training.gradient_accumulation_steps > 1:
        constants.append(f"ACCUMULATION_STEPS = {training.gradient_accumulation_steps}")
    if values["blocks"]:
        constants.append(assignment("BLOCKS", values["blocks"]))
    if values["pruned"]:
        name = "PRUNED" if values["pruned"].zeros else "BLOCK_LISTS"
        constants.append(assignment(name, values["pruned"].names))
    if values["quantized"]:
        constants.append(assignment("QUANTIZED", values["quantized"].names))
    return constants


def _add_imports(imports: Imports, values: dict[str, Any]) -> None:
    for module in ("argparse", "sys", "torch"):
        imports.add(module)
    imports.add("pathlib", "Path")
    imports.add("torch", "nn")
    imports.add(
        "collections.abc", *(["Iterator"] if values["has_loss"] else ["Iterator", "Mapping"])
    )
    if any("os.getcwd" in line for line in values["model_lines"]):
        imports.add("os")
    if values["ids_shape"]:
        imports.add("itertools", "count")
    if values["accumulation"] > 1:
        imports.add("itertools", "islice")
    if values["tokenizer"]:
        imports.add("transformers", "AutoTokenizer")
    if values["kernel"]:
        imports.add("torch.nn.attention", "SDPBackend", "sdpa_kernel")
    if values["policy"] != "none" or values["in_backward"]:
        imports.add("functools", "partial")
    if values["policy"] != "none":
        imports.add("torch.utils.checkpoint", "checkpoint")
    if values["policy"] == "selective":
        names = "CheckpointPolicy", "create_selective_checkpoint_contexts"
        imports.add("torch.utils.checkpoint", *names)
    if values["optimizer_class"].startswith(("bitsandbytes", "torchao")):
        imports.add(values["optimizer_class"].rpartition(".")[0])
    pruned = values["pruned"]
    if pruned:
        names = ("Zeros", "put_zeros") if pruned.zeros else ("Smaller", "make_smaller")
        imports.add("sparsity", *names)
        if pruned.masks and not values["lora"]:
            imports.add("sparsity", "make_permanent")
        if pruned.batches:
            imports.add("itertools", "islice")
    if values["quantized"]:
        imports.add("low_bit", "Format", "quantize_layers")
        if any("installed()" in argument for argument in values["quantized"].arguments):
            imports.add("low_bit", "installed")
    if any("Conv1D" in part.classes for part in (pruned, values["quantized"]) if part):
        imports.add("transformers.pytorch_utils", "Conv1D")
    if values["chunked_loss"]:
        imports.add("chunked_loss", "chunk_loss")
    if values["offload"]:
        imports.add("kept_on_host", "keep_on_host")
    if values["lora"]:
        imports.add("peft", "LoraConfig", "inject_adapter_in_model")
    imports.add("safetensors.torch", "save_file" if values["lora"] else "save_model")


def _sequence_length(subject: Subject) -> int:
    """What the plan asks, as far as the model's positions go."""
    wanted = subject.plan.training.sequence_length
    limit = subject.model.max_sequence_length
    return wanted if limit is None else min(wanted, limit)


def _head(subject: Subject, length: int, cannot_say: tuple[str, ...]) -> str:
    """The script's docstring."""
    training = subject.plan.training
    size = "1 sample" if training.batch_size == 1 else f"{training.batch_size} samples"
    if subject.model.takes_sequence:
        size += f" of length {length}"
        if length < training.sequence_length:
            size += f" (the plan's {training.sequence_length} is beyond the model's positions)"
    if training.gradient_accumulation_steps > 1:
        size = f"{training.gradient_accumulation_steps} micro-batches of {size}"
    paragraphs = [
        f"Train {origin(subject)}, as planned with memplanner.",
        f"One step takes {size}.",
    ]
    paragraphs += [f"Not in this script: {sentence}" for sentence in cannot_say]
    wrapped = [
        "\n".join(wrap(_docstring(text), WIDTH - 4, break_long_words=False, break_on_hyphens=False))
        for text in paragraphs
    ]
    return "\n\n".join(wrapped) + "\n"


def _docstring(text: str) -> str:
    return "".join(char for char in text if char not in '"\\')


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
    if policy == "none":
        return ()
    paths = tuple(blocks.path for blocks in block_lists(module))
    if not paths:
        raise PlanError(
            f"activation_checkpointing.policy={policy} needs repeated blocks, and this model has "
            "none; choose none."
        )
    return paths


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


def _default_device(device: Device) -> str:
    if device.kind in ("cpu", "mps", "xpu"):
        return f'"{device.kind}"'
    index = f":{device.index}" if device.local and device.index else ""
    return f'"cuda{index}" if torch.cuda.is_available() else "cpu"'
