"""Reads files by TRL's parser: ``python check_trl.py FOLDER``. Prints JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import yaml
from trl import ModelConfig, ScriptArguments, SFTConfig, TrlParser

KINDS = (ScriptArguments, SFTConfig, ModelConfig)


def trouble(path: Path) -> str:
    """What is wrong with a file; empty where nothing is."""
    values = yaml.safe_load(path.read_text())
    unknown = values.keys() - {field.name for kind in KINDS for field in fields(kind)}
    if unknown:
        return f"passes over {', '.join(sorted(unknown))}"
    engine = values.pop("deepspeed", None)
    if engine is not None and not (path.parent / engine).is_file():
        return f"{engine} is missing"
    here = path.with_name("here.yaml")
    here.write_text(yaml.safe_dump({**values, "use_cpu": True, "report_to": "none"}))
    parts = TrlParser(KINDS).parse_args_and_config(["--config", str(here)])
    for name, value in values.items():
        kept = next(getattr(part, name) for part in parts if hasattr(part, name))
        if isinstance(value, bool | int | float) and name != "fsdp" and kept != value:
            return f"takes {name}: {value!r} for {kept!r}"
    return ""


def main() -> None:
    """Tells of every file of the folder."""
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*/sft.yaml")):
        try:
            found[path.parent.name] = trouble(path)
        except (ValueError, TypeError, ImportError) as error:
            found[path.parent.name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"version": version("trl"), "files": found}))


if __name__ == "__main__":
    main()
