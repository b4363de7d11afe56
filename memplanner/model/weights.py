"""Stored weights: found beside a configuration, compared with a module, copied into it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from memplanner.errors import SourceError
from memplanner.model.safetensors_header import INDEX_ENDING, read_index, read_safetensors
from memplanner.model.tensors import StoredTensor

ADAPTER = "adapter_config.json"
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model.pt")


def find_weights(folder: Path) -> tuple[StoredTensor, ...]:
    """The tensors of the safetensors files in ``folder``; empty when there are none."""
    index = folder / ("model" + INDEX_ENDING)
    if index.is_file():
        return read_index(index)
    file = folder / "model.safetensors"
    return read_safetensors(file) if file.is_file() else ()


def pickled_weights(folder: Path) -> str | None:
    """The name of a pickle of weights in ``folder``, which is left unread."""
    return next((name for name in _PICKLES if (folder / name).is_file()), None)


def compare(module: nn.Module, stored: Sequence[StoredTensor], origin: str) -> tuple[str, ...]:
    """Notes on what ``stored`` lacks of ``module`` or has beyond it.

    Names are compared as they stand, with and without the base model's prefix; where they differ
    but the number of elements agrees, transformers renames or merges them on loading. Raises
    ``SourceError`` where a tensor has another size than the module's.
    """
    wanted = _state(module)
    prefix = str(getattr(module, "base_model_prefix", "")) + "."
    matched: set[str] = set()
    unexpected: dict[str, int] = {}
    ignored = _ignored(module)
    for tensor in stored:
        name = _own_name(tensor.name, wanted, prefix)
        if name is None:
            if not any(pattern.search(tensor.name) for pattern in ignored):
                unexpected[tensor.name] = tensor.elements
            continue
        matched.add(name)
        if wanted[name].numel() != tensor.elements:
            raise SourceError(
                f"{tensor.path} holds {tensor.name} as {list(tensor.shape)} where {origin} "
                f"describes {list(wanted[name].shape)}; open the files of one model together."
            )
    missing = _missing(wanted, matched)
    left = sum(wanted[name].numel() for name in missing)
    if left == sum(unexpected.values()):
        return ()
    notes = []
    if missing:
        notes.append(f"The weights lack {_names(missing)}, which start random.")
    if unexpected:
        notes.append(f"The weights hold {_names(list(unexpected))}, which the model does not have.")
    return tuple(notes)


def loader(
    model_class: type[Any], config: Any, folder: Path, stored: Sequence[StoredTensor]
) -> Callable[[nn.Module], None]:
    """A function that fills a module, built from ``config``, with the weights in ``folder``."""

    def load_weights(module: nn.Module) -> None:
        if _fits_as_it_stands(module, stored):
            _copy_tensors(module, stored)
        else:
            # Given the tensors, transformers looks for no other file, which could be an adapter, a
            # pickle, or elsewhere.
            given = {"config": config, "state_dict": dict(_tensors(stored))}
            copy_from_transformers(module, model_class, None, folder, **given)

    return load_weights


def copy_from_transformers(
    module: nn.Module, model_class: type[Any], place: Path | None, origin: Path, **options: Any
) -> None:
    """Fills ``module`` with what ``model_class.from_pretrained`` reads, renames and merges.

    ``place`` is what it reads, None where ``options`` hold the tensors; ``origin`` is named where
    that fails. Needs the memory of a second copy while it runs. Raises ``SourceError``.
    """
    from safetensors import SafetensorError

    from memplanner.model.hugging_face import CLASS_ERRORS, one_line
    from memplanner.model.hugging_face_limits import without_hub

    try:
        with _no_progress_bars(), without_hub():
            loaded = model_class.from_pretrained(
                place, local_files_only=True, use_safetensors=True, dtype=torch.float32, **options
            )
        with torch.no_grad():
            module.load_state_dict(loaded.state_dict())
    except (*CLASS_ERRORS, SafetensorError) as error:
        raise SourceError(
            f"The weights in {origin} cannot be loaded into {model_class.__name__} "
            f"({one_line(error)}); check that its files belong together."
        ) from error


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """The run has a progress list of its own."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _copy_tensors(module: nn.Module, stored: Sequence[StoredTensor]) -> None:
    """Copies one tensor at a time, so that no second copy of the model is held."""
    wanted = _state(module)
    with torch.no_grad():
        for name, tensor in _tensors([tensor for tensor in stored if tensor.name in wanted]):
            wanted[name].copy_(tensor)


def _tensors(stored: Sequence[StoredTensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Each with its name, file by file. Raises ``SourceError``."""
    from safetensors import SafetensorError, safe_open

    by_file: dict[Path, list[str]] = {}
    for tensor in stored:
        by_file.setdefault(tensor.path, []).append(tensor.name)
    for path, names in by_file.items():
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                for name in names:
                    yield name, file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise SourceError(f"{path} cannot be read ({error}); download it again.") from error


def _fits_as_it_stands(module: nn.Module, stored: Sequence[StoredTensor]) -> bool:
    wanted = _state(module)
    names = {tensor.name for tensor in stored}
    return not _missing(wanted, names) and all(
        tensor.shape == wanted[tensor.name].shape for tensor in stored if tensor.name in wanted
    )


def _state(module: nn.Module) -> dict[str, torch.Tensor]:
    return dict(module.state_dict(keep_vars=True))


def _missing(wanted: dict[str, torch.Tensor], matched: set[str]) -> list[str]:
    """Names of tensors that no stored one fills, directly or through a tensor they share."""
    filled = {id(wanted[name]) for name in matched if name in wanted}
    return [name for name, tensor in wanted.items() if id(tensor) not in filled]


def _ignored(module: nn.Module) -> list[re.Pattern[str]]:
    """Names that old checkpoints hold and the class does without, such as rotary frequencies."""
    patterns = getattr(module, "_keys_to_ignore_on_load_unexpected", None) or ()
    return [re.compile(pattern) for pattern in (*patterns, r"rotary_emb\.inv_freq$")]


def _own_name(name: str, wanted: dict[str, torch.Tensor], prefix: str) -> str | None:
    for candidate in (name, prefix + name, name.removeprefix(prefix)):
        if candidate in wanted:
            return candidate
    return None


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
