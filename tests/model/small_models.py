from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from memplanner.errors import SourceError
from memplanner.model import load
from memplanner.model.hugging_face import model_from_config
from memplanner.model.loaded import Model

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 99,
}
META = torch.device("meta")
CPU = torch.device("cpu")


def small_model(class_name: str, **config: Any) -> Model:
    """A model of a transformers class with a configuration that builds in no time."""
    model_class = getattr(transformers, class_name)
    return model_from_config(
        model_class,
        model_class.config_class(**config),
        name=class_name,
        source=class_name,
        kind="test",
    )


def opened(path: Path) -> tuple[str, int]:
    """The sentence of the error and 0, or an empty one and the parameters."""
    try:
        return "", load(path).parameter_count
    except SourceError as error:
        return str(error), 0


def small_module(class_name: str, **config: Any) -> nn.Module:
    return small_model(class_name, **config).build(META)
