"""Where a model of transformers can be cut into stages: seen on a weightless forward.

Every block is asked to hand on what it gets, and hooks note what runs before the first one and
after the last. What runs before belongs to the first stage, what runs after to the last.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.model.loaded import Batch, Model

META = torch.device("meta")
_LENGTH = 16
"""Tokens of the forward that is looked at."""
_LABELS = ("labels", "start_positions", "end_positions", "next_sentence_label")
_REFUSED = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError,
            TypeError, ValueError)  # fmt: skip
"""What a model's own code raises for blocks that do nothing, or for a part of it left out."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The parts of one model, as dotted paths."""

    name: str
    base: str
    """The module without its head; empty for the model itself."""
    blocks: str
    count: int
    before: tuple[str, ...]
    """What only the first stage has."""
    after: tuple[str, ...]
    """What only the last stage has."""
    main_input: str
    """What the first stage takes."""
    handed_as: str
    """By which name the later ones take what the stage before hands on."""
    hidden: tuple[int, ...]
    """The shape behind the samples of what is handed on, of a sequence of ``length``."""
    length: int
    block_bytes: tuple[int, ...]
    before_bytes: int
    after_bytes: int
    tied: tuple[str, str] | None
    """An embedding and a head that share their weight: the first stage's, and the last one's."""

    def hidden_shape(self, batch: Batch) -> tuple[int, ...]:
        """The shape of what one stage hands to the next for ``batch``, the first stage's inputs."""
        given = batch[self.main_input]
        rest = self.hidden
        if self.main_input == "input_ids" and rest[0] == self.length:
            rest = (given.shape[1], *rest[1:])
        return (given.shape[0], *rest)

    def inputs_of(self, batch: Batch, *, first: bool, last: bool) -> Batch:
        """What a stage needs of a micro-batch: the main input, labels, and what all look at."""
        own = {self.main_input} if first else set()
        labels = set(_LABELS) if last else set()
        elsewhere = {self.main_input, *_LABELS} - own - labels
        return {name: value for name, value in batch.items() if name not in elsewhere}


_known: WeakKeyDictionary[Model, Anatomy] = WeakKeyDictionary()


def anatomy(model: Model, module: nn.Module | None = None) -> Anatomy:
    """Where ``model`` can be cut; ``module`` is its weightless copy, which comes back as it was.

    Raises ``PlanError`` where it cannot.
    """
    known = _known.get(model)
    if known is None:
        whole = model.build(META) if module is None else module
        known = _known[model] = _looked_at(model, whole)
    return known


def cannot(name: str, why: str) -> PlanError:
    """The error for a model that is not cut."""
    return PlanError(
        f"{name} cannot be cut into stages: {why}; choose sharding.pipeline=1, and ZeRO-3 or "
        "tensor parallel to split it."
    )


def _looked_at(model: Model, module: nn.Module) -> Anatomy:
    from transformers import PreTrainedModel

    if not isinstance(module, PreTrainedModel) or module.config.is_encoder_decoder:
        raise cannot(model.name, "only decoders and encoders of transformers hand one tensor on")
    if getattr(module.config, "output_router_logits", False):
        raise cannot(model.name, "its loss looks at the routers of all blocks")
    lists = block_lists(module)
    prefix = str(module.base_model_prefix)
    base_path = prefix if prefix and hasattr(module, prefix) else ""
    base: Any = module.get_submodule(base_path)
    inside = base_path + "." if base_path else ""
    if len(lists) != 1 or not lists[0].path.startswith(inside):
        raise cannot(model.name, "its blocks do not form one list")
    blocks = module.get_submodule(lists[0].path)
    batch = model.batch(1, _LENGTH, META)
    accepted = inspect.signature(base.forward).parameters
    main_input = "input_ids" if "input_ids" in batch else "pixel_values"
    handed_as = "inputs_embeds" if main_input == "input_ids" else main_input
    if main_input not in batch or handed_as not in accepted:
        raise cannot(model.name, "its later blocks cannot be given hidden states")
    before, after, hidden = _order(model, module, lists[0].path, batch)
    for path in {"", *_between("", lists[0].path)}:
        if next(module.get_submodule(path).parameters(recurse=False), None) is not None:
            raise cannot(
                model.name, f"{path or type(module).__name__} has weights beside its parts"
            )
    sizes = [_bytes([block]) for block in blocks.children()]
    return Anatomy(
        name=model.name,
        base=base_path,
        blocks=lists[0].path,
        count=len(sizes),
        before=before,
        after=after,
        main_input=main_input,
        handed_as=handed_as,
        hidden=hidden,
        length=_LENGTH,
        block_bytes=tuple(sizes),
        before_bytes=_bytes([module.get_submodule(path) for path in before]),
        after_bytes=_bytes([module.get_submodule(path) for path in after]),
        tied=_tied(model, module, before, after),
    )


