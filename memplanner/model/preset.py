"""The source ``preset:name``."""

from __future__ import annotations

from typing import Any

from memplanner.errors import SourceError
from memplanner.model.hugging_face import model_from_config, transformers_class
from memplanner.model.loaded import Model
from memplanner.model.presets import find_preset


def load_preset(source: str) -> Model:
    """The model of the preset that ``source`` (``preset:llama-3.1-8b``) names."""
    file = find_preset(source)
    preset = file.preset
    model_class: Any = transformers_class(preset.class_name)
    if model_class is None:
        raise SourceError(
            f"{source} needs {preset.class_name}, which the installed transformers does not have; "
            "update transformers."
        )
    config = model_class.config_class(**file.config)
    config.architectures = [preset.class_name]
    return model_from_config(model_class, config, name=preset.name, source=source, kind="preset")
