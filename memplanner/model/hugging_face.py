"""A transformers class with a configuration, as a ``Model``: for presets, folders, hub and GGUF."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch import nn

from memplanner.errors import SourceError
from memplanner.model.counting import count
from memplanner.model.hugging_face_batch import HuggingFaceBatch
from memplanner.model.hugging_face_limits import bounded_modules, without_hub
from memplanner.model.loaded import Model
from memplanner.model.losses import loss_of
from memplanner.model.positions import learned_positions
from memplanner.model.weightless import move

CLASS_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a transformers class raises for a configuration it cannot use."""


def warm_up() -> None:
    """Imports what the first opened language model would wait for.

    The imported objects are then taken out of garbage collection: a collection that visits them
    takes 0.2 s, more than opening a model.
    """
    import gc

    from transformers import LlamaForCausalLM

    LlamaForCausalLM.config_class()
    gc.collect()
    gc.freeze()


def transformers_class(name: str) -> type[Any] | None:
    """The transformers model class called ``name``, or None when it has none."""
    import transformers

    try:
        found = getattr(transformers, name, None)
    except (ImportError, RuntimeError):  # a class whose own dependency is absent
        return None
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def model_from_config(
    model_class: type[Any],
    config: Any,
    *,
    name: str,
    source: str,
    kind: str,
    load_weights: Callable[[nn.Module], None] | None = None,
    tokenizer: str | None = None,
    notes: tuple[str, ...] = (),
) -> Model:
    """The model that ``model_class`` and ``config`` (a transformers configuration) describe.

    ``config`` is changed: it is made ready for training. Raises ``SourceError`` where the class
    cannot be built from it.
    """
    notes += make_ready_for_training(config)
    build = partial(build_module, model_class, config, origin=name)
    module = build(torch.device("meta"))
    counts = count(module)
    with _named_errors(name, model_class):
        batch = HuggingFaceBatch(model_class, config)
        takes_sequence, batch_notes = batch.takes_sequence, batch.notes
    positions = (
        learned_positions(module, skip="encoder" if batch.sequence_is_decoded else None)
        if takes_sequence
        else None
    )
    return Model(
        name=name,
        class_name=model_class.__name__,
        source=source,
        kind=kind,
        build=_counted_first(build, module),
        batch=batch,
        loss=loss_of,
        parameter_count=counts.parameters,
        trainable_parameter_count=counts.trainable,
        buffer_count=counts.buffers,
        load_weights=load_weights,
        max_sequence_length=positions,
        takes_sequence=takes_sequence,
        set_attention=set_attention,
        tokenizer=tokenizer,
        config=config.to_dict(),
        notes=notes + batch_notes,
    )


def _counted_first(
    build: Callable[[torch.device], nn.Module], module: nn.Module
) -> Callable[[torch.device], nn.Module]:
    """``build``, whose first weightless module is the one that was counted: building takes time."""
    waiting = [module]

    def built(device: torch.device) -> nn.Module:
        return waiting.pop() if waiting and device.type == "meta" else build(device)

    return built


def build_module(
    model_class: type[Any], config: Any, device: torch.device, *, origin: str
) -> nn.Module:
    """A module in training mode and fp32: weightless on ``meta``, else with random weights."""
    from transformers.initialization import no_init_weights

    config = copy.deepcopy(config)  # switching attention writes to a module's configuration
    with (
        _named_errors(origin, model_class),
        bounded_modules(origin),
        without_hub(),
        torch.device(device),
    ):
        if device.type == "meta":
            with no_init_weights():
                module = model_class(config)
            module.tie_weights()
            module = move(module, device)  # some classes make parameters on the CPU regardless
        else:
            module = model_class(config)
    if not isinstance(module, nn.Module):
        raise SourceError(f"{origin}: {model_class.__name__} is no module; open a model class.")
    return module.train()


@contextmanager
def _named_errors(origin: str, model_class: type[Any]) -> Iterator[None]:
    from huggingface_hub.errors import StrictDataclassError

    try:
        yield
    except (*CLASS_ERRORS, StrictDataclassError) as error:
        raise SourceError(
            f"{origin}: {model_class.__name__} cannot be built from its configuration "
            f"({one_line(error)}); correct the configuration."
        ) from error


def set_attention(module: nn.Module, kernel: str) -> None:
    """Sets the model's own attention code for ``eager``, else torch's one attention call.

    A class that offers no choice is left as it is.
    """
    wanted = "eager" if kernel == "eager" else "sdpa"
    for part in _pretrained_roots(module):
        if wanted == "sdpa" and not getattr(part, "_supports_sdpa", False):
            continue
        if part._can_set_attn_implementation():
            with suppress(ValueError):  # a part inside it, such as a backbone, offers no choice
                part.set_attn_implementation(wanted)


def make_ready_for_training(config: Any) -> tuple[str, ...]:
    """Turns off what training does not use, in ``config`` and its parts; notes on what changed."""
    notes: tuple[str, ...] = ()
    for part in _configs(config):
        if getattr(part, "use_cache", False):
            part.use_cache = False
        for key in ("layerdrop", "encoder_layerdrop", "decoder_layerdrop"):
            if getattr(part, key, 0):
                setattr(part, key, 0.0)
                notes = ("Layer drop is off: every step runs every layer.",)
        if getattr(part, "pad_token_id", 0) is None:
            # Sequence classifiers look for the last token that is not padding.
            part.pad_token_id = 0
        if getattr(part, "is_encoder_decoder", False):
            start = getattr(part, "decoder_start_token_id", None)
            if start is None and hasattr(part, "pad_token_id"):
                part.decoder_start_token_id = part.pad_token_id
    return notes


def one_line(error: BaseException) -> str:
    """An error's message on one line, at most 200 characters, without its last full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    return (text if len(text) <= 200 else text[:199] + "…").rstrip(".")


def _configs(config: Any) -> Iterator[Any]:
    yield config
    for key in getattr(config, "sub_configs", {}):
        part = getattr(config, key, None)
        if part is not None:
            yield from _configs(part)


def _pretrained_roots(module: nn.Module) -> Iterator[Any]:
    """The outermost transformers models in ``module``: itself, or the one inside a wrapper."""
    from transformers import PreTrainedModel

    if isinstance(module, PreTrainedModel):
        yield module
        return
    for child in module.children():
        yield from _pretrained_roots(child)
