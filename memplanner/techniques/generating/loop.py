"""One use of a model: a generation, or one forward. The recorder and ``run`` both call it.

Generation is transformers' own ``generate``; nothing of its loop is written anew, so what it holds
between tokens is what it holds. Hooks on the module tell when a phase begins and what its cache is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from memplanner.messages.estimate import Phase
from memplanner.model.loaded import Batch
from memplanner.plan.inference import Inference

_TEACHES = frozenset(
    {
        "labels", "start_positions", "end_positions", "next_sentence_label", "return_loss",
        "sentence_order_label", "class_labels", "mask_labels", "decoder_input_ids",
    }
)  # fmt: skip
"""Inputs that only a loss needs, or that generation makes for itself."""
SAMPLED_OF = 50
"""transformers' own default of ``top_k``."""


UNWANTED = -1
"""The number of a phase that stands for no part of a generation."""


class Watcher(Protocol):
    """Told what goes on."""

    def phase(self, phase: Phase, number: int) -> None:
        """A phase begins; ``number`` counts a decode's tokens from 0."""

    def cache(self, cache: Any) -> None:
        """What the model keeps of earlier tokens, after each forward; not to be held."""


class Stopped(Exception):  # noqa: N818  (no error: what comes after is not wanted)
    """Ends a generation after enough tokens."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Which part of a generation is run: all of it, or some tokens somewhere in it.

    ``ahead`` tokens count as written before: they stand at the end of the prompt, or in the decoder
    of a model that has an encoder. Memory is then that of a generation that came as far.
    """

    ahead: int = 0
    tokens: int | None = None
    """How many are written; None for all that the plan asks for."""


WHOLE = Passage()


def model_inputs(batch: Batch, use: str) -> Batch:
    """What of a micro-batch a model in use is given."""
    dropped = _TEACHES if use == "generation" else _TEACHES - {"decoder_input_ids"}
    return {name: value for name, value in batch.items() if name not in dropped}


def run_forward(
    module: nn.Module, inputs: Batch, context: AbstractContextManager[object], watcher: Watcher
) -> Any:
    """The output of one forward without gradients."""
    watcher.phase("forward", 0)
    with torch.no_grad(), context:
        return module(**inputs)


def generate(
    module: Any,
    inputs: Batch,
    section: Inference,
    context: AbstractContextManager[object],
    watcher: Watcher,
    passage: Passage = WHOLE,
    at_first: Callable[[Any], None] | None = None,
) -> torch.Tensor | None:
    """The tokens, shaped (texts, prompt + new); None where the passage ends before.

    ``at_first`` is given the cache before the first forward.
    """
    watcher.phase("prefill", 0)
    with without_end(module), _forwards(module, watcher, passage, at_first), context:
        try:
            result: torch.Tensor = module.generate(**inputs, **_settings(module, section, passage))
        except Stopped:
            return None
        return result


@contextmanager
def without_end(module: Any) -> Iterator[None]:
    """No token ends a text, and nothing of the model's own settings changes the plan's."""
    settings = module.generation_config
    known = settings.eos_token_id, settings.pad_token_id, settings.max_length, settings.use_cache
    settings.eos_token_id, settings.pad_token_id, settings.max_length = None, None, None
    try:
        yield
    finally:
        settings.eos_token_id, settings.pad_token_id, settings.max_length = known[:3]
        settings.use_cache = known[3]


def _settings(module: Any, section: Inference, passage: Passage) -> dict[str, Any]:
    """The arguments of ``generate`` beside the inputs."""
    tokens = section.new_tokens - passage.ahead
    settings: dict[str, Any] = {
        "max_new_tokens": tokens,
        "min_length": 0,
        "min_new_tokens": None,
        "num_beams": section.beams,
        "do_sample": section.choosing == "sampled",
        "use_cache": section.cache != "none",
        "disable_compile": True,  # what compiled code takes is not planned
    }
    if section.choosing == "sampled":
        settings["top_k"] = SAMPLED_OF
    if section.cache == "static":
        settings["cache_implementation"] = "static"
    elif section.cache == "quantized":
        from memplanner.techniques.generating.quantized_cache import quantized_cache

        whole = (passage.ahead % section.cache_residual) if passage.ahead else 0
        settings[cache_name()] = quantized_cache(
            module.config, section.cache_bits, section.cache_group, section.cache_residual, whole
        )
    elif section.cache == "dynamic" and not section.windows:
        from memplanner.techniques.generating.windowless_cache import windowless_cache

        settings[cache_name()] = windowless_cache(module.config)
    return settings


def cache_name() -> str:
    """What ``generate`` calls its cache: ``past_key_values`` up to transformers 5.2 or so."""
    from transformers import GenerationMixin

    names = inspect.signature(GenerationMixin.prepare_inputs_for_generation).parameters
    return "cache" if "cache" in names else "past_key_values"


_CACHES = ("cache", "past_key_values", "cache_params")


@contextmanager
def _forwards(
    module: nn.Module,
    watcher: Watcher,
    passage: Passage,
    at_first: Callable[[Any], None] | None,
) -> Iterator[None]:
    """Tells the watcher of each forward; raises ``Stopped`` after enough of them."""
    count = 0

    def before(_: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        nonlocal count
        if count and count == passage.tokens:
            watcher.phase("between_steps", UNWANTED)
            raise Stopped
        if count:
            watcher.phase("decode", count - 1)
        elif at_first is not None:
            at_first(_cache_in(kwargs))
        count += 1

    def after(_: nn.Module, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        found = _cache_in(kwargs)
        watcher.cache(_cache_in(output) if found is None else found)

    hooks = [
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _cache_in(values: Any) -> Any:
    """The cache among a forward's arguments or outputs; None where there is none."""
    if not hasattr(values, "get"):
        return None
    return next((found for name in _CACHES if (found := values.get(name)) is not None), None)


def cached_tensors(cache: Any) -> Iterator[torch.Tensor]:
    """Every tensor that a cache holds, whatever it is made of."""
    waiting, seen = [cache], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif id(value) not in seen and type(value).__module__.startswith(("transf", "memplanner")):
            seen.add(id(value))
            waiting += vars(value).values()
