"""What a configuration says of a module's sizes, kept true when they change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from torch import nn

MLP_WIDTHS = (
    "intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size",
    "shared_intermediate_size", "n_inner", "ffn_dim", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim",
    "ffn_hidden_size", "ffn_hidden_dim", "hidden_dim",
)  # fmt: skip
BLOCK_COUNTS = (
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers",
    "encoder_layers", "decoder_layers",
)  # fmt: skip


def configs_of(module: nn.Module, path: str) -> list[Any]:
    """The configurations of the modules on the way to ``path``, outermost first, each once.

    An encoder may have a copy of its own of what the whole model's says.
    """
    found: list[Any] = []
    part: Any = module
    for name in ("", *filter(None, path.split("."))):
        part = part._modules[name] if name else part
        config = getattr(part, "config", None)
        if config is not None and all(config is not other for other in found):
            found.append(config)
    return found


def own_configs(module: nn.Module) -> None:
    """Gives the module configurations of its own, still shared among its parts as before.

    A module that was built, copied or cut may share its configuration with another.
    """
    copies: dict[int, Any] = {}
    for part in module.modules():
        config = part.__dict__.get("config")
        if config is not None:
            part.__dict__["config"] = deepcopy(config, copies)


def set_mlp_widths(config: Any, widths: Mapping[int, int]) -> None:
    """Every width that the configuration names and that is one of ``widths`` becomes its value."""
    for name in MLP_WIDTHS:
        value = getattr(config, name, None)
        if isinstance(value, int) and value in widths:
            setattr(config, name, widths[value])
    if getattr(config, "n_inner", 0) is None and widths:  # GPT-2's way to say four times
        config.n_inner = next(iter(widths.values()))
    shares = {new / old for old, new in widths.items()}
    ratio = getattr(config, "mlp_ratio", None)  # Swin's, of the width outside
    if isinstance(ratio, int | float) and len(shares) == 1:
        config.mlp_ratio = ratio * shares.pop()


def set_heads(config: Any, heads: int, key_value_heads: int, head_size: int) -> None:
    """Writes the numbers of heads and, since it no longer follows from them, their size."""
    for name in ("num_attention_heads", "n_head", "num_heads"):
        if isinstance(getattr(config, name, None), int):
            setattr(config, name, heads)
            break
    if isinstance(getattr(config, "num_key_value_heads", None), int):
        config.num_key_value_heads = key_value_heads
    config.head_dim = head_size


def set_blocks(config: Any, path: str, before: int, kept: Iterable[int], *, inner: bool) -> None:
    """Writes how many blocks the list at ``path`` has, and shortens what is listed by block.

    An ``inner`` configuration speaks of an encoder or a decoder alone.
    """
    indices = list(kept)
    depths = getattr(config, "depths", None)
    stage = next((int(part) for part in path.split(".") if part.isdecimal()), None)
    if depths is not None and stage is not None:
        if stage < len(depths) and depths[stage] == before:
            config.depths = [*depths[:stage], len(indices), *depths[stage + 1 :]]
        return
    fitting = [name for name in BLOCK_COUNTS if getattr(config, name, None) == before]
    decoder = [name for name in fitting if "decoder" in name]
    if "decoder" in path and decoder and not inner:
        fitting = decoder
    elif "encoder" in path and not inner:
        fitting = [name for name in fitting if "decoder" not in name]
    for name, value in list(vars(config).items()):
        if "layer" in name and isinstance(value, list | tuple) and len(value) == before:
            setattr(config, name, type(value)(value[index] for index in indices))
    for name in fitting:
        setattr(config, name, len(indices))
