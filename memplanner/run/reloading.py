"""A saved compressed model, opened again as it was packed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from memplanner.errors import SourceError
from memplanner.model.hugging_face import CLASS_ERRORS, model_from_config, one_line
from memplanner.model.hugging_face_config import resolve
from memplanner.model.hugging_face_limits import bounded_modules
from memplanner.model.loaded import Model
from memplanner.model.reading import read_json
from memplanner.plan import Plan
from memplanner.plan.file import read_plan
from memplanner.run.saving import CONFIG_FILE, PLAN_FILE, TENSORS_FILE
from memplanner.techniques.base import Situation
from memplanner.techniques.prepare import techniques
from memplanner.techniques.target import Target


def load_compressed(folder: str | Path, device: str | torch.device = "cpu") -> nn.Module:
    """The module that ``apply`` saved in ``folder``, packed as it was, in evaluation mode.

    It is built without weights, every technique of its plan puts its layers in place, and the
    saved tensors become theirs: nothing is expanded or computed anew. Raises ``SourceError`` or
    ``PlanError`` where the folder is no such model.
    """
    place = Path(folder).expanduser()
    config_file = place / CONFIG_FILE
    values = read_json(config_file)
    values.pop("quantization_config", None)
    plan = read_plan(place / PLAN_FILE)
    model_class, config, _ = resolve(values, config_file, trust_code=False)
    model = model_from_config(
        model_class, config, name=place.resolve().name, source=str(place), kind="hugging_face"
    )
    module = _skeleton(model_class, config, str(config_file))
    module = _rebuilt(module, model, plan)
    _fill(module, place / TENSORS_FILE)
    return module.to(device).eval()


def _skeleton(model_class: type[Any], config: Any, origin: str) -> nn.Module:
    """Parameters without memory; buffers as the class computes them, since no file has them all."""
    from accelerate import init_empty_weights
    from transformers.initialization import no_init_weights

    try:
        with bounded_modules(origin), no_init_weights(), init_empty_weights(include_buffers=False):
            module: nn.Module = model_class(config)
    except CLASS_ERRORS as error:
        raise SourceError(
            f"{origin}: {model_class.__name__} cannot be built ({one_line(error)}); "
            "save the model again."
        ) from error
    tie: Any = getattr(module, "tie_weights", None)
    if tie is not None:
        tie()
    return module


def _rebuilt(module: nn.Module, model: Model, plan: Plan) -> nn.Module:
    """Expanded by torch's own operations, so that the module works on every device."""
    situation = Situation(model, plan, Target(), lambda block: nullcontext())
    for technique in techniques():
        module = technique.rebuild(module, situation)
    return module


def _fill(module: nn.Module, path: Path) -> None:
    """Gives each tensor its values from the file; those that were shared stay shared."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            stored = set(file.keys())
            filled: dict[int, torch.Tensor] = {}
            expected: dict[int, str] = {}
            for name, tensor in _named_tensors(module):
                expected.setdefault(id(tensor), name)
                if name in stored and id(tensor) not in filled:
                    filled[id(tensor)] = _filled(tensor, file.get_tensor(name), name, path)
    except (OSError, SafetensorError) as error:
        raise SourceError(f"{path} cannot be read ({error}); save the model again.") from error
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            for own, held in table.items():
                if held is None:
                    continue
                if id(held) in filled:
                    table[own] = filled[id(held)]  # type: ignore[assignment]  # of its own kind
                elif held.is_meta:
                    raise SourceError(f"{path} lacks {expected[id(held)]}; save the model again.")


def _named_tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Every name, also of tensors that have several."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _filled(old: torch.Tensor, new: torch.Tensor, name: str, path: Path) -> torch.Tensor:
    if old.shape != new.shape or old.dtype != new.dtype:
        raise SourceError(
            f"{path} holds {name} as {list(new.shape)} of {new.dtype} where its plan makes "
            f"{list(old.shape)} of {old.dtype}; keep the files of one model together."
        )
    if isinstance(old, nn.Parameter):
        return nn.Parameter(new, requires_grad=old.requires_grad)
    return new
