"""A file that ``torch.save`` wrote: a state dict, or a checkpoint that holds one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from memplanner.model.archive import Archive
from memplanner.model.hugging_face_folder import load_folder
from memplanner.model.loaded import Model
from memplanner.model.parameter_tree import tree_model
from memplanner.model.state_dict import read_state_dict


def load_state_dict(archive: Archive, *, source: str, trust_code: bool = False) -> Model:
    """The model whose weights the archive holds; no storage is read. Raises ``SourceError``.

    With a ``config.json`` beside it that is the model opened, and its weights stay unread.
    """
    path: Path = archive.path
    if (path.parent / "config.json").is_file():
        return load_folder(path.parent, source=source, kind="state_dict", trust_code=trust_code)
    stored, shared = read_state_dict(archive)
    note = (
        f"{path.name} is a state dict, so only its tensors are known: the estimate covers "
        "parameters, gradients and optimizer state, not activations; open the model itself through "
        "a recipe file for those."
    )
    model = tree_model(stored, name=path.stem, source=source, kind="state_dict", note=note)
    if not shared:
        return model
    names = ", ".join(shared[:3]) + (" …" if len(shared) > 3 else "")
    return replace(model, notes=(*model.notes, f"Tied to others and counted once: {names}."))
