"""``load``: which source a name means, and how it is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from memplanner.errors import SourceError, printable
from memplanner.model.loaded import Model
from memplanner.model.pickled import first_bytes, refuse_pickle
from memplanner.model.presets import PREFIX
from memplanner.model.reading import reason
from memplanner.model.safetensors_header import INDEX_ENDING

ONNX, ZIP, HDF5 = ".onnx", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_IMPORTABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
_FILES = (
    ".json", ".safetensors", ".gguf", ".py", ".pt", ".pth", ".bin", ".ckpt", ".pt2", ".onnx",
    ".keras", ".h5",
)  # fmt: skip
_KINDS = (
    "a preset:name, a folder with config.json, a .safetensors, .gguf, .pt, .pt2, .onnx, .keras or "
    ".py file, a package.module:callable or a hub id like org/name"
)


def load(source: str | Path, *, inputs: Sequence[str] = (), trust_code: bool = False) -> Model:
    """The model that ``source`` names; nothing but headers and configurations is read.

    ``inputs`` describe what an importable takes, such as ``ids=BxS:int64``. ``trust_code`` lets
    code run: that of a recipe or importable, which is kept and not asked for again, or what comes
    with a Hugging Face model. Without it such a source raises ``TrustNeeded``.
    Raises ``SourceError`` with one sentence for whatever cannot be opened. Its name and notes are
    text, whatever the files are called.

    >>> model = load("preset:smollm2-135m")
    >>> model.class_name, model.parameter_count
    ('LlamaForCausalLM', 134515008)
    """
    opened = _open(str(source), inputs, trust_code)
    return replace(
        opened,
        name=printable(opened.name),
        notes=tuple(map(printable, opened.notes)),
        inputs=tuple(inputs),
        trust_code=trust_code,
    )


def is_program(source: str) -> bool:
    """Whether ``source`` names a recipe or an importable, whose opening runs it."""
    if source.startswith(PREFIX):
        return False
    return source.lower().endswith(".py") or _IMPORTABLE.fullmatch(source) is not None


def _open(name: str, inputs: Sequence[str], trust_code: bool) -> Model:
    if name.startswith(PREFIX):
        from memplanner.model.preset import load_preset

        return load_preset(name)
    try:
        name.encode()  # else a message about the model could not be written
        path = Path(name).expanduser()
        is_folder, is_file = path.is_dir(), path.is_file()
    except UnicodeEncodeError as error:
        raise SourceError(f"{name!a} is not named in UTF-8; rename it.") from error
    except (OSError, RuntimeError, ValueError) as error:  # too long, ~nobody, a zero byte
        text = reason(error) if isinstance(error, OSError) else str(error)
        raise SourceError(f"“{name[:80]}” is no valid path ({text}); name another.") from error
    if is_folder:
        from memplanner.model.hugging_face_folder import load_folder

        return load_folder(path, source=name, trust_code=trust_code)
    if is_file:
        return _load_file(path, name, trust_code=trust_code)
    if _IMPORTABLE.fullmatch(name):
        from memplanner.model.importable import load_importable

        return load_importable(name, inputs, trust_code=trust_code)
    if _HUB_ID.fullmatch(name) and path.suffix.lower() not in _FILES:
        from memplanner.model.hub import load_hub

        return load_hub(name, trust_code=trust_code)
    raise SourceError(f"“{name[:200]}” is not there; name {_KINDS}.")


def _load_file(path: Path, source: str, *, trust_code: bool) -> Model:
    ending = path.suffix.lower()
    if path.name.endswith(INDEX_ENDING):
        ending = ".safetensors"
    if ending == ".py":
        from memplanner.model.recipe import load_recipe

        return load_recipe(path, source=source, trust_code=trust_code)
    if ending == ".json":
        if path.name != "config.json":
            raise SourceError(
                f"{path} is not called config.json; name a model's config.json or its folder."
            )
        from memplanner.model.hugging_face_folder import load_folder

        return load_folder(path.parent, source=source, trust_code=trust_code)
    if ending == ONNX:
        from memplanner.model.onnx_file import load_onnx

        return load_onnx(path, source=source)
    start = first_bytes(path)
    if start.startswith(ZIP) and start[8:9] != b"{":  # a safetensors header of that length
        return _load_archive(path, source, trust_code=trust_code)
    if start.startswith(HDF5):
        from memplanner.model.keras_file import load_h5

        return load_h5(path, source=source)
    refuse_pickle(path, start)
    if ending == ".safetensors":
        from memplanner.model.safetensors_file import load_safetensors

        return load_safetensors(path, source=source, trust_code=trust_code)
    if ending == ".gguf":
        from memplanner.model.gguf_file import load_gguf

        return load_gguf(path, source=source)
    raise SourceError(f"{path} is no model file that memplanner knows; name {_KINDS}.")


def _load_archive(path: Path, source: str, *, trust_code: bool) -> Model:
    from memplanner.model.archive import opened
    from memplanner.model.exported_program import is_program, load_program
    from memplanner.model.keras_file import is_keras, load_keras
    from memplanner.model.state_dict import is_state_dict
    from memplanner.model.state_dict_file import load_state_dict

    with opened(path) as archive:
        if is_program(archive):
            return load_program(archive, source=source)
        if is_keras(archive):
            return load_keras(archive, source=source)
        if is_state_dict(archive):
            return load_state_dict(archive, source=source, trust_code=trust_code)
    raise SourceError(
        f"{path} is an archive of no kind that memplanner knows; save the weights as safetensors, "
        "or open the model through a recipe file."
    )
