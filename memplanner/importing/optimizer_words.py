"""The optimizer in transformers' words, which trainers built on it share.

``transformers/training_args.py: OptimizerNames``, ``transformers/trainer_optimizer.py``.
"""

from __future__ import annotations

from typing import Any

from memplanner.importing.found import Found
from memplanner.importing.keys import Keys, shown
from memplanner.plan.optimizer import Optimizer

DEFAULT = "adamw_torch_fused"
WORDS: dict[str, tuple[str, str]] = {
    "adamw_torch": ("adamw", "auto"),
    "adamw_torch_fused": ("adamw", "fused"),
    "adamw_bnb_8bit": ("adamw", "bitsandbytes_8bit"),
    "adamw_8bit": ("adamw", "bitsandbytes_8bit"),
    "paged_adamw_8bit": ("adamw", "bitsandbytes_paged_8bit"),
    "adamw_torch_8bit": ("adamw", "torchao_8bit"),
    "adamw_torch_4bit": ("adamw", "torchao_4bit"),
    "adafactor": ("adafactor", "auto"),
    "sgd": ("sgd", "auto"),
    "rmsprop": ("rmsprop", "auto"),
    "adagrad": ("adagrad", "auto"),
    "lion_32bit": ("lion", "auto"),
    "adamw_hf": ("adamw", "auto"),
    "adamw_apex_fused": ("adamw", "fused"),
    "paged_adamw_32bit": ("adamw", "auto"),
}
"""Name and implementation; the first word of a pair is the one that is written."""
_GALORE = {
    "galore_adamw": "after_backward",
    "galore_adamw_layerwise": "in_backward",
}
_INEXACT = {
    "adafactor": "transformers' own Adafactor keeps its factors in fp32; torch's is planned.",
    "lion_32bit": "bitsandbytes' Lion keeps its state in fp32; it is planned in the parameters' "
    "type.",
    "paged_adamw_32bit": "Paged states can move to the host; they are planned on the card.",
}


def optimizer_words(section: Optimizer) -> dict[str, Any]:
    """``optim`` and what goes with it; the nearest where there is no word for it."""
    written: dict[str, Any] = {}
    if section.projection == "galore" and section.name == "adamw":
        written["optim"] = (
            "galore_adamw_layerwise" if section.update == "in_backward" else "galore_adamw"
        )
        written["optim_target_modules"] = "all-linear"
        written["optim_args"] = (
            f"rank={section.rank}, update_proj_gap={section.update_gap}, scale={section.scale!r}"
        )
        return written
    pair = (section.name, section.implementation)
    by_pair: dict[tuple[str, str], str] = {}
    for word, meant in WORDS.items():
        by_pair.setdefault(meant, word)
    nearest = by_pair.get((section.name, "auto"), "adamw_torch")
    written["optim"] = by_pair.get(pair, nearest)
    if section.momentum and section.name in ("sgd", "rmsprop"):
        written["optim_args"] = f"momentum={section.momentum!r}"
    return written


def read_optimizer(keys: Keys, found: Found, *names: str) -> None:
    """Sets the section ``optimizer`` by the word under ``names`` and its arguments."""
    word = keys.word(*(names or ("optim",)), default=DEFAULT)
    arguments = _arguments(keys.take("optim_args"))
    if word in _GALORE:
        _read_galore(word, arguments, keys, found)
    elif word in WORDS:
        found.values["optimizer.name"], found.values["optimizer.implementation"] = WORDS[word]
        if word in _INEXACT:
            found.notes.append(_INEXACT[word])
        if "momentum" in arguments and word in ("sgd", "rmsprop"):
            found.values["optimizer.momentum"] = arguments.pop("momentum")
    else:
        found.no_place.append(
            f"The optimizer {shown(word)} has no place in a plan; AdamW is planned."
        )
    for name, value in arguments.items():
        if name not in ("beta1", "beta2", "betas", "eps", "alpha", "weight_decay", "nesterov"):
            found.no_place.append(f"optim_args {name}={shown(value)} has no place in a plan.")


def _read_galore(word: str, arguments: dict[str, str], keys: Keys, found: Found) -> None:
    values = found.values
    values["optimizer.name"], values["optimizer.implementation"] = "adamw", "for_loop"
    values["optimizer.projection"], values["optimizer.update"] = "galore", _GALORE[word]
    values["optimizer.rank"] = arguments.pop("rank", 128)
    values["optimizer.update_gap"] = arguments.pop("update_proj_gap", 200)
    values["optimizer.scale"] = arguments.pop("scale", 0.25)
    targets = keys.take("optim_target_modules")
    if targets not in ("all-linear", "all_linear", ["all-linear"], None):
        found.no_place.append(
            f"optim_target_modules: {shown(targets)} has no place in a plan, which projects every "
            "linear layer."
        )


def _arguments(value: Any) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(key): str(one) for key, one in value.items()}
    pairs = (part.partition("=") for part in str(value or "").replace(" ", "").split(",") if part)
    return {name: text for name, _, text in pairs}
