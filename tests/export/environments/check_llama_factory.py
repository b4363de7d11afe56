"""Reads files by LLaMA-Factory's parser: ``python check_llama_factory.py FOLDER``. Prints JSON."""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import yaml

LAUNCHED = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost",
            "MASTER_PORT": "29511"}  # fmt: skip
"""As torchrun starts it; without, it refuses machines without a card."""


def trouble(path: Path) -> str:
    """What is wrong with a file; empty where nothing is."""
    from llamafactory.hparams import get_train_args

    values = yaml.safe_load(path.read_text())
    engine = values.pop("deepspeed", None)
    if engine is not None and not (path.parent / engine).is_file():
        return f"{engine} is missing"
    given = {**values, "use_cpu": True, "report_to": "none"}
    # bf16 alone on a machine without a card is refused; what it sets is looked at below
    pure = given.pop("pure_bf16")
    parts = get_train_args(given)
    for name, value in values.items():
        holders = [part for part in parts if hasattr(part, name)]
        if not holders:
            return f"passes over {name}"
        kept = getattr(holders[0], name)
        if name == "pure_bf16":
            value = False
        if name == "fsdp":  # this version of transformers keeps the strategy's name
            value, kept = True, [str(one.value) for one in kept] == ["full_shard"]
        if isinstance(value, bool | int | float) and kept != value:
            return f"takes {name}: {value!r} for {kept!r}"
    if not isinstance(pure, bool):
        return "pure_bf16 is no yes or no"
    if "fsdp" in values:
        plugin = parts[2].fsdp_plugin_args
        asked = values["fsdp_config"]
        if plugin["fsdp_version"] != 2:
            return f"takes FSDP2 for FSDP{plugin['fsdp_version']}"
        if plugin["reshard_after_forward"] != asked["reshard_after_forward"]:
            return f"takes reshard_after_forward for {plugin['reshard_after_forward']}"
    return ""


def main() -> None:
    """Tells of every file of the folder."""
    os.environ |= LAUNCHED
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*/llama_factory.yaml")):
        try:
            found[path.parent.name] = trouble(path)
        except (ValueError, ImportError, TypeError) as error:
            found[path.parent.name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"version": version("llamafactory"), "files": found}))


if __name__ == "__main__":
    main()
