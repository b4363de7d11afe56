"""The target ``accelerate``: the file that ``accelerate launch --config_file`` takes.

Its keys are those of ``accelerate/commands/config/config_args.py: ClusterConfig``.
"""

from __future__ import annotations

from memplanner.export.accelerate_cards import cards, mixed_words
from memplanner.export.head import comment, origin
from memplanner.export.launched import LaunchedTarget
from memplanner.export.target import Subject
from memplanner.messages.protocol import RunsAs


class Accelerate(LaunchedTarget):
    """Precision, device and how processes share the work; the rest is for the script."""

    name = "accelerate"
    title = "Accelerate"
    explanation = "For accelerate launch: precision, device and cards."
    file_name = "accelerate.yaml"
    order = 20
    elsewhere = {  # noqa: RUF012  (a ClassVar of the base)
        "training.batch_size": "give it to the DataLoader",
        "training.sequence_length": "cut or pad the samples to it",
        "training.gradient_accumulation_steps": "pass it to Accelerator() and wrap each "
        "micro-batch in accelerator.accumulate(model)",
        "training.zero_grad": "call optimizer.zero_grad() at that place of the loop",
        "training.outputs": "keep or delete the model's outputs in the loop",
        "optimizer.name": "build it in the script before accelerator.prepare()",
        "optimizer.implementation": "pass foreach or fused to the optimizer, or build the one of "
        "bitsandbytes or torchao",
        "optimizer.update": "register a hook at each parameter that steps an optimizer of its own, "
        "as the script target does",
        "optimizer.learning_rate": "pass it to the optimizer as lr",
        "optimizer.weight_decay": "pass it to the optimizer",
        "precision": "cast the model with model.to() before accelerator.prepare(); "
        "mixed_precision would keep fp32 parameters",
        "attention.kernel": "choose attn_implementation when the model is built, or wrap the loop "
        "in torch.nn.attention.sdpa_kernel()",
        "compilation.mode": "compile each block in the script, as the script target does; "
        "dynamo_config would compile the whole model",
        "activation_checkpointing.policy": "wrap the blocks in torch.utils.checkpoint in the "
        "script; accelerate does so only under FSDP",
        "activation_offload.to": "run the forward in torch.autograd.graph.save_on_cpu()",
        "loss.method": "patch the head and its loss before accelerator.prepare(), as the script "
        "target does",
        "distillation.student": "train teacher and student as one module, as the script target "
        "does",
        "pruning.structure": "prune the model before accelerator.prepare(), as the script target "
        "does",
        "quantization.method": "quantize the model before accelerator.prepare(), as the script "
        "target does; for NF4, transformers' BitsAndBytesConfig does so on loading",
        "sharding.data": "build it in the script, as the script target does; accelerate drops "
        "FSDP on the CPU without a word, and knows the plan's buckets only through "
        "DistributedDataParallelKwargs",
        "sharding.tensor": "needs FSDP2 beside it: choose sharding.data=zero_3",
        "sharding.engine": "its buckets are DeepSpeed's: write the file of the target deepspeed, "
        "and name it as deepspeed_config_file in place of deepspeed_config's other keys",
        "sharding.pipeline": "accelerate has no pipelines; run it with memplanner apply, or in "
        "torchtitan",
        "sharding.expert": "accelerate deals out no experts; train with torchtitan",
        "sharding.reduction": "give Accelerator() a GradientAccumulationPlugin with "
        "sync_each_batch",
        "adapters.method": "add the adapters through peft before accelerator.prepare()",
    }

    def said(self, subject: Subject) -> frozenset[str]:
        """Precision, unless parameters themselves are in half precision."""
        halves = subject.plan.precision in ("bf16", "fp16", "bf16_autocast")
        return cards(subject).said | (frozenset() if halves else frozenset({"precision"}))

    def file(self, subject: Subject, cannot_say: tuple[str, ...], really: RunsAs | None) -> str:
        """The configuration, below a comment on what the script must do itself."""
        device, several = subject.device, cards(subject)
        alone = subject.plan.sharding.ranks == 1
        one_card = alone and device.local and device.index is not None
        lines = [
            "compute_environment: LOCAL_MACHINE",
            "debug: false",
            *several.lines,
            *([f"gpu_ids: '{device.index}'"] if one_card else []),
            "machine_rank: 0",
            "main_training_function: main",
            f"mixed_precision: '{mixed_words(subject)}'",
            f"use_cpu: {'true' if device.kind == 'cpu' else 'false'}",
        ]
        head = [
            f"accelerate launch --config_file {self.file_name} train.py",
            f"For {origin(subject)}.",
            *several.notes,
        ]
        if really is not None:
            head.append(f"What it launches {really.sentence.rstrip('.')}.")
        if cannot_say:
            head.append("What an accelerate configuration cannot say, the script must do itself:")
        return comment(head, cannot_say) + "\n" + "".join(line + "\n" for line in lines)
