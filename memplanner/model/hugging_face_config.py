"""A ``config.json`` as a transformers configuration and the class to build from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memplanner.errors import SourceError, TrustNeeded
from memplanner.model.hugging_face import CLASS_ERRORS, one_line, transformers_class
from memplanner.model.hugging_face_limits import check_numbers, without_hub

# Where a configuration names no class, the first of these tasks that its model type serves.
_TASKS = (
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES",
    "MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES",
    "MODEL_FOR_CTC_MAPPING_NAMES",
    "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES",
    "MODEL_MAPPING_NAMES",
)
_FETCHED: dict[str, Any] = {
    "use_pretrained_backbone": False,
    "attn_implementation": None,
    "_attn_implementation": None,
    "_attn_implementation_internal": None,
    "experts_implementation": None,
    "_experts_implementation": None,
    "_experts_implementation_internal": None,
    "use_kernels": False,
    "transformers_weights": None,
}
"""Keys that name another repository or file, whose weights or code would be fetched."""
_SPECIAL_FLOATS: dict[Any, float] = {
    "Infinity": float("inf"), "-Infinity": float("-inf"), "NaN": float("nan")
}  # fmt: skip
_REMOTE_CLASSES = (
    "AutoModelForCausalLM",
    "AutoModelForSeq2SeqLM",
    "AutoModelForMaskedLM",
    "AutoModelForImageClassification",
    "AutoModelForSequenceClassification",
    "AutoModelForVision2Seq",
    "AutoModelForImageTextToText",
    "AutoModel",
)


def resolve(
    values: Mapping[str, Any], path: Path, *, trust_code: bool
) -> tuple[type[Any], Any, tuple[str, ...]]:
    """The class, its configuration, and notes, for the ``values`` of the config.json at ``path``.

    Raises ``TrustNeeded`` where only code that comes with the model can build it and
    ``trust_code`` is false, and ``SourceError`` where nothing can.
    """
    from huggingface_hub.errors import StrictDataclassError

    values = _as_meant(dict(values))
    check_numbers(values, str(path))
    code = values.get("auto_map")
    config_class, model_class, notes = _known(values)
    if isinstance(code, Mapping) and code and (trust_code or model_class is None):
        if not trust_code:
            raise TrustNeeded(
                f"{path} needs Python code of its own ({_module_of(code)}), which would run on "
                "this machine with your rights; read it, and agree to run it if you trust it."
            )
        return *_remote(code, path), ("The model's own code was run to build it.",)
    if config_class is None or model_class is None:
        raise SourceError(_unknown(values, path))
    try:
        with without_hub():
            config = config_class.from_dict({**values, "dtype": None, "torch_dtype": None})
    except (*CLASS_ERRORS, StrictDataclassError) as error:
        raise SourceError(
            f"{path} does not fit {config_class.__name__} ({one_line(error)}); correct that value."
        ) from error
    return model_class, config, notes


def _as_meant(value: Any) -> Any:
    """``value`` as it is meant and without what would be fetched.

    transformers writes floats that JSON lacks as ``__float__``. The kernel of attention is the
    plan's, and weights of a backbone come with the model's own.
    """
    if isinstance(value, dict):
        tagged = _SPECIAL_FLOATS.get(value.get("__float__")) if len(value) == 1 else None
        if tagged is not None:
            return tagged
        return {
            name: _FETCHED[name] if name in _FETCHED else _as_meant(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_as_meant(part) for part in value]
    return value


def _known(
    values: Mapping[str, Any],
) -> tuple[type[Any] | None, type[Any] | None, tuple[str, ...]]:
    """The installed transformers' classes for a configuration, each None where it has none."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = values.get("model_type")
    named = _architectures(values)
    model_class = next(filter(None, map(transformers_class, named)), None)
    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING:
        return getattr(model_class, "config_class", None), model_class, ()
    config_class = CONFIG_MAPPING[model_type]
    expected = getattr(model_class, "config_class", None)
    if model_class is not None and expected is config_class:
        return config_class, model_class, ()
    stand_in = _by_task(model_type)
    if stand_in is None:
        return config_class, model_class, ()
    notes: tuple[str, ...] = ()
    if named and stand_in.__name__ != named[0]:
        notes = (f"transformers has no {named[0]} of this type: {stand_in.__name__} stands in.",)
    elif not named:
        notes = (f"The configuration names no class: {stand_in.__name__} is taken.",)
    return config_class, stand_in, notes


def _architectures(values: Mapping[str, Any]) -> list[str]:
    named = values.get("architectures")
    if not isinstance(named, list):
        return []
    return [name.removeprefix("TF").removeprefix("Flax") for name in named if isinstance(name, str)]


def _by_task(model_type: str) -> type[Any] | None:
    from transformers.models.auto import modeling_auto

    for task in _TASKS:
        names = getattr(modeling_auto, task, {}).get(model_type)
        for name in names if isinstance(names, (list, tuple)) else [names]:
            found = transformers_class(name) if name else None
            if found is not None:
                return found
    return None


def _unknown(values: Mapping[str, Any], path: Path) -> str:
    import transformers

    named = _architectures(values)
    wanted = named[0] if named else values.get("model_type")
    if not isinstance(wanted, str):
        return (
            f"{path} names neither architectures nor a model_type; add them, or open the model "
            "through a recipe file."
        )
    return (
        f"{path} names the architecture “{wanted[:80]}”, which transformers "
        f"{transformers.__version__} does not have; update transformers, or open the model through "
        "a recipe file."
    )


def _module_of(code: Mapping[str, Any]) -> str:
    first = next(iter(code.values()))
    first = first[0] if isinstance(first, list) and first else first
    return str(first).rsplit(".", 1)[0].rsplit("--", 1)[-1][:80] + ".py"


def _remote(code: Mapping[str, Any], path: Path) -> tuple[type[Any], Any]:
    from transformers import AutoConfig
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    key = next((name for name in _REMOTE_CLASSES if isinstance(code.get(name), str)), None)
    if key is None:
        raise SourceError(
            f"{path} names code for {', '.join(map(str, code))} and for no model class that can "
            "train; open the model through a recipe file."
        )
    try:
        config = AutoConfig.from_pretrained(
            path.parent, trust_remote_code=True, local_files_only=True
        )
        model_class = get_class_from_dynamic_module(
            code[key], str(path.parent), local_files_only=True
        )
    except Exception as error:  # the model's own code may raise anything
        raise SourceError(
            f"{path}: the model's own code raised {type(error).__name__} ({one_line(error)}); "
            "install what it needs or open the model through a recipe file."
        ) from error
    config.dtype = None
    return model_class, config
