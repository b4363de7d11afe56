"""A transformers configuration in a script: as values, or from disk made ready for training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memplanner.errors import ExportError
from memplanner.export.python_source import literal
from memplanner.model.hugging_face import CLASS_ERRORS

_READIED = (
    "use_cache",
    "layerdrop",
    "encoder_layerdrop",
    "decoder_layerdrop",
    "pad_token_id",
    "decoder_start_token_id",
)
"""What ``memplanner.model.hugging_face.make_ready_for_training`` may change."""


def config_class_of(model_class: type[Any], config: Mapping[str, Any]) -> type[Any]:
    """The configuration class of ``config``, as a script imports it. Raises ``ExportError``."""
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = config.get("model_type")
    found: type[Any] = model_class.config_class
    if model_type in CONFIG_MAPPING:  # its ``get`` does not see what was not imported yet
        found = CONFIG_MAPPING[model_type]
    can_be_imported: bool = getattr(transformers, found.__name__, None) is found
    if not can_be_imported:
        raise ExportError(
            f"The configuration class {found.__name__} cannot be imported from transformers; "
            "update transformers."
        )
    return found


def config_values(config_class: type[Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``config_class`` that make ``config``.

    Left out is what every configuration has by default; the class's own defaults stay in, since
    they may differ in another transformers.
    """
    from transformers import PretrainedConfig

    skipped = ("transformers_version", "model_type", "architectures", "dtype", "torch_dtype")
    whole = {key: value for key, value in config.items() if key not in skipped}
    common = PretrainedConfig().to_dict()
    short = {k: v for k, v in whole.items() if k not in common or common[k] != v}
    labels = short.get("id2label")
    if labels is not None and [*labels.values()] == [f"LABEL_{n}" for n in range(len(labels))]:
        del short["id2label"]
        short.pop("label2id", None)
        short["num_labels"] = len(labels)
    if not _makes(config_class, short, whole):
        return whole
    for key in [key for key, value in short.items() if _is_long(value)]:
        shorter = {name: value for name, value in short.items() if name != key}
        if _makes(config_class, shorter, whole):  # the class derives it, as the types of layers
            short = shorter
    return short


def _makes(config_class: type[Any], values: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    try:
        made = config_class(**values).to_dict()
    except CLASS_ERRORS:  # it takes no argument of that name
        return False
    return all(made.get(key) == value for key, value in whole.items())


def _is_long(value: Any) -> bool:
    return isinstance(value, list | dict) and len(value) > 8


def readied(config_class: type[Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Assignments that make a configuration from disk ready for training, without its name."""
    try:
        defaults = config_class()
    except CLASS_ERRORS:
        defaults = None
    yield from _assignments(defaults, config, "")


def _assignments(defaults: Any, config: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in _READIED:
        value = config.get(key)
        if value is not None and not value and getattr(defaults, key, None) != value:
            yield f"{prefix}{key} = {literal(value)}"
    for key, value in config.items():
        if isinstance(value, Mapping) and key in getattr(type(defaults), "sub_configs", {}):
            yield from _assignments(getattr(defaults, key, None), value, f"{prefix}{key}.")
