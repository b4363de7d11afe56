"""The part of a script that builds the model: from the same source, with the same weights."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memplanner.errors import ExportError
from memplanner.export.python_source import Imports, assignment
from memplanner.export.script_config import config_class_of, config_values, readied
from memplanner.model.hugging_face import transformers_class
from memplanner.model.loaded import Model
from memplanner.model.safetensors_header import INDEX_ENDING

_FOLDER_KINDS = ("hugging_face", "hub", "safetensors")
_USUAL_NAMES = ("model.safetensors", "model" + INDEX_ENDING)
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.safetensors")


@dataclass(slots=True)
class Building:
    """Source lines that end with a variable ``model`` (fp32 or ``dtype``, on the CPU)."""

    words: str
    """What is built, for a docstring."""
    constants: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    definition: str = ""
    """Code at the level of the module, before the functions."""
    tokenizer: str = ""
    """Arguments of ``AutoTokenizer.from_pretrained``; empty without a tokenizer."""


def building(model: Model, dtype: str, imports: Imports) -> Building:
    """How a script builds ``model``; ``dtype`` is source such as ``torch.bfloat16``.

    Raises ``ExportError`` for a source that a script cannot build.
    """
    if model.parameters_only:
        raise ExportError(
            f"{model.source} holds weights alone, so there is no step to write a script for; put "
            "its config.json beside it and open the folder."
        )
    if model.kind == "recipe":
        return _recipe(model, imports)
    if model.kind == "importable":
        return _importable(model)
    known = transformers_class(model.class_name)
    if known is None:
        return _own_code(model, dtype, imports)
    imports.add("transformers", model.class_name)
    config_class = config_class_of(known, model.config)
    imports.add("transformers", config_class.__name__)
    if model.kind in _FOLDER_KINDS:
        return _folder(model, dtype, config_class, imports)
    if model.kind == "gguf" and model.load_weights is not None:
        return _gguf(model, dtype, config_class)
    return _embedded(model, config_class)


def _recipe(model: Model, imports: Imports) -> Building:
    imports.add("importlib.util")
    imports.add("sys")
    imports.add("pathlib", "Path")
    imports.add("types", "ModuleType")
    definition = '''def import_recipe() -> ModuleType:
    """The module with ``model()`` and ``batch(batch_size, sequence_length)``."""
    specification = importlib.util.spec_from_file_location("recipe", RECIPE)
    module = importlib.util.module_from_spec(specification)
    sys.modules["recipe"] = module
    sys.path.append(str(Path(RECIPE).parent))
    specification.loader.exec_module(module)
    return module


recipe = import_recipe()'''
    return Building(
        words=f"The recipe's {_word(model.class_name)}",
        constants=[assignment("RECIPE", str(_absolute(model.source)))],
        lines=["model = recipe.model()"],
        definition=definition,
    )


def _importable(model: Model) -> Building:
    module, _, path = model.source.partition(":")
    first = path.split(".")[0]
    return Building(
        words=f"What {_word(model.source)} makes",
        lines=[
            "sys.path.append(os.getcwd())",
            f"from {module} import {first}",
            "",
            f"model = {path}()",
        ],
    )


def _embedded(model: Model, config_class: type[Any]) -> Building:
    """The configuration's values stand in the script."""
    name = config_class.__name__
    values = config_values(config_class, model.config)
    return Building(
        words=f"{model.class_name} with random weights",
        constants=[assignment("CONFIG", values)],
        lines=[f"model = {model.class_name}({name}(**CONFIG))"],
    )


def _gguf(model: Model, dtype: str, config_class: type[Any]) -> Building:
    """The model that transformers rebuilds from the file, its weights expanded."""
    file = _absolute(model.source)
    options = ["FOLDER", "gguf_file=FILE", f"dtype={dtype}"]
    return Building(
        words=f"{model.class_name} with the weights of {_word(file.name)}, expanded",
        constants=[assignment("FOLDER", str(file.parent)), assignment("FILE", file.name)],
        lines=[
            *_call(f"model = {model.class_name}.from_pretrained", *options),
            *(f"model.config.{line}" for line in readied(config_class, model.config)),
        ],
        tokenizer="FOLDER, gguf_file=FILE",
    )


