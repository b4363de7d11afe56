"""The target ``hugging_face``: TrainingArguments of transformers as YAML.

Read by ``HfArgumentParser((TrainingArguments,)).parse_yaml_file``; keys are those of
``transformers/training_args.py``. The model is the script's to load.
"""

from __future__ import annotations

from typing import Any

from memplanner.export.target import Subject
from memplanner.export.trainer import TrainerTarget, yaml_text
from memplanner.export.trainer_cards import card_values, shares_checkpoints
from memplanner.importing.optimizer_words import optimizer_words
from memplanner.model.loaded import Model
from memplanner.plan import keys
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host

MIXED = {"bf16_mixed": "bf16", "bf16_autocast": "bf16", "fp16_mixed": "fp16"}
DTYPES = {"bf16": "bfloat16", "bf16_autocast": "bfloat16", "fp16": "float16"}
_OF_SCRIPT = (
    "attention", "compilation", "activation_offload", "offload", "loss", "distillation", "pruning",
    "quantization", "adapters",
)  # fmt: skip
LOOP_WORDS = {
    "training.zero_grad": "the Trainer clears gradients after the step",
    "training.outputs": "the Trainer drops outputs with the loss",
    "sharding.replicas": "name it in the parallelism_config of an accelerate YAML",
    "sharding.data": "torch's ZeRO-1 is carried by the target script",
    "sharding.tensor": "name it in the parallelism_config of an accelerate YAML",
    "sharding.pipeline": "pipelines are carried by the target script, or torchtitan",
    "activation_checkpointing.policy": "the target script carries it",
}


class HuggingFace(TrainerTarget):
    """Batch, optimizer, precision, checkpointing and cards; the model is made by the script."""

    name = "hugging_face"
    title = "Transformers Trainer"
    explanation = "TrainingArguments as YAML, for a script that uses the Trainer."
    file_name = "training_arguments.yaml"
    opens = False
    order = 12
    language_only = False
    launched = "train.py training_arguments.yaml"
    elsewhere = {  # noqa: RUF012  (a ClassVar of the base)
        **LOOP_WORDS,
        "training.sequence_length": "cut or pad the samples to it",
        "attention.kernel": "choose attn_implementation in from_pretrained()",
        "adapters.method": "add the adapters through peft before the Trainer is made",
        "quantization.method": "give from_pretrained() a BitsAndBytesConfig for NF4; the target "
        "script carries the others",
        "precision": "load the model in the type that is planned: dtype= of from_pretrained()",
        "pruning.structure": "prune the model before, as the target script does",
        "loss.method": "patch the head and its loss, as the target script does",
    }

    def check_model(self, model: Model) -> None:
        """Takes any model: the script makes it."""

    def body(self, subject: Subject) -> str:
        """The arguments."""
        return yaml_text(argument_values(subject))

    def launch(self, subject: Subject) -> str:
        """The script is the user's own."""
        section = subject.plan.sharding
        if section.ranks == 1:
            return f"python {self.launched}"
        nodes = "" if section.nodes == 1 else f"--num_machines {section.nodes} "
        return f"accelerate launch {nodes}--num_processes {section.ranks} {self.launched}"

    def left_out(self, subject: Subject) -> frozenset[str]:
        """What the script must do, where it is not what a script does anyhow."""
        plan, usual = subject.plan.to_dict(), type(subject.plan)().to_dict()
        if shares_lie_on_host(subject.plan):  # which FSDP does
            usual["offload"] = plan["offload"]
        changed = {
            key
            for key in keys()
            if key.partition(".")[0] in _OF_SCRIPT
            and plan[key.partition(".")[0]] != usual[key.partition(".")[0]]
        }
        always = {"training.sequence_length"}
        if subject.plan.precision in DTYPES:
            always.add("precision")
        return frozenset(changed | always)


def argument_values(subject: Subject) -> dict[str, Any]:
    """Keys of TrainingArguments, those with other defaults in TRL among them."""
    plan = subject.plan
    training, section = plan.training, plan.optimizer
    recomputes = plan.activation_checkpointing.policy == "full" and not shares_checkpoints(subject)
    values: dict[str, Any] = {
        "output_dir": "output",
        "per_device_train_batch_size": training.batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "bf16": MIXED.get(plan.precision) == "bf16",
        "fp16": MIXED.get(plan.precision) == "fp16",
        **optimizer_words(section),
        "learning_rate": section.learning_rate,
        "weight_decay": section.weight_decay,
        "gradient_checkpointing": recomputes,
    }
    if recomputes:
        values["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    return values | card_values(subject)
