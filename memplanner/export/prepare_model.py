"""What can be done to a model before a trainer opens it: ``prepare_model.py``.

Blocks, heads and widths that are taken away leave a smaller model, which its own saved
configuration describes: a trainer that has no words for pruning opens it as any other.
"""

from __future__ import annotations

from memplanner.export.head import one_line
from memplanner.export.python_source import assignment
from memplanner.export.script_distillation import trained_module
from memplanner.export.script_pruning import SPARSITY_FILE, Pruned, pruned_parts, sparsity_source
from memplanner.export.target import Subject
from memplanner.messages.protocol import ExportedFile
from memplanner.model.hugging_face import transformers_class
from memplanner.plan import Plan
from memplanner.techniques.precision import stored_type

FILE = "prepare_model.py"
FOLDER = "prepared"
"""Where the smaller model lies, beside the trainer's file."""
_FOLDERS = ("hugging_face", "hub")


def can_prepare(subject: Subject) -> bool:
    """Whether the plan's pruning can be done beforehand: to a model with weights, without data."""
    model, section = subject.model, subject.plan.pruning
    return (
        section.structure == "structured"
        and not section.needs_data
        and model.load_weights is not None
        and model.kind in _FOLDERS
        and transformers_class(model.class_name) is not None
    )


def prepared_files(subject: Subject) -> tuple[ExportedFile, ...]:
    """The script and the module that it imports; none where nothing can be done beforehand.

    Raises ``PlanError`` where the model cannot be pruned so.
    """
    if not can_prepare(subject):
        return ()
    alone = Plan(precision=subject.plan.precision, pruning=subject.plan.pruning)
    before = Subject(subject.model, alone, subject.device)
    pruned = pruned_parts(trained_module(before), before)
    if pruned is None or not pruned.configured:
        return ()
    return (
        ExportedFile(name=FILE, text=_source(before, pruned)),
        ExportedFile(name=SPARSITY_FILE, text=sparsity_source()),
    )


def _source(subject: Subject, pruned: Pruned) -> str:
    name, kind = one_line(subject.model.name), subject.model.class_name
    title = name.replace("\\", "/").replace('"', "'")
    options = "".join(f"        {option},\n" for option in pruned.options)
    made = f"Smaller(\n{options}    )" if pruned.options else "Smaller()"
    return f'''"""Make {title} smaller, as planned with memplanner, and save it for a trainer.

python {FILE}, before the trainer is started.
"""

import argparse

import torch
from sparsity import Smaller, make_smaller
from transformers import AutoTokenizer, {kind}

{assignment("MODEL", subject.model.source)}
{assignment("BLOCK_LISTS", pruned.names)}


def main() -> None:
    """Reads the command line, opens the model, makes it smaller and saves it."""
    parser = argparse.ArgumentParser(description="Make {title} smaller")
    parser.add_argument("--output", default="{FOLDER}", help="a folder for the smaller model")
    arguments = parser.parse_args()

    model = {kind}.from_pretrained(MODEL, dtype={stored_type(subject.plan)})
    chosen = {made}
    make_smaller(model, chosen, BLOCK_LISTS)
    model.save_pretrained(arguments.output)
    print(f"{{model.num_parameters()}} parameters in {{arguments.output}}")
    try:
        AutoTokenizer.from_pretrained(MODEL).save_pretrained(arguments.output)
    except (OSError, ValueError):
        print(f"{{MODEL}} has no tokenizer; put one into {{arguments.output}}.")


if __name__ == "__main__":
    main()
'''
