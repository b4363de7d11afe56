"""A small configuration of a real architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers


@dataclass(frozen=True)
class Small:
    """An architecture with a configuration; ``attention`` is what transformers is told."""

    model_class: str
    config: Callable[[], Any]
    attention: str = "sdpa"

    def write(self, folder: Path) -> Path:
        """A folder with the configuration, as a user would have it."""
        config = self.config()
        config.architectures = [self.model_class]
        config.save_pretrained(folder)
        return folder

    def build(self) -> Any:
        """The real model with random weights, built by transformers alone."""
        config = self.config()
        config._attn_implementation = self.attention
        return getattr(transformers, self.model_class)(config)
