"""The source ``package.module:callable``, with its inputs described one by one.

The callable is a module class or a function that returns a module; it is called without
arguments. An input is ``name=SHAPE:TYPE``, such as ``ids=BxS:int64`` or ``pixels=Bx3x224x224``.
In a shape ``B`` is the plan's batch size and ``S`` its sequence length; a plain number is fixed,
so ``2x128`` is two rows of 128 whatever the plan says. The type is one of torch's; left out, it
is float32. The module is called with the inputs by name.
"""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from memplanner.errors import SourceError
from memplanner.model.counting import count
from memplanner.model.generated import Generator
from memplanner.model.loaded import Batch, Model
from memplanner.model.losses import loss_of
from memplanner.model.trust import ask, digest_of, files_of
from memplanner.model.user_code import META, build_module, named_errors
from memplanner.model.user_modules import imported_anew

BATCH, SEQUENCE = "B", "S"
MOST_ELEMENTS = 2**40

_INPUT = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<shape>[^:=]*)(?::(?P<type>\w+))?")
_TYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool, torch.uint8,
        torch.int8, torch.int16, torch.int32, torch.int64,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Input:
    """One keyword argument of the forward: sides are numbers, ``B`` or ``S``."""

    name: str
    shape: tuple[int | str, ...]
    dtype: torch.dtype

    def make(self, generator: Generator, batch_size: int, sequence_length: int) -> torch.Tensor:
        """The tensor for a plan's sizes. Integers are 0 or 1, so that any table can hold them."""
        sizes = {BATCH: batch_size, SEQUENCE: sequence_length}
        shape = [sizes[side] if isinstance(side, str) else side for side in self.shape]
        if self.dtype.is_floating_point:
            return generator.floats(*shape).to(self.dtype)
        return generator.integers(*shape, below=2).to(self.dtype)


def parse_input(text: str) -> Input:
    """The input that ``text`` describes. Raises ``SourceError`` with the form to write."""
    match = _INPUT.fullmatch(text.strip())
    if match is None:
        raise SourceError(f"“{text[:80]}” describes no input; write it like ids=BxS:int64.")
    dtype = _TYPES.get(match["type"] or "float32")
    if dtype is None:
        raise SourceError(
            f"The input {match['name']} has the type “{match['type'][:40]}”; use one of "
            f"{', '.join(_TYPES)}."
        )
    sides: list[int | str] = []
    elements = 1
    for side in match["shape"].split("x") if match["shape"] else []:
        if side in (BATCH, SEQUENCE):
            sides.append(side)
        elif side.isdecimal() and 1 <= int(side[:16]) <= MOST_ELEMENTS and len(side) <= 16:
            sides.append(int(side))
            elements *= int(side)
        else:
            raise SourceError(
                f"The input {match['name']} has the side “{side[:40]}”; use a number, B for the "
                "batch size or S for the sequence length."
            )
    if elements > MOST_ELEMENTS:
        raise SourceError(f"The input {match['name']} has {elements} elements; make it smaller.")
    return Input(match["name"], tuple(sides), dtype)


def load_importable(source: str, inputs: Sequence[str], *, trust_code: bool = False) -> Model:
    """The model that ``source`` (``package.module:callable``) makes, whose code is run.

    Raises ``TrustNeeded`` until the user agrees to its module's content, and ``SourceError``.
    """
    described = tuple(parse_input(text) for text in inputs)
    if not described:
        raise SourceError(
            f"{source} needs its inputs described; add --input name=BxS:int64 for each argument "
            "of its forward."
        )
    with imported_anew():
        make = _import(source, trust_code)

    def build(device: torch.device) -> nn.Module:
        return build_module(make, device, origin=source)  # type: ignore[arg-type] # callable, checked

    def batch(batch_size: int, sequence_length: int, device: torch.device) -> Batch:
        generator = Generator(device)
        return {item.name: item.make(generator, batch_size, sequence_length) for item in described}

    module = build(META)
    counts = count(module)
    fixed = [item.name for item in described if BATCH not in item.shape]
    notes = (f"The size of {', '.join(fixed)} does not follow the batch size.",) if fixed else ()
    return Model(
        name=source.rpartition(":")[2],
        class_name=type(module).__name__,
        source=source,
        kind="importable",
        build=build,
        batch=batch,
        loss=loss_of,
        parameter_count=counts.parameters,
        trainable_parameter_count=counts.trainable,
        buffer_count=counts.buffers,
        takes_sequence=any(SEQUENCE in item.shape for item in described),
        notes=notes,
    )


def _import(source: str, trust_code: bool) -> object:
    module_name, _, path = source.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # as ``python -m`` would find it
        sys.path.append(here)
    files = files_of(module_name)
    if files:
        ask(source, files[-1], digest_of(files), agreed=trust_code)
    elif files is not None:  # the interpreter's own, such as sys: what is named is called
        named = hashlib.sha256(source.encode()).hexdigest()
        ask(source, Path(sys.executable), named, agreed=trust_code)
    try:
        with named_errors(source):
            found: object = importlib.import_module(module_name)
    except SourceError as error:
        cause = error.__cause__
        if (
            isinstance(cause, ModuleNotFoundError)
            and cause.name is not None
            and (module_name == cause.name or module_name.startswith(cause.name + "."))
        ):
            raise SourceError(
                f"{source} names the module {cause.name}, which Python does not find; install it "
                "or start in its folder."
            ) from cause
        raise
    for part in path.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise SourceError(f"{module_name} has no {path}; correct the name after the colon.")
    if isinstance(found, nn.Module) or not callable(found):
        raise SourceError(
            f"{source} is {type(found).__name__} and not a function or class; name one that makes "
            "the model."
        )
    return found