class Answering(TorchDispatchMode):
    """Answers what a model's code asks of weightless values: that masks are plain."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own lack of types

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return True if args[0].dtype is torch.bool else 0
        return func(*args, **(kwargs or {}))


class _Through(nn.Module):
    """Stands for a block: hands on what it gets, and answers for the block's settings."""

    def __init__(self, block: nn.Module, seen: list[Any]) -> None:
        super().__init__()
        self.__dict__["_block"], self.__dict__["_seen"] = block, seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_block"], name)

    def forward(self, hidden: torch.Tensor, *given: Any, **named: Any) -> torch.Tensor:
        """What came in."""
        self._seen.append(hidden)
        return hidden


@contextmanager
def blocks_handing_on(module: nn.Module, path: str) -> Iterator[list[Any]]:
    """Inside it, blocks hand on what they get; yields a list that they note it in."""
    container, seen = module.get_submodule(path), []  # type: ignore[var-annotated]  # two at once
    whole = dict(container._modules)
    container._modules = {name: _Through(block, seen) for name, block in whole.items() if block}
    try:
        yield seen
    finally:
        container._modules = whole


def _order(
    model: Model, module: nn.Module, path: str, batch: Batch
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    """What runs before the blocks and after them, and the shape that the blocks hand on."""
    candidates = [name for name in _beside(module, path)
                  if _matters(module.get_submodule(name))]  # fmt: skip
    early: set[str] = set()
    with blocks_handing_on(module, path) as seen:

        def note(name: str) -> Any:
            return lambda *given: None if seen else early.add(name)

        hooks = [
            module.get_submodule(name).register_forward_pre_hook(note(name)) for name in candidates
        ]
        try:
            with torch.no_grad(), Answering():
                module(**batch)
        except _REFUSED as error:
            raise cannot(model.name, "its blocks hand on more than hidden states") from error
        finally:
            for hook in hooks:
                hook.remove()
    if not seen or not all(isinstance(hidden, torch.Tensor) for hidden in seen):
        raise cannot(model.name, "its blocks hand on more than hidden states")
    before = tuple(name for name in candidates if name in early)
    after = tuple(name for name in candidates if name not in early)
    return before, after, tuple(seen[0].shape[1:])


def _matters(module: nn.Module) -> bool:
    """Whether a module may run on one stage only: it has weights, or drops at random."""
    return isinstance(module, nn.Dropout) or next(module.parameters(), None) is not None


def _between(base: str, path: str) -> Iterator[str]:
    """The paths from below ``base`` to the parent of ``path``."""
    names = path.split(".")
    for count in range(1, len(names)):
        yield ".".join(names[:count])


def _beside(module: nn.Module, path: str) -> Iterator[str]:
    """The modules beside the list of blocks and beside what it lies in."""
    for parent in ("", *_between("", path)):
        for name, _ in module.get_submodule(parent).named_children():
            child = f"{parent}.{name}" if parent else name
            if child != path and not path.startswith(child + "."):
                yield child


def _bytes(modules: list[nn.Module]) -> int:
    return sum(weight.nbytes for module in modules for weight in module.parameters())


def _tied(
    model: Model, module: nn.Module, before: tuple[str, ...], after: tuple[str, ...]
) -> tuple[str, str] | None:
    """The names of a weight that both ends share."""
    first = {id(weight): f"{path}.{name}" for path in before
             for name, weight in module.get_submodule(path).named_parameters()}  # fmt: skip
    shared = [(first[id(weight)], f"{path}.{name}") for path in after
              for name, weight in module.get_submodule(path).named_parameters()
              if id(weight) in first]  # fmt: skip
    if len(shared) > 1:
        raise cannot(model.name, "several of its weights lie at both ends")
    return shared[0] if shared else None
