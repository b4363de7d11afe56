"""A compressed model as a folder: its tensors as they are packed, its configuration, its plan."""

from __future__ import annotations

import json
import secrets
import shutil
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from memplanner.errors import RunError, SourceError
from memplanner.model.data import open_tokenizer
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.file import dump_plan
from memplanner.run.tensor_file import write_tensors
from memplanner.techniques.prepare import compression
from memplanner.writing import why, write_whole

TENSORS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
PLAN_FILE = "plan.yaml"
QUANT_METHOD = "memplanner"
"""In the configuration of a model whose tensors only ``load_compressed`` understands."""

_README = """\
{name}, compressed by memplanner: {summary}.

    import memplanner as mp

    model = mp.load_compressed({folder!r})
"""


def check_save(model: Model, plan: Plan, folder: Path) -> None:
    """Raises ``RunError`` where there will be nothing to save, or no place for it."""
    if plan.distillation.student != "none" and not compression(plan):
        raise RunError(
            "A student is saved by the exported script, not by a run; leave the folder out, and "
            "export the plan as a script."
        )
    if not compression(plan):
        raise RunError(
            "The plan compresses nothing, so there is nothing to save; choose quantization.method "
            "or pruning.structure, or leave the folder out."
        )
    if model.load_weights is None:
        raise RunError(
            f"{model.name} has random weights, which are not worth saving; open a source with "
            "weights, or leave the folder out."
        )
    if model.config.get("auto_map"):
        raise RunError(
            f"{model.name} is built by code that comes with it, which the folder could not carry; "
            "leave the folder out."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} is there already; name a folder that is new or empty.")


@dataclass(frozen=True, slots=True)
class Names:
    """The tensors of a module before it was compressed."""

    stored: frozenset[str] = frozenset()
    """What its state dict names."""
    computed: frozenset[str] = frozenset()
    """Buffers that its class computes anew, so that no file needs them."""

    @classmethod
    def of(cls, module: nn.Module) -> Names:
        """Those of ``module``."""
        stored = frozenset(module.state_dict(keep_vars=True))
        return cls(stored, frozenset(name for name, _ in module.named_buffers()) - stored)

    def saved(self, module: nn.Module) -> dict[str, torch.Tensor]:
        """What a file holds of ``module`` now: parameters and buffers, each once."""
        tensors: dict[str, torch.Tensor] = dict(module.named_parameters())
        tensors |= {
            name: buffer for name, buffer in module.named_buffers() if name not in self.computed
        }
        return {name: tensor.detach() for name, tensor in tensors.items()}


def save_compressed(
    folder: Path, module: nn.Module, names: Names, model: Model, plan: Plan
) -> tuple[str, ...]:
    """Writes ``folder``, whole or not at all: to a new name beside it, flushed, then renamed.

    ``names`` are those of ``module`` before it was compressed. Returns notes on what could not
    come along. Raises ``RunError``.
    """
    folder = folder.expanduser().absolute()
    new = folder.with_name(f".{folder.name[:200]}.{secrets.token_hex(6)}")
    tensors = names.saved(module)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.mkdir()
        write_tensors(new / TENSORS_FILE, tensors)
        packed = not tensors.keys() <= names.stored
        write_whole(new / CONFIG_FILE, _config(module, packed=packed))
        write_whole(new / PLAN_FILE, dump_plan(stored_plan(plan)))
        write_whole(new / "README.md", _readme(folder, model, plan))
        notes = _save_tokenizer(new, model)
        new.rename(folder)  # takes the place of an empty folder
    except OSError as error:
        raise RunError(
            f"{folder} could not be written: {why(error)}; choose another place or make room."
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return notes


def stored_plan(plan: Plan) -> Plan:
    """Of ``plan`` what the saved tensors depend on: compression, and the type they have."""
    kept = {technique.name for technique in compression(plan)} | {"precision"}
    return Plan.model_validate(
        {name: value for name, value in plan.to_dict().items() if name in kept}
    )


def _save_tokenizer(folder: Path, model: Model) -> tuple[str, ...]:
    if model.tokenizer is None:
        return ()
    try:
        open_tokenizer(model.tokenizer).save_pretrained(folder)
    except SourceError:
        return (f"{model.tokenizer} holds a tokenizer that cannot be opened; it was not saved.",)
    return ()


def _config(module: nn.Module, *, packed: bool) -> str:
    """The module's own configuration: structures that were taken out are not in it either."""
    config: Any = deepcopy(module.config)
    config.architectures = [type(module).__name__]
    values = json.loads(config.to_json_string(use_diff=False))
    if packed:
        values["quantization_config"] = {"quant_method": QUANT_METHOD}
    return json.dumps(values, indent=2) + "\n"


def _readme(folder: Path, model: Model, plan: Plan) -> str:
    names = {technique.name for technique in compression(plan)}
    parts = [f"{name}: {section.summary}" for name, section in plan.sections() if name in names]
    return _README.format(name=model.name, summary=", ".join(parts), folder=str(folder))
