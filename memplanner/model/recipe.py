"""A recipe: a Python file with ``model()`` and ``batch(batch_size, sequence_length)``.

``model()`` returns a torch module; ``batch`` a dict of tensors, the keyword arguments of one
forward. The loss is ``.loss`` of what the module returns, else its key ``loss``, else the sum of
its first tensor.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from memplanner.errors import SourceError
from memplanner.model.counting import count
from memplanner.model.loaded import Batch, Model
from memplanner.model.losses import loss_of
from memplanner.model.reading import reason
from memplanner.model.trust import ask
from memplanner.model.user_code import META, build_module, make_batch, named_errors
from memplanner.model.user_modules import imported_anew

LARGEST_BYTES = 16 * 2**20


def load_recipe(path: Path, *, source: str, trust_code: bool = False) -> Model:
    """The model of the recipe at ``path``, whose code is run.

    Raises ``TrustNeeded`` until the user agrees to its content, and ``SourceError``.
    """
    path = path.resolve()
    code = _read(path)
    ask(source, path, hashlib.sha256(code).hexdigest(), agreed=trust_code)
    with imported_anew():
        recipe = _run(path, code)
    for name in ("model", "batch"):
        if not callable(getattr(recipe, name, None)):
            raise SourceError(
                f"{path} defines no function {name}; write model() and batch(batch_size, "
                "sequence_length)."
            )

    def build(device: torch.device) -> nn.Module:
        return build_module(recipe.model, device, origin=f"model() in {path}", file=path)

    def batch(batch_size: int, sequence_length: int, device: torch.device) -> Batch:
        return make_batch(
            lambda: recipe.batch(batch_size, sequence_length),
            device,
            origin=f"batch() in {path}",
            file=path,
        )

    module = build(META)
    counts = count(module)
    return Model(
        name=path.stem,
        class_name=type(module).__name__,
        source=source,
        kind="recipe",
        build=build,
        batch=batch,
        loss=loss_of,
        parameter_count=counts.parameters,
        trainable_parameter_count=counts.trainable,
        buffer_count=counts.buffers,
        takes_sequence=shapes(batch(1, 16, META)) != shapes(batch(1, 32, META)),
    )


def shapes(value: Any) -> Any:
    """The shapes of all tensors in a batch, in its own nesting."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, dict):
        return {name: shapes(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shapes(item) for item in value]
    return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            code = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({reason(error)}); check the path.") from error
    if len(code) > LARGEST_BYTES:
        raise SourceError(
            f"{path} is longer than {LARGEST_BYTES // 2**20} MiB, which no recipe needs; name "
            "another file."
        )
    return code


def _run(path: Path, code: bytes) -> ModuleType:
    """The file's module; files beside it can be imported by it.

    The bytes that were agreed to are what runs: neither a file that changes meanwhile nor a
    compiled one in ``__pycache__``, which could be of anything.
    """
    # A name of its own, so that a recipe called torch.py shadows nothing.
    name = "memplanner_recipe_" + hashlib.sha256(str(path).encode()).hexdigest()[:12]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses and typing look their module up there
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    with named_errors(str(path), path):
        try:
            exec(compile(code, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102  (what a recipe is for)
        except BaseException:  # forgotten, and raised again
            del sys.modules[name]
            raise
    return module
