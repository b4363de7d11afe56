"""How long a sequence may be where positions are learned, a row of a table each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

_TABLE = re.compile(r"(^|_)(positions?|pos|wpe)(_|$)")
_OTHER_INPUT = re.compile(r"relative|rel_pos|vision|visual|image|audio|patch")
_FIGURES = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "n_ctx")


def learned_positions(module: nn.Module, *, skip: str | None = None) -> int | None:
    """The shortest table of positions in ``module``, as a sequence length; None without one.

    ``skip`` names a part whose table is for another input, such as ``encoder`` in a speech model
    whose text goes to the decoder.
    """
    lengths = []
    for path, part in module.named_modules():
        if not isinstance(part, nn.Embedding) or _OTHER_INPUT.search(path):
            continue
        *owners, name = path.split(".")
        if not _TABLE.search(name) or (skip is not None and skip in owners):
            continue
        offset = getattr(part, "offset", 0)
        if not isinstance(offset, int):
            offset = 0
        if offset == 0 and part.padding_idx is not None and type(part) is nn.Embedding:
            offset = part.padding_idx + 1  # RoBERTa counts positions from after the padding's row
        lengths.append(part.num_embeddings - offset)
    return min(lengths, default=None)


def stated_positions(config: Mapping[str, Any]) -> int | None:
    """The longest sequence that a configuration states, whether or not a longer one would run."""
    for part in (config, config.get("text_config"), config.get("decoder")):
        if isinstance(part, Mapping):
            for key in _FIGURES:
                value = part.get(key)
                if isinstance(value, int) and value > 0:
                    return value
    return None