def _folder(model: Model, dtype: str, config_class: type[Any], imports: Imports) -> Building:
    places, arguments = _place(model)
    constants = [assignment(name, value) for name, value in places.items()]
    lines = [
        f"config = {config_class.__name__}.from_pretrained({arguments})",
        *(f"config.{line}" for line in readied(config_class, model.config)),
    ]
    weights = "random weights"
    if model.load_weights is None:
        lines.append(f"model = {model.class_name}(config)")
    elif (file := _own_file(model)) is not None:
        weights = f"the weights of {_word(file.name)}"
        lines.append(f"model = {model.class_name}(config)")
        constants.append(assignment("WEIGHTS", str(file)))
        lines += _load_file(file, imports)
    else:
        weights = "its weights"
        options = ["config=config", f"dtype={dtype}", "use_safetensors=True"]
        lines += _call(f"model = {model.class_name}.from_pretrained", arguments, *options)
    return Building(
        words=f"{model.class_name} with {weights}",
        constants=constants,
        lines=lines,
        tokenizer=arguments if model.tokenizer is not None else "",
    )


def _own_code(model: Model, dtype: str, imports: Imports) -> Building:
    """A class that comes with the model; the user has agreed to run it when it was opened."""
    code = model.config.get("auto_map") or {}
    auto = next((name for name in code if name.startswith("AutoModel")), None)
    if auto is None or model.kind not in _FOLDER_KINDS:
        raise ExportError(
            f"{model.source} is built by {model.class_name}, which the installed transformers does "
            "not have; update transformers, or open the model through a recipe file."
        )
    constants, arguments = _place(model)
    trust = "trust_remote_code=True"
    if model.load_weights is None:
        imports.add("transformers", "AutoConfig", auto)
        lines = [
            *_call("config = AutoConfig.from_pretrained", arguments, trust),
            f"model = {auto}.from_config(config, {trust})",
        ]
    else:
        imports.add("transformers", auto)
        lines = _call(f"model = {auto}.from_pretrained", arguments, f"dtype={dtype}", trust)
    if "use_cache" in model.config:
        lines.append("model.config.use_cache = False")
    return Building(
        words=f"{_word(model.class_name)}, whose code comes with the model",
        constants=[assignment(name, value) for name, value in constants.items()],
        lines=lines,
        tokenizer=f"{arguments}, {trust}" if model.tokenizer is not None else "",
    )


def _place(model: Model) -> tuple[dict[str, str], str]:
    """Constants that say where the model is, and the arguments of ``from_pretrained``."""
    if model.kind == "hub":
        name, _, revision = model.source.partition("@")
        if revision:
            return {"MODEL": name, "REVISION": revision}, "MODEL, revision=REVISION"
        return {"MODEL": name}, "MODEL"
    path = _absolute(model.source)
    is_file = model.kind == "safetensors" or path.name == "config.json"
    return {"MODEL": str(path.parent if is_file else path)}, "MODEL"


def _own_file(model: Model) -> Path | None:
    """The weights, where they are not under the name that transformers looks for."""
    path = _absolute(model.source)
    if model.kind != "safetensors":
        return None
    if (shard := _SHARD.fullmatch(path.name)) is not None:
        path = path.with_name(shard[1] + INDEX_ENDING)
    return None if path.name in _USUAL_NAMES else path


def _load_file(file: Path, imports: Imports) -> list[str]:
    imports.add("safetensors.torch", "load_model")
    if not file.name.endswith(INDEX_ENDING):
        return ["load_model(model, WEIGHTS, strict=False)"]
    imports.add("json")
    imports.add("pathlib", "Path")
    return [
        'shards = json.loads(Path(WEIGHTS).read_text())["weight_map"].values()',
        "for shard in sorted(set(shards)):",
        "    load_model(model, Path(WEIGHTS).with_name(shard), strict=False)",
    ]


def _call(function: str, *arguments: str) -> list[str]:
    """A call inside a function, on one line where it fits."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) + 4 <= 100:
        return [line]
    inner = "    " + ", ".join(arguments)
    if len(inner) + 4 <= 100:
        return [f"{function}(", inner, ")"]
    return [f"{function}(", *(f"    {argument}," for argument in arguments), ")"]


def _absolute(source: str) -> Path:
    return Path(source).expanduser().absolute()


def _word(text: str) -> str:
    """``text`` fit for a docstring."""
    return "".join(char for char in text if char.isprintable() and char not in '"\\')
