"""The target ``accelerate``: the file that ``accelerate launch --config_file`` takes.

Its keys are those of ``accelerate/commands/config/config_args.py: ClusterConfig``.
"""

from __future__ import annotations

from memplanner.export.head import comment, origin
from memplanner.export.target import ExportTarget, Subject
from memplanner.techniques.precision import mixed_precision


class Accelerate(ExportTarget):
    """Precision and device of one process; the rest is for the script that it launches."""

    name = "accelerate"
    title = "Accelerate"
    explanation = "For accelerate launch: precision and device."
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
        "activation_checkpointing.policy": "wrap the blocks in torch.utils.checkpoint in the "
        "script; accelerate does so only under FSDP",
        "activation_offload.to": "run the forward in torch.autograd.graph.save_on_cpu()",
        "loss.method": "patch the head and its loss before accelerator.prepare(), as the script "
        "target does",
        "pruning.structure": "prune the model before accelerator.prepare(), as the script target "
        "does",
        "quantization.method": "quantize the model before accelerator.prepare(), as the script "
        "target does; for NF4, transformers' BitsAndBytesConfig does so on loading",
        "adapters.method": "add the adapters through peft before accelerator.prepare()",
    }

    def said(self, subject: Subject) -> frozenset[str]:
        """Precision, unless parameters themselves are in half precision."""
        halves = subject.plan.precision in ("bf16", "fp16", "bf16_autocast")
        return frozenset() if halves else frozenset({"precision"})

    def text(self, subject: Subject, cannot_say: tuple[str, ...]) -> str:
        """The configuration, below a comment on what the script must do itself."""
        device = subject.device
        mixed = mixed_precision(subject.plan)
        lines = [
            "compute_environment: LOCAL_MACHINE",
            "debug: false",
            "distributed_type: 'NO'",
            *([f"gpu_ids: '{device.index}'"] if device.local and device.index is not None else []),
            "machine_rank: 0",
            "main_training_function: main",
            f"mixed_precision: '{mixed}'",
            "num_machines: 1",
            "num_processes: 1",
            f"use_cpu: {'true' if device.kind == 'cpu' else 'false'}",
        ]
        head = [
            f"accelerate launch --config_file {self.file_name} train.py",
            f"For {origin(subject)}.",
        ]
        if cannot_say:
            head.append("What an accelerate configuration cannot say, the script must do itself:")
        return comment(head, cannot_say) + "\n" + "".join(line + "\n" for line in lines)
