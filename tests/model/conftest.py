from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tests.model.small_models import SMALL


@pytest.fixture
def llama_folder(tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """Saves a tiny Llama with real weights; its folder and the module."""

    def save(class_name: str = "LlamaForCausalLM", shard: str = "1GB", **config: Any) -> Any:
        model_class = getattr(transformers, class_name)
        torch.manual_seed(1)
        module = model_class(model_class.config_class(**{**SMALL, **config}))
        folder = tmp_path / class_name
        module.save_pretrained(folder, max_shard_size=shard)
        return folder, module

    return save
