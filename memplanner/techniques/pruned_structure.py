"""What structured pruning may take from a model, and whether its class can make it again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.plan.pruning import Pruning as Section
from memplanner.techniques.convolution_chains import convolution_chains
from memplanner.techniques.sparsity.channels import Chain
from memplanner.techniques.sparsity.configuration import configs_of, set_heads
from memplanner.techniques.sparsity.heads import Attention, find_attentions, heads_left
from memplanner.techniques.sparsity.matrices import matrix
from memplanner.techniques.sparsity.widths import Mlp, find_mlps, narrowed

_STRIDE_BYTES = 16
"""``torch._grouped_mm``, which multiplies stacked experts, takes rows of multiples of it."""


def checked_structure(
    module: nn.Module, section: Section, element_bytes: int = 2
) -> tuple[str, ...]:
    """The paths of the lists that lose blocks.

    Raises ``PlanError`` where the module has nothing of the kind, or a ratio takes none or all.
    """
    if section.mlp_ratio:
        _check_widths(find_mlps(module), section, element_bytes)
    if section.head_ratio:
        attentions = find_attentions(module, every=True)
        unit = "key and value heads" if any(a.key_value_heads > 1 for a in attentions) else "heads"
        _check_share("head_ratio", section.head_ratio, unit, {a.units for a in attentions})
        if says_heads(module):
            _check_head_counts(module, attentions, section.head_ratio)
    if not section.block_ratio:
        return ()
    lists = block_lists(module)
    if section.block_choice == "influence" and any(
        len(blocks.runs) != 1 or blocks.runs[0].period != 1 or blocks.runs[0].count != blocks.length
        for blocks in lists
    ):
        raise PlanError(
            "pruning.block_choice=influence needs blocks that are all alike, and this model's "
            "differ, so what they take depends on which go; choose deepest."
        )
    _check_share("block_ratio", section.block_ratio, "blocks", {each.length for each in lists})
    return tuple(blocks.path for blocks in lists)


def checked_chains(
    module: nn.Module, weightless: nn.Module, batch: Mapping[str, Any], section: Section
) -> tuple[Chain, ...]:
    """The chains of convolutions that lose channels, found in the ``weightless`` module's forward.

    Raises ``PlanError`` where there is none, or nothing of them goes.
    """
    ratio, multiple = section.channel_ratio, section.width_multiple
    if not ratio:
        return ()
    try:
        found = convolution_chains(weightless, batch)
    except (RuntimeError, TypeError, ValueError) as error:
        raise PlanError(
            f"pruning.channel_ratio={ratio:g} follows a forward without values, and this model's "
            f"does not run so ({str(error).partition(chr(10))[0].rstrip('.')}); set it to 0."
        ) from error
    names = {name for name, _ in module.named_modules()}
    chains = tuple(chain for chain in found if names.issuperset(chain.names))
    if not chains:
        raise PlanError(
            f"pruning.channel_ratio={ratio:g} finds no two convolutions in a row in this model, "
            "nothing else taking the first one's channels; set it to 0."
        )
    widths = {module.get_submodule(chain.producer).out_channels for chain in chains}
    if all(narrowed(width, ratio, multiple) == width for width in widths):  # type: ignore[arg-type]  # an int
        raise PlanError(
            f"pruning.channel_ratio={ratio:g} takes nothing from {max(widths)} channels in "  # type: ignore[type-var]  # ints
            f"multiples of {multiple}; choose a larger ratio or a smaller pruning.width_multiple."
        )
    return chains


def says_heads(module: nn.Module) -> bool:
    """Whether the class makes heads of the size that the configuration names.

    Else a module with fewer heads is saved with the configuration of the whole one, and only this
    project's own code opens it again. Modules without a configuration are built by other code.
    """
    config: Any = getattr(module, "config", None)
    kind = getattr(type(module), "config_class", None)
    attentions = find_attentions(module, every=True)
    if kind is None or not isinstance(config, kind) or not attentions:
        return True
    from huggingface_hub.errors import StrictDataclassError
    from transformers.initialization import no_init_weights

    part = attentions[0]
    heads, key_value_heads = part.after(1)
    config = deepcopy(config)
    for each in {id(each): each for each in (config, *_inner(config))}.values():
        set_heads(each, heads, key_value_heads, part.head_size)
    try:
        with torch.device("meta"), no_init_weights():
            other = type(module)(type(config).from_dict(config.to_dict()))
        made = other.get_submodule(f"{part.path}.{part.names[3]}")
    except (ValueError, TypeError, AttributeError, IndexError, StrictDataclassError):
        return False
    return matrix(made).shape[1] == heads * part.head_size


def _inner(config: Any) -> Iterator[Any]:
    """The configurations inside another, such as that of the text of a model of both."""
    for value in vars(config).values():
        if hasattr(value, "to_dict"):
            yield value


def unsaid_parameters(module: nn.Module) -> frozenset[str]:
    """The names of the parameters that have something for each head."""
    return frozenset(
        f"{part.path}.{name}" if part.path else name
        for part in find_attentions(module, every=True)
        for name in (
            *(f"{layer}.{own}" for layer in part.names for own in ("weight", "bias")),
            *(table for table, _ in part.tables),
        )
    )


def check_reload(
    module: nn.Module, *, whole: bool, section: str = "pruning", unsaid: Collection[str] = ()
) -> None:
    """Raises ``PlanError`` where the class would not make such a module of its configuration.

    Only transformers' own classes have one; other modules are built by the user's code. A module
    that is not ``whole`` may have fewer blocks than its configuration says; ``section`` made it.
    The shapes of the parameters ``unsaid`` are no matter.
    """
    config: Any = getattr(module, "config", None)
    if config is None or not isinstance(config, getattr(type(module), "config_class", None) or ()):
        return
    from huggingface_hub.errors import StrictDataclassError
    from transformers.initialization import no_init_weights

    try:
        # read anew, since a class checks its values when it is read and not when they are set
        config = type(config).from_dict(config.to_dict())
        with torch.device("meta"), no_init_weights():
            other = type(module)(config)
        shapes = {name: part.shape for name, part in other.named_parameters()}
    except (ValueError, TypeError, AttributeError, IndexError, StrictDataclassError) as error:
        detail = str(error).rstrip().rpartition("\n")[2].strip()
        detail = detail.removeprefix("ValueError: ").rstrip(".")
        raise PlanError(_no_reload(module, detail, section)) from error
    own = dict(module.named_parameters(remove_duplicate=False))
    more = [name for name in shapes if name not in own]
    if whole and more:
        raise PlanError(_no_reload(module, f"it would have {more[0]} too", section))
    for name, part in own.items():
        if name not in unsaid and shapes.get(name, part.shape) != part.shape:
            detail = f"{name} would be {list(shapes[name])} where {list(part.shape)} is left"
            raise PlanError(_no_reload(module, detail, section))


def _check_head_counts(module: nn.Module, attentions: Sequence[Attention], ratio: float) -> None:
    """Refuses numbers of heads that a configuration's class does not take, and names the nearest.

    Such as those that do not divide the hidden size.
    """
    for attention in attentions[:1]:  # all of one configuration have the same
        configs = configs_of(module, attention.path)
        if not configs or not hasattr(configs[-1], "from_dict"):
            return
        wanted = heads_left(attention, ratio)
        if not _is_read(configs[-1], attention, wanted):
            near = sorted(range(1, attention.units), key=lambda units: abs(units - wanted))
            taken = next((units for units in near if _is_read(configs[-1], attention, units)), None)
            choice = "0" if taken is None else _shown(1 - taken / attention.units)
            raise PlanError(
                f"pruning.head_ratio={ratio:g} leaves {attention.after(wanted)[0]} heads, which "
                f"{type(configs[-1]).__name__} does not take, so the model could not be opened "
                f"again; choose {choice}."
            )


def _is_read(config: Any, attention: Attention, units: int) -> bool:
    from huggingface_hub.errors import StrictDataclassError

    other = deepcopy(config)
    try:
        set_heads(other, *attention.after(units), attention.head_size)
        type(config).from_dict(other.to_dict())
    except (ValueError, TypeError, StrictDataclassError):
        return False
    return True


def _no_reload(module: nn.Module, detail: str, section: str) -> str:
    made = "pruned model" if section == "pruning" else "student"
    return (
        f"The configuration of {type(module).__name__} cannot describe the {made} ({detail}), so "
        f"it could not be opened again; choose another of {section}.mlp_ratio, head_ratio and "
        "block_ratio."
    )


def _check_widths(mlps: Sequence[Mlp], section: Section, element_bytes: int) -> None:
    ratio, multiple = section.mlp_ratio, section.width_multiple
    if not mlps:
        _check_share("mlp_ratio", ratio, "MLP neurons", set())
    for mlp in mlps:
        left = narrowed(mlp.width, ratio, multiple)
        if left == mlp.width:
            raise PlanError(
                f"pruning.mlp_ratio={ratio:g} takes nothing from an MLP of {mlp.width} neurons in "
                f"multiples of {multiple}; choose a larger ratio or a smaller "
                "pruning.width_multiple."
            )
        if mlp.experts and left * element_bytes % _STRIDE_BYTES:
            raise PlanError(
                f"pruning.mlp_ratio={ratio:g} leaves experts {left} neurons, and their product "
                f"takes multiples of {_STRIDE_BYTES // element_bytes}; choose "
                f"pruning.width_multiple={_STRIDE_BYTES // element_bytes}."
            )


def _check_share(key: str, ratio: float, what: str, sizes: set[int]) -> None:
    if not sizes:
        raise PlanError(
            f"pruning.{key}={ratio:g} finds no {what} that can be left out of this model; set it "
            "to 0 or choose pruning.structure=unstructured."
        )
    smallest = min(sizes)
    if any(round(ratio * size) >= size for size in sizes):
        raise PlanError(
            f"pruning.{key}={ratio:g} leaves none of {smallest} {what}; choose at most "
            f"{_shown((smallest - 1) / smallest)}."
        )
    if all(round(ratio * size) == 0 for size in sizes):
        largest = max(sizes)
        raise PlanError(
            f"pruning.{key}={ratio:g} takes none of {largest} {what}; choose 0, or at least "
            f"{_shown(1 / largest)}."
        )


def _shown(value: float) -> str:
    """Such as ``0.333``: enough digits that the nearest whole number is the one meant."""
    return f"{value:.3g}"
