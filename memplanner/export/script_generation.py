"""The script of a model in use: a generation, or one forward, instead of training.

It calls transformers' own ``generate`` as ``techniques/generating`` does, and brings the cache
along where transformers has none of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from textwrap import wrap

from memplanner.export.head import WIDTH, origin
from memplanner.export.one_module import one_module
from memplanner.export.python_source import literal
from memplanner.export.script_data import META
from memplanner.export.script_head import docstring
from memplanner.export.target import Subject
from memplanner.messages.protocol import ExportedFile
from memplanner.plan import Plan
from memplanner.plan.inference import ONLY_TRAINING, ONLY_TRAINING_KEYS
from memplanner.techniques.generating.loop import SAMPLED_OF, cache_name, model_inputs
from memplanner.techniques.inference import sequence_length

INFERENCE_KEYS = frozenset(
    {
        "inference.use",
        "inference.new_tokens",
        "inference.cache",
        "inference.windows",
        "inference.cache_bits",
        "inference.cache_group",
        "inference.cache_residual",
        "inference.choosing",
        "inference.beams",
    }
)
"""What the script of a model in use carries beside the others."""
CACHE_FILE = "kv_cache.py"
_PACKAGE = "memplanner.techniques.generating"
_LOW_BIT = "memplanner.techniques.low_bit"
_HEAD = '''"""A cache of keys and values: for the script beside this file.

Written by memplanner; it needs torch and transformers.
"""

from __future__ import annotations

'''


@dataclass(frozen=True, slots=True)
class Used:
    """What the template says of a model in use."""

    generates: bool
    word: str
    counted: str
    """What is divided by the time, as source."""
    unit: str
    arguments: tuple[str, ...]
    """Of ``generate``, beside the inputs and the number of tokens."""
    cache_lines: tuple[str, ...]
    """They make ``cache``; empty where transformers makes its own."""
    cache_maker: str
    """The function of ``CACHE_FILE`` that does."""
    dropped: str
    """Inputs that only a loss needs, as source; empty for none."""


def used_parts(subject: Subject) -> Used | None:
    """For the plan's use of the model; None where it trains."""
    section = subject.plan.inference
    if section.use == "training":
        return None
    batch = subject.model.batch(1, 16, META)
    dropped = [name for name in batch if name not in model_inputs(batch, section.use)]
    if section.use == "forward":
        return Used(
            False, "forward", "BATCH_SIZE", "samples per second", (), (), "", _dropped(dropped)
        )
    arguments = [
        f"num_beams={section.beams}",
        f"do_sample={section.choosing == 'sampled'}",
        f"use_cache={section.cache != 'none'}",
        "disable_compile=True",
    ]
    if section.choosing == "sampled":
        arguments.append(f"top_k={SAMPLED_OF}")
    if section.cache == "static":
        arguments.append('cache_implementation="static"')
    maker, lines = "", tuple[str, ...]()
    if section.cache == "quantized":
        maker = "quantized_cache"
        sizes = f"{section.cache_bits}, {section.cache_group}, {section.cache_residual}"
        lines = (f"cache = {maker}(model.config, {sizes})",)
    elif section.cache == "dynamic" and not section.windows:
        maker = "windowless_cache"
        lines = (f"cache = {maker}(model.config)",)
    if maker:
        arguments.append(f"{cache_name()}=cache")
    counted = "BATCH_SIZE * NEW_TOKENS"
    return Used(
        True, "generation", counted, "tokens per second", tuple(arguments), lines, maker,
        _dropped(dropped),
    )  # fmt: skip


def _dropped(names: list[str]) -> str:
    return literal(tuple(names)) if names else ""


def generation_files(plan: Plan) -> list[ExportedFile]:
    """The cache that transformers has not; its packing is that of ``low_bit.py``."""
    section = plan.inference
    if section.use != "generation":
        return []
    if section.cache == "quantized":
        return [ExportedFile(name=CACHE_FILE, text=_cache_source("quantized_cache"))]
    if section.cache == "dynamic" and not section.windows:
        return [ExportedFile(name=CACHE_FILE, text=_cache_source("windowless_cache"))]
    return []


@cache
def _cache_source(part: str) -> str:
    return one_module(_PACKAGE, (part,), _HEAD, {_LOW_BIT: "low_bit"})


def without_training(subject: Subject) -> Subject:
    """The same without what only training needs, and with the context that the model takes."""
    plan, usual = subject.plan, Plan()
    sections = {name: getattr(usual, name) for name in ONLY_TRAINING}
    own = {name.partition(".")[2] for name in ONLY_TRAINING_KEYS}
    training = {name: getattr(usual.training, name) for name in own}
    training["sequence_length"] = sequence_length(subject.model, plan)
    changed = plan.training.model_copy(update=training)
    return replace(subject, plan=plan.model_copy(update={**sections, "training": changed}))


def use_head(subject: Subject, cannot_say: tuple[str, ...]) -> str:
    """The script's docstring."""
    plan = subject.plan
    size = "1 sample" if plan.training.batch_size == 1 else f"{plan.training.batch_size} samples"
    if subject.model.takes_sequence:
        size += f" of length {plan.training.sequence_length}"
    does = f"One forward takes {size}."
    if plan.inference.use == "generation":
        does = f"A generation takes {size} and writes {plan.inference.new_tokens} tokens for each."
    paragraphs = [f"Use {origin(subject)}, as planned with memplanner.", does]
    paragraphs += [f"Not in this script: {sentence}" for sentence in cannot_say]
    wrapped = [
        "\n".join(wrap(docstring(text), WIDTH - 4, break_long_words=False, break_on_hyphens=False))
        for text in paragraphs
    ]
    return "\n\n".join(wrapped) + "\n"
